"""Which shift is meant by its name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from alerts.shift import ShiftName, find_shift


def local(day, hour, minute=0):
    """Province time in November 2026."""
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC) - timedelta(hours=7)


@pytest.mark.parametrize(
    ("name", "now", "start", "end"),
    [
        ("day", local(20, 14, 30), local(20, 6), local(20, 14, 30)),
        ("day", local(20, 5), local(19, 6), local(19, 18)),
        ("day", local(20, 6), local(20, 6), local(20, 6)),
        ("night", local(20, 3), local(19, 18), local(20, 3)),
        ("night", local(20, 14), local(19, 18), local(20, 6)),
        ("night", local(20, 19), local(20, 18), local(20, 19)),
        ("now", local(20, 14), local(20, 6), local(20, 14)),
        ("now", local(20, 3), local(19, 18), local(20, 3)),
        ("last", local(20, 14), local(19, 18), local(20, 6)),
        ("last", local(20, 3), local(19, 6), local(19, 18)),
        ("last", local(20, 18), local(20, 6), local(20, 18)),
    ],
)
def test_a_shift_is_the_newest_of_its_name_that_has_begun(name, now, start, end):
    assert find_shift(ShiftName(name), now) == (start, end)
