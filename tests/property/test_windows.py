"""Windows over event time against a plain model: readings in any order, repeated, with holes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.language.windows import Aggregate, Window
from alerts.memory.readings import MOST_VALUE, Readings
from alerts.memory.windowing import Windows
from ioc.domain.kinds import KINDS, IndicatorValue, Rain

BEGIN = datetime(2026, 11, 23, tzinfo=UTC)
SPAN = timedelta(minutes=60)


def tumbling(aggregate: Aggregate) -> Windows:
    return Windows([Window(name="w", quantity="rain_mm", aggregate=aggregate, span=SPAN, covers=0.0, tumbling=True)])


def window(aggregate: Aggregate, covers: float = 0.0) -> Windows:
    return Windows([Window(name="w", quantity="rain_mm", aggregate=aggregate, span=SPAN, covers=covers)])


def plain(aggregate: Aggregate, held: list[float]) -> float | None:
    """The same in the plainest words."""
    if aggregate is Aggregate.COUNT:
        return float(len(held))
    if not held:
        return None
    return {
        Aggregate.SUM: sum(held),
        Aggregate.MEAN: sum(held) / len(held),
        Aggregate.MIN: min(held),
        Aggregate.MAX: max(held),
        Aggregate.RISE: held[-1] - held[0],
        Aggregate.P90: sorted(held)[-(-9 * len(held) // 10) - 1],
    }[aggregate]


readings = st.lists(
    st.tuples(st.integers(0, 240), st.none() | st.floats(0, 100, allow_nan=False)), min_size=1, max_size=60
)


@given(readings=readings, aggregate=st.sampled_from(list(Aggregate)))
def test_a_window_holds_what_lies_in_it_however_it_came(readings, aggregate):
    windows, known = window(aggregate), {}
    held_readings = windows.begin()
    newest = 0
    for minute, value in readings:
        windows.add(held_readings, Rain(rain_mm=value), BEGIN + timedelta(minutes=minute))
        newest = max(newest, minute)
        if minute > newest - 60:
            known[minute] = value
        held = [known[at] for at in sorted(known) if newest - 60 < at <= newest and known[at] is not None]
        expected = plain(aggregate, held)
        found = windows.measure(held_readings, BEGIN + timedelta(minutes=newest)).get("w")
        assert (found is None) == (expected is None)
        if found is not None:
            assert found == pytest.approx(expected, abs=60e-6)  # sums are of whole millionths
        assert len(held_readings.times) <= 61


LIMITS = KINDS[IndicatorValue.KIND].quantities["value"]


@given(
    values=st.lists(st.floats(LIMITS.low, LIMITS.high, allow_nan=False), min_size=1, max_size=30),
    aggregate=st.sampled_from(list(Aggregate)),
)
def test_a_window_holds_values_of_any_size_that_a_kind_allows(values, aggregate):
    windows = Windows([Window(name="w", quantity="value", aggregate=aggregate, span=SPAN, covers=0.0)])
    held = windows.begin()
    for minute, value in enumerate(values):
        data = IndicatorValue(period="2026", unit="VND", method_version="1", value=value)
        windows.add(held, data, BEGIN + timedelta(minutes=minute))
    found = windows.measure(held, BEGIN + timedelta(minutes=len(values) - 1))["w"]
    assert found == pytest.approx(plain(aggregate, values), rel=1e-12, abs=0.2 * len(values))  # a double's own grain


def test_no_kind_allows_values_that_windows_take_for_none():
    for kind in KINDS.values():
        for quantity in kind.quantities.values():
            assert max(-quantity.low, quantity.high) <= MOST_VALUE


@pytest.mark.parametrize("aggregate", list(Aggregate))
def test_a_window_that_has_not_filled_has_no_value(aggregate):
    windows = window(aggregate, covers=0.7)
    state = windows.begin()
    values = []
    for minute in range(0, 60, 6):
        at = BEGIN + timedelta(minutes=minute)
        windows.add(state, Rain(rain_mm=1.0), at)
        values.append(windows.measure(state, at).get("w"))
    assert values[:6] == [None] * 6
    assert None not in values[6:]


@given(
    readings=st.lists(
        st.tuples(st.integers(0, 400), st.none() | st.floats(-1e6, 1e6, allow_nan=False)), min_size=1, max_size=300
    ),
    restarts=st.sets(st.integers(0, 300), max_size=4),
    aggregate=st.sampled_from(list(Aggregate)),
)
def test_what_is_kept_in_parts_is_what_was_held(readings, restarts, aggregate):
    windows = window(aggregate)
    held, kept = windows.begin(), {}
    for number, (minute, value) in enumerate(readings):
        at = BEGIN + timedelta(minutes=minute)
        for part in windows.add(held, Rain(rain_mm=value), at):
            packed = held.pack(part)
            if packed is None:
                kept.pop(part, None)
            else:
                kept[part] = packed
        if number in restarts:
            again = windows.begin()
            for part in sorted(kept, reverse=number % 2 == 0):
                assert again.unpack(part, kept[part])
            now = BEGIN + timedelta(minutes=max(minute for minute, _ in readings[: number + 1]))
            assert windows.measure(again, now) == windows.measure(held, now)
            held = again
    assert all(len(packed) < 4_096 for packed in kept.values())


def test_a_part_is_small_however_much_a_window_holds():
    windows, at = window(Aggregate.MEAN), BEGIN
    held = windows.begin()
    sizes = set()
    for number in range(5_000):
        at += timedelta(milliseconds=500)
        changed = windows.add(held, Rain(rain_mm=float(number)), at)
        sizes |= {len(packed) for part in changed if (packed := held.pack(part)) is not None}
    assert len(held.times) == 4_096
    assert max(sizes) < 1_000


def test_parts_of_other_quantities_are_refused():
    windows, at = window(Aggregate.SUM), BEGIN
    held = windows.begin()
    [part] = windows.add(held, Rain(rain_mm=1.0), at)
    packed = held.pack(part)
    assert packed is not None
    assert not Readings(["level_m"]).unpack(part, packed)


@given(readings=readings, aggregate=st.sampled_from(list(Aggregate)))
def test_a_tumbling_window_holds_the_last_whole_hour_however_it_came(readings, aggregate):
    windows, known = tumbling(aggregate), {}
    held_readings = windows.begin()
    newest = 0
    for minute, value in readings:
        windows.add(held_readings, Rain(rain_mm=value), BEGIN + timedelta(minutes=minute))
        newest = max(newest, minute)
        known[minute] = value
        end = newest // 60 * 60
        # What is older than two spans is forgotten, and so is what comes later than that.
        known = {at: held for at, held in known.items() if at > newest - 120}
        heard = [at for at in sorted(known) if end - 60 < at <= end]
        expected = plain(aggregate, [known[at] for at in heard if known[at] is not None]) if heard else None
        found = windows.measure(held_readings, BEGIN + timedelta(minutes=newest)).get("w")
        assert (found is None) == (expected is None)
        if found is not None:
            assert found == pytest.approx(expected, abs=60e-6)


def test_a_tumbling_day_is_the_provinces_and_its_midnight_belongs_to_the_day_that_ends():
    windows = Windows(
        [
            Window(
                name="w", quantity="rain_mm", aggregate=Aggregate.SUM, span=timedelta(days=1), covers=0.0, tumbling=True
            )
        ]
    )
    held, midnight = windows.begin(), datetime(2026, 11, 23, 17, tzinfo=UTC)
    for hours, rain_mm in ((-24, 100.0), (-23, 1.0), (-1, 2.0), (0, 4.0), (1, 50.0)):
        at = midnight + timedelta(hours=hours)
        windows.add(held, Rain(rain_mm=rain_mm), at)
        if hours == 0:
            assert windows.measure(held, at) == {"w": 7.0}
    assert windows.measure(held, midnight + timedelta(hours=1)) == {"w": 7.0}


@given(readings=readings, aggregate=st.sampled_from(list(Aggregate)), covers=st.sampled_from([0.0, 0.5, 0.9]))
def test_what_people_are_told_of_a_window_is_what_it_holds(readings, aggregate, covers):
    windows, known = window(aggregate, covers), {}
    held_readings = windows.begin()
    for minute, value in readings:
        windows.add(held_readings, Rain(rain_mm=value), BEGIN + timedelta(minutes=minute))
        known[minute] = value
    newest = max(known)
    now = BEGIN + timedelta(minutes=newest)
    [state] = windows.look(held_readings, now)
    held = [minute for minute in sorted(known) if newest - 60 < minute <= newest and known[minute] is not None]
    assert state.value == windows.measure(held_readings, now).get("w")
    assert (state.after, state.until, state.readings_count) == (now - SPAN, now, len(held))
    assert (state.first_at, state.last_at) == (
        (BEGIN + timedelta(minutes=held[0]), BEGIN + timedelta(minutes=held[-1])) if held else (None, None)
    )
    assert state.filled_tenths == len({(minute - newest + 59) // 6 for minute in held})
    assert state.needed_tenths == round(covers * 10)


def test_of_a_thing_that_nothing_is_known_of_a_window_holds_nothing():
    windows = window(Aggregate.SUM)
    [state] = windows.look(windows.begin(), BEGIN)
    assert (state.value, state.readings_count, state.first_at, state.filled_tenths) == (None, 0, None, 0)
