"""Windows over event time against a plain model: readings in any order, repeated, with holes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.windows import Aggregate, Window, Windows, WindowState
from ioc.domain.kinds import Rain

BEGIN = datetime(2026, 11, 23, tzinfo=UTC)
SPAN = timedelta(minutes=60)


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
    windows, state, known = window(aggregate), WindowState(shape="window"), {}
    newest = 0
    for minute, value in readings:
        windows.add(state, Rain(rain_mm=value), BEGIN + timedelta(minutes=minute))
        newest = max(newest, minute)
        if minute > newest - 60:
            known[minute] = value
        held = [known[at] for at in sorted(known) if newest - 60 < at <= newest and known[at] is not None]
        expected = plain(aggregate, held)
        found = windows.measure(state, BEGIN + timedelta(minutes=newest)).get("w")
        assert (found is None) == (expected is None)
        if found is not None:
            assert found == pytest.approx(expected)
        assert len(state.times) <= 61


def test_a_window_that_has_not_filled_has_no_value():
    windows, state = window(Aggregate.MEAN, covers=0.7), WindowState(shape="window")
    values = []
    for minute in range(0, 60, 6):
        at = BEGIN + timedelta(minutes=minute)
        windows.add(state, Rain(rain_mm=1.0), at)
        values.append(windows.measure(state, at).get("w"))
    assert values == [None] * 6 + [1.0] * 4
