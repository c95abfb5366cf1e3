"""Durations in one form, for rules, the policy and settings."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ioc.domain.durations import read_duration, write_duration


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90s", timedelta(seconds=90)), ("15m", timedelta(minutes=15)), ("12h", timedelta(hours=12)),
        ("7d", timedelta(days=7)), ("1h30m", timedelta(hours=1, minutes=30)), (" 1.5 h ", timedelta(minutes=90)),
        ("0s", timedelta(0)),
    ],
)  # fmt: skip
def test_a_duration_is_an_amount_with_its_unit(text, span):
    assert read_duration(text) == span


@pytest.mark.parametrize("text", ["", "90", "-5m", "1w", "m", "08:00:00", "1 day", "9" * 400 + "d", "soon"])
def test_what_is_no_duration_is_none(text):
    assert read_duration(text) is None


@given(st.integers(0, 10**9))
def test_a_duration_is_read_as_it_was_written(seconds):
    span = timedelta(seconds=seconds)
    assert read_duration(write_duration(span)) == span


def test_a_duration_is_written_in_the_largest_unit_that_fits():
    written = [write_duration(timedelta(seconds=seconds)) for seconds in (0, 90, 900, 28_800, 604_800)]
    assert written == ["0s", "90s", "15m", "8h", "7d"]
