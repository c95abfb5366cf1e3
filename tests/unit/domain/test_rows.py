"""Instants made by the column are those that are made one by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ioc.domain.rows import to_instants

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INSTANTS = st.datetimes(timezones=st.just(UTC))


@given(instants=st.lists(_INSTANTS | _INSTANTS.filter(lambda at: at >= EPOCH)))
def test_instants_come_back_to_the_microsecond(instants):
    made = to_instants(np.array([(at - EPOCH) // timedelta(microseconds=1) for at in instants], np.int64))
    assert made == instants
    assert all(at.tzinfo is UTC for at in made)


@pytest.mark.parametrize("us", [0, 1, 999_999, 2**34 * 1_000_000 - 1, 2**34 * 1_000_000, -1])
def test_the_ends_of_what_can_be_packed(us):
    assert to_instants(np.array([us, 5], np.int64))[0] == EPOCH + timedelta(microseconds=us)
