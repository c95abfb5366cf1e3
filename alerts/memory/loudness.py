"""How long a reading may keep windows over a limit: until then they are looked into, and not at all where none can be.

A mean, a least, a most or a percentile lies between the readings that it is made of. As long as no reading of a window
was over the limit, none of these is, and nothing need be summed to know it. Sums, counts and rises may be anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from alerts.language.rule import Level
from alerts.language.windows import Aggregate, Window
from alerts.memory.readings import Readings

_BETWEEN = frozenset({Aggregate.MEAN, Aggregate.MIN, Aggregate.MAX, Aggregate.P90})
_SHARE, _LEAST = 1e-9, 1e-6
"""Readings this near to a limit are loud: sums are of millionths, and a quotient may lie a hair above what it is of."""


class _Mark(NamedTuple):
    number: int
    is_upper: bool
    loud_from: float
    reach_s: float


class Loudness:
    """What is loud for the levels of one rule. ``is_known`` tells whether that can be said of its windows at all.

    Args:
        windows: the windows of the rule.
        levels: what they are compared with.
        quantities: the columns of the rule's readings, in their order.
    """

    def __init__(self, windows: Sequence[Window], levels: Sequence[Level], quantities: Sequence[str]) -> None:
        by_name = {window.name: window for window in windows}
        items = [item for level in levels for item in level.when]
        named = [(item, by_name[item.quantity]) for item in items if item.quantity in by_name]
        self.is_known = len(named) == len(items) > 0 and all(window.aggregate in _BETWEEN for _, window in named)
        self._marks = tuple(
            _Mark(
                quantities.index(window.quantity),
                item.is_upper,
                item.easiest - (1 if item.is_upper else -1) * max(_LEAST, _SHARE * abs(item.easiest)),
                # While a tumbling span runs, the whole one before it is looked at.
                window.span.total_seconds() * (2 if window.tumbling else 1),
            )
            for item, window in (named if self.is_known else ())
        )

    def until(self, moment: float, values: Sequence[float | None]) -> float:
        """Give the epoch second up to which a reading may keep a window over a limit; minus infinity: at no time."""
        found = -math.inf
        for number, is_upper, loud_from, reach_s in self._marks:
            value = values[number]
            if value is not None and (value >= loud_from if is_upper else value <= loud_from):
                found = max(found, moment + reach_s)
        return found

    def until_now(self, readings: Readings) -> float:
        """Work the same out for all readings that are held: after a restart nobody knows it."""
        rows = zip(readings.times, *readings.columns, strict=True)
        return max((self.until(moment, values) for moment, *values in rows), default=-math.inf)
