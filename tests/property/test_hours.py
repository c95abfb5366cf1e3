"""Values of clock hours against a plain model: readings in any order, repeated, with holes, taken back in parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.memory.hours import HOUR_S, PIECE_S, Hours, HourValue

OPEN_S, DAYS = 2 * HOUR_S, 3
EPOCH_HOUR = 480_000
readings = st.lists(
    st.tuples(
        st.integers(0, 6 * 60), st.sampled_from("ab"), st.floats(0, 1_000, allow_nan=False).map(lambda x: round(x, 3))
    ),
    min_size=1,
    max_size=80,
)


def make(how: HourValue) -> Hours:
    return Hours("test", how, 0.5, OPEN_S, DAYS)


def plain(how: HourValue, held: dict[tuple[int, str], float], hour: int) -> float | None:
    """The same in the plainest words."""
    mine = {at: value for at, value in held.items() if at[0] * 60 // HOUR_S == hour}
    if len({minute * 60 // PIECE_S for minute, _ in mine}) < 3:
        return None
    values = list(mine.values())
    return {
        HourValue.SUM: sum(values),
        HourValue.MEAN: sum(values) / len(values),
        HourValue.MAX: max(values),
    }[how]


@given(readings=readings, how=st.sampled_from(list(HourValue)), data=st.data())
def test_an_hour_holds_what_came_while_it_was_open_however_it_came_and_whatever_was_kept_of_it(readings, how, data):
    hours, kept, held, newest = make(how), {}, {}, 0
    for minute, who, value in readings:
        changed = hours.add(EPOCH_HOUR * HOUR_S + minute * 60.0, who, value)
        if not held or minute * 60 // HOUR_S >= (newest * 60 - OPEN_S) // HOUR_S:
            held[minute, who] = value
        newest = max(newest, minute)
        for part in changed:
            packed = hours.pack(part)
            kept.pop(part, None)
            if packed is not None:
                kept[part] = packed
        if data.draw(st.integers(0, 9)) == 0:
            hours = make(how)
            for part in data.draw(st.permutations(sorted(kept))):
                assert hours.unpack(part, kept[part])
    for hour in range(7):
        expected = plain(how, held, hour)
        assert hours.value(EPOCH_HOUR + hour) == (None if expected is None else pytest.approx(expected, abs=1e-3))
    again = make(how)
    for part in hours.parts:
        packed = hours.pack(part)
        assert packed is not None
        assert again.unpack(part, packed)
    assert len(again) == len(hours)


@pytest.mark.parametrize("days", [5, 12, 40])
def test_what_is_kept_does_not_grow_with_the_days(days):
    hours, kept = make(HourValue.SUM), {}
    for hour in range(24 * days):
        for piece in range(6):
            for part in hours.add((EPOCH_HOUR + hour) * HOUR_S + piece * 600.0, "", 1.0):
                kept[part] = hours.pack(part)
    left = {part for part, packed in kept.items() if packed is not None}
    assert len([part for part in left if part < 0]) <= DAYS + 1
    assert len([part for part in left if part >= 0]) <= (OPEN_S // HOUR_S + 1) * 6


def test_a_part_of_other_values_is_not_taken_back():
    hours = make(HourValue.SUM)
    (part,) = hours.add(EPOCH_HOUR * HOUR_S + 1.0, "", 1.0)
    other = Hours("other", HourValue.SUM, 0.5, OPEN_S, DAYS)
    assert not other.unpack(part, hours.pack(part))
    assert other.running(EPOCH_HOUR) is None


@pytest.mark.parametrize("how", HourValue)
@given(values=st.lists(st.floats(-1e15, 1e15, allow_nan=False), min_size=3, max_size=40))
def test_what_is_kept_of_values_of_any_size_gives_the_same_hour(how, values):
    hours, again = make(how), make(how)
    for number, value in enumerate(values):
        hours.add(EPOCH_HOUR * HOUR_S + number * 90.0, "", value)
    for part in hours.parts:
        assert again.unpack(part, hours.pack(part))
    assert again.running(EPOCH_HOUR) == hours.running(EPOCH_HOUR)
    assert again.value(EPOCH_HOUR) == hours.value(EPOCH_HOUR)
