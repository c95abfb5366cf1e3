"""Instants made by the column are those that are made one by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ioc.domain.rows import to_instants, to_microseconds

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


_WHOLE = _INSTANTS.map(lambda at: at.replace(microsecond=0))
_ELSEWHERE = st.datetimes(timezones=st.timezones()).filter(lambda at: 1 < at.year < 9999)


@given(instants=st.lists(_INSTANTS) | st.lists(_INSTANTS | _WHOLE) | st.lists(_WHOLE) | st.lists(_ELSEWHERE))
def test_instants_are_counted_to_the_microsecond(instants):
    counted = to_microseconds(instants)
    assert counted.dtype == np.int64
    assert counted.tolist() == [(at - EPOCH) // timedelta(microseconds=1) for at in instants]


@pytest.mark.parametrize("count", [0, 1, 15, 16, 2**16 - 1, 2**16])
@pytest.mark.parametrize("step", [timedelta(seconds=1), timedelta(microseconds=1), timedelta(milliseconds=250)])
def test_any_number_of_instants_is_counted(count, step):
    instants = [EPOCH + number * step for number in range(count)]
    assert to_microseconds(instants).tolist() == [
        number * (step // timedelta(microseconds=1)) for number in range(count)
    ]


@pytest.mark.parametrize("us", [0, 1, 2**32 * 1_000_000 - 1, 2**32 * 1_000_000, 2**34 * 1_000_000, -1, -1_000_000])
def test_an_instant_at_the_ends_is_counted_beside_others(us):
    counts = [us, 5, 1_000_000, us]
    assert to_microseconds([EPOCH + timedelta(microseconds=count) for count in counts]).tolist() == counts
