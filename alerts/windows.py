"""Aggregates over event time: the sum of twelve hours of rain, the mean of a day, the rise of an hour.

A window ends at the reading that is judged and reaches back its span. Late readings enter it in their place, repeated
ones once. A window that has not filled yet has no value: it is not zero.
"""

from __future__ import annotations

import enum
import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from alerts.rule_files import Table
from alerts.series import Series
from ioc.domain.kinds import KINDS, Payload

MOST_READINGS = 4_096
"""Per asset and rule; beyond it the oldest go, and the windows that need them have no value."""

LONGEST = timedelta(days=8)
_TENTHS = 10


class Aggregate(enum.StrEnum):
    """How a window's readings become one value; ``RISE`` is the newest minus the oldest."""

    SUM = "sum"
    MEAN = "mean"
    MIN = "min"
    MAX = "max"
    COUNT = "count"
    RISE = "rise"
    P90 = "p90"


_NEEDS_COVER = {Aggregate.MEAN: 0.7, Aggregate.RISE: 0.9, Aggregate.P90: 0.7}


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One named value: an aggregate of ``quantity`` over ``span``.

    ``covers`` is the share of the window's tenths in which a reading must lie for it to have a value.
    """

    name: str
    quantity: str
    aggregate: Aggregate
    span: timedelta
    covers: float


class WindowState(Series, kw_only=True, omit_defaults=True):
    """The series of an asset with its readings of the longest window, oldest first: times in epoch seconds, a column
    per quantity.
    """

    times: list[float] = msgspec.field(default_factory=list)
    columns: list[list[float | None]] = msgspec.field(default_factory=list)


def read_windows(table: Table, kind: type[Payload], *, optional: bool = False) -> tuple[Window, ...]:
    """Read the table ``windows`` of a rule: ``rain_12h: {of: rain_mm, sum: 12h}``."""
    part = table.table("windows", optional=optional)
    if part is None:
        return ()
    known = KINDS[kind.KIND].quantities
    found = []
    for name in part.names:
        entry = part.table(name)
        if entry is None:
            continue
        if name in known or not name.isidentifier():
            entry.fault(f"window {name!r}: needs a name of its own, in letters, digits and _")
        window = _read_window(entry, name)
        if window.quantity not in known:
            entry.fault(f"of: no quantity {window.quantity!r}; there are {', '.join(known)}")
        if not timedelta(0) < window.span <= LONGEST:
            entry.fault(f"window {name!r}: between 1s and {LONGEST.days}d long")
        found.append(window)
    part.finish()
    return tuple(found)


def _read_window(entry: Table, name: str) -> Window:
    quantity = entry.text("of")
    chosen = [aggregate for aggregate in Aggregate if entry.has(aggregate.value)]
    if len(chosen) != 1:
        entry.fault(f"window {name!r}: exactly one of {', '.join(Aggregate)} with its span")
    aggregate = chosen[0] if chosen else Aggregate.SUM
    span = entry.duration(aggregate.value, timedelta(hours=1))
    covers = entry.number("covers", _NEEDS_COVER.get(aggregate, 0.0))
    entry.finish()
    return Window(name=name, quantity=quantity, aggregate=aggregate, span=span, covers=covers)


class Windows:
    """The windows of one rule: takes readings into a state and says what the windows hold at an instant."""

    def __init__(self, windows: Sequence[Window]) -> None:
        self._windows = tuple(windows)
        self.quantities = tuple(dict.fromkeys(window.quantity for window in windows))
        self._longest_s = max((window.span.total_seconds() for window in windows), default=0.0)

    def add(self, state: WindowState, payload: Payload, at: datetime) -> None:
        """Take a reading in; one of the same instant takes the place of the one before."""
        moment = at.timestamp()
        values = [_finite(getattr(payload, quantity)) for quantity in self.quantities]
        if len(state.columns) != len(self.quantities):
            state.times, state.columns = [], [[] for _ in self.quantities]
        place = bisect_left(state.times, moment)
        is_known = place < len(state.times) and state.times[place] == moment
        if not is_known:
            state.times.insert(place, moment)
        for column, value in zip(state.columns, values, strict=True):
            if is_known:
                column[place] = value
            else:
                column.insert(place, value)
        self._forget(state)

    def _forget(self, state: WindowState) -> None:
        gone = max(bisect_right(state.times, state.times[-1] - self._longest_s), len(state.times) - MOST_READINGS)
        if gone > 0:
            del state.times[:gone]
            for column in state.columns:
                del column[:gone]

    def measure(self, state: WindowState, at: datetime) -> dict[str, float]:
        """Give the value of every window that has one at an instant."""
        found = {}
        for window in self._windows:
            value = self._measure(state, window, at.timestamp())
            if value is not None and math.isfinite(value):
                found[window.name] = value
        return found

    def _measure(self, state: WindowState, window: Window, moment: float) -> float | None:
        span_s = window.span.total_seconds()
        first, last = bisect_right(state.times, moment - span_s), bisect_right(state.times, moment)
        column = state.columns[self.quantities.index(window.quantity)]
        held = [(state.times[i], value) for i in range(first, last) if (value := column[i]) is not None]
        if window.aggregate is Aggregate.COUNT:
            return float(len(held))
        if not held:
            return None
        if window.covers > 0:
            tenths = {min(_TENTHS - 1, int((moment - time) / span_s * _TENTHS)) for time, _ in held}
            if len(tenths) < window.covers * _TENTHS:
                return None
        return _aggregate(window.aggregate, [value for _, value in held])


def _aggregate(aggregate: Aggregate, values: Sequence[float]) -> float:
    match aggregate:
        case Aggregate.SUM:
            return math.fsum(values)
        case Aggregate.MEAN:
            return math.fsum(values) / len(values)
        case Aggregate.MIN:
            return min(values)
        case Aggregate.MAX:
            return max(values)
        case Aggregate.RISE:
            return values[-1] - values[0]
        case Aggregate.P90:
            return sorted(values)[max(0, math.ceil(0.9 * len(values)) - 1)]
        case _:
            return float(len(values))


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
