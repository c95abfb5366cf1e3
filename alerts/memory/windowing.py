"""What windows hold at an instant: readings taken in, cut into spans and made one value each.

A window ends at the reading that is judged and reaches back its span. Late readings enter it in their place, repeated
ones once. A window that has not filled yet has no value: it is not zero.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from alerts.language.windows import TENTHS, Aggregate, Window
from alerts.memory.loudness import Loudness
from alerts.memory.partition import PartitionMemory
from alerts.memory.readings import MOST_READINGS, Readings
from ioc.domain.kinds import Payload

_OFFSET_S = 7 * 3_600.0
"""Province time is UTC+7 the whole year: its days begin at 17:00 UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowState:
    """What one window holds at an instant: readings after ``after``, up to and with ``until``, that have its quantity.

    ``value`` is None where the engine has none: nothing was heard in the whole span, or values lie in fewer of the
    span's tenths (``filled_tenths``) than the window asks for (``needed_tenths``).
    """

    window: Window
    value: float | None
    after: datetime
    until: datetime
    readings_count: int
    first_at: datetime | None
    last_at: datetime | None
    filled_tenths: int
    needed_tenths: int


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
        self, memory: PartitionMemory, rule_id: str, index: int, key: str, payload: Payload, at: datetime,
        loudness: Loudness | None = None,
    ) -> Readings:  # fmt: skip
        """Take a reading in among all that the rule looks back on; give those of its thing.

        With ``loudness`` it is noted until when they may be over a limit.
        """
        held = memory.windows[index]
        readings = held.get(key)
        if readings is None:
            readings = held[key] = self.begin()
        values = [getattr(payload, quantity) for quantity in self.quantities]
        moment = at.timestamp()
        memory.look_back(rule_id, index, key, readings, moment, values, span_s=self._longest_s, most=MOST_READINGS)
        if loudness is not None:
            readings.loud_until = max(readings.loud_until, loudness.until(moment, values))
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

    @property
    def reach(self) -> timedelta:
        """How far before a reading the windows look back."""
        return timedelta(seconds=self._longest_s)

    def look(self, readings: Readings, at: datetime) -> list[WindowState]:
        """Tell what every window holds at an instant, for people who ask; ``measure`` gives the values alone."""
        values = self.measure(readings, at) if len(readings) else {}
        return [
            _look(readings, window, number, end_of(window, at), values)
            for numbered in self._by_span.values()
            for window, number in numbered
        ]


def end_of(window: Window, at: datetime) -> float:
    """Give the epoch second at which a window ends that is looked at at an instant."""
    moment = at.timestamp()
    return _last_full(moment, window.span.total_seconds()) if window.tumbling else moment


def _last_full(moment: float, span_s: float) -> float:
    """Give the end of the last whole span; its first instant is not in it, so that midnight is the old day's."""
    return (moment + _OFFSET_S) // span_s * span_s - _OFFSET_S


class _Stretch:
    """The readings of one span before an instant, which several windows may ask for."""

    def __init__(self, readings: Readings, moment: float, span_s: float) -> None:
        self.readings, self._moment, self._span_s = readings, moment, span_s
        self.first, self.last = readings.find(moment - span_s, moment)
        self._places: list[int] = []

    def covers(self, number: int, needed: int) -> bool:
        """Say whether values lie in so many of the span's tenths."""
        # Windows that have only begun are the many: what lies within too few tenths of now cannot fill enough of them.
        oldest = self.readings.times[self.first]
        if oldest > self._moment - self._span_s * (needed - 1) / TENTHS:
            return False
        if not self._places:
            self._places = self.readings.cut(self._moment - self._span_s, self._moment, TENTHS)
        count = self.readings.count
        return sum(count(number, first, last) > 0 for first, last in pairwise(self._places)) >= needed


def _look(readings: Readings, window: Window, number: int, until: float, values: Mapping[str, float]) -> WindowState:
    after = until - window.span.total_seconds()
    column = readings.columns[number]
    places = readings.cut(after, until, TENTHS)
    held = [readings.times[place] for place in range(places[0], places[-1]) if not math.isnan(column[place])]
    return WindowState(
        window=window,
        value=values.get(window.name),
        after=datetime.fromtimestamp(after, UTC),
        until=datetime.fromtimestamp(until, UTC),
        readings_count=len(held),
        first_at=datetime.fromtimestamp(held[0], UTC) if held else None,
        last_at=datetime.fromtimestamp(held[-1], UTC) if held else None,
        filled_tenths=sum(readings.count(number, first, last) > 0 for first, last in pairwise(places)),
        needed_tenths=window.needed_tenths,
    )


def _measure(stretch: _Stretch, window: Window, number: int) -> float | None:
    readings, first, last = stretch.readings, stretch.first, stretch.last
    count = readings.count(number, first, last)
    if window.covers > 0 and not stretch.covers(number, window.needed_tenths):
        return None
    match window.aggregate:
        case Aggregate.COUNT:
            return float(count)
        case _ if count == 0:
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
