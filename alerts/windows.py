"""Aggregates over event time: the sum of twelve hours of rain, the mean of a day, the rise of an hour.

A window ends at the reading that is judged and reaches back its span. Late readings enter it in their place, repeated
ones once. A window that has not filled yet has no value: it is not zero.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from alerts.memory import PartitionMemory
from alerts.readings import Readings
from alerts.rule import gained
from alerts.rule_files import Table
from ioc.domain.kinds import KINDS, Payload

MOST_READINGS = 4_096
"""Per asset and rule; beyond it the oldest go, and the windows that need them have no value."""

LONGEST = timedelta(days=8)
_TENTHS = 10
_OFFSET_S = 7 * 3_600.0
"""Province time is UTC+7 the whole year: its days begin at 17:00 UTC."""


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

    ``covers`` is the share of the window's tenths in which a reading must lie for it to have a value. A tumbling window
    is the last whole span of the province's clock: the hour before the full hour, yesterday.
    """

    name: str
    quantity: str
    aggregate: Aggregate
    span: timedelta
    covers: float
    tumbling: bool = gained(False)


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
    tumbling = entry.flag("tumbling", default=False)
    if tumbling and timedelta(days=1) % span if span else False:
        entry.fault(f"window {name!r}: a day must be whole times a span that tumbles")
    entry.finish()
    return Window(name=name, quantity=quantity, aggregate=aggregate, span=span, covers=covers, tumbling=tumbling)


class Windows:
    """The windows of one rule: takes readings in and says what the windows hold at an instant."""

    def __init__(self, windows: Sequence[Window]) -> None:
        self.quantities = tuple(dict.fromkeys(window.quantity for window in windows))
        self._by_span: dict[tuple[float, bool], list[tuple[Window, int]]] = {}
        for window in windows:
            numbered = self._by_span.setdefault((window.span.total_seconds(), window.tumbling), [])
            numbered.append((window, self.quantities.index(window.quantity)))
        # While a span runs, the whole one before it is looked at: that takes two.
        reaches = (span_s * (2 if tumbles else 1) for span_s, tumbles in self._by_span)
        self._longest_s = max(reaches, default=0.0)

    def begin(self) -> Readings:
        """Make room for the readings of an asset that nothing is known of."""
        return Readings(self.quantities)

    def add(self, readings: Readings, payload: Payload, at: datetime) -> Set[int]:
        """Take a reading in, one of the same instant in place of the one before; give the parts it changed."""
        changed = readings.add(at.timestamp(), [getattr(payload, quantity) for quantity in self.quantities])
        return changed | readings.forget(self._longest_s, MOST_READINGS)

    def take(
        self, memory: PartitionMemory, rule_id: str, index: int, key: str, payload: Payload, at: datetime
    ) -> Readings:
        """Take a reading in among all that the rule looks back on; give those of its thing."""
        held = memory.windows[index]
        readings = held.get(key)
        if readings is None:
            readings = held[key] = self.begin()
        values = [getattr(payload, quantity) for quantity in self.quantities]
        memory.look_back(
            rule_id, index, key, readings, at.timestamp(), values, span_s=self._longest_s, most=MOST_READINGS
        )
        return readings

    def measure(self, readings: Readings, at: datetime) -> dict[str, float]:
        """Give the value of every window that has one at an instant."""
        moment, found = at.timestamp(), {}
        for (span_s, tumbles), numbered in self._by_span.items():
            stretch = _Stretch(readings, _last_full(moment, span_s) if tumbles else moment, span_s)
            if stretch.first == stretch.last:
                continue  # of a whole span in which nothing was heard there is nothing to say, not even a count
            for window, number in numbered:
                value = _measure(stretch, window, number)
                if value is not None and math.isfinite(value):
                    found[window.name] = value
        return found


def _last_full(moment: float, span_s: float) -> float:
    """Give the end of the last whole span; its first instant is not in it, so that midnight is the old day's."""
    return (moment + _OFFSET_S) // span_s * span_s - _OFFSET_S


class _Stretch:
    """The readings of one span before an instant, which several windows may ask for."""

    def __init__(self, readings: Readings, moment: float, span_s: float) -> None:
        self.readings, self._moment, self._span_s = readings, moment, span_s
        self.first, self.last = readings.find(moment - span_s, moment)
        self._places: list[int] = []

    def covers(self, number: int, share: float) -> bool:
        """Say whether values lie in that share of the span's tenths."""
        needed = math.ceil(share * _TENTHS)
        # Windows that have only begun are the many: what lies within too few tenths of now cannot fill enough of them.
        oldest = self.readings.times[self.first]
        if oldest > self._moment - self._span_s * (needed - 1) / _TENTHS:
            return False
        if not self._places:
            self._places = self.readings.cut(self._moment - self._span_s, self._moment, _TENTHS)
        count = self.readings.count
        return sum(count(number, first, last) > 0 for first, last in pairwise(self._places)) >= needed


def _measure(stretch: _Stretch, window: Window, number: int) -> float | None:
    readings, first, last = stretch.readings, stretch.first, stretch.last
    count = readings.count(number, first, last)
    match window.aggregate:
        case Aggregate.COUNT:
            return float(count)
        case _ if count == 0 or (window.covers > 0 and not stretch.covers(number, window.covers)):
            return None
        case Aggregate.SUM:
            return readings.total(number, first, last)
        case Aggregate.MEAN:
            return readings.total(number, first, last) / count
        case _:
            return _aggregate(window.aggregate, readings.values(number, first, last))


def _aggregate(aggregate: Aggregate, values: Sequence[float]) -> float:
    match aggregate:
        case Aggregate.MIN:
            return min(values)
        case Aggregate.MAX:
            return max(values)
        case Aggregate.RISE:
            return values[-1] - values[0]
        case _:
            return sorted(values)[max(0, math.ceil(0.9 * len(values)) - 1)]
