"""Aggregates over event time, as rules name them: the sum of twelve hours of rain, the mean of a day."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import timedelta

from alerts.language.files import Table
from alerts.language.rule import Comparison, gained
from ioc.domain.kinds import KINDS, Payload

LONGEST = timedelta(days=8)
MOST_READINGS = 4_096
"""Per asset and rule; beyond it the oldest go, and the windows that need them have no value."""


class Aggregate(enum.StrEnum):
    """How a window's readings become one value; ``RISE`` is the newest minus the oldest."""

    SUM = "sum"
    MEAN = "mean"
    MIN = "min"
    MAX = "max"
    COUNT = "count"
    RISE = "rise"
    P90 = "p90"


TENTHS = 10
"""How finely it is seen where in a window readings lie."""
_NEEDS_COVER = {Aggregate.MEAN: 0.7, Aggregate.RISE: 0.9, Aggregate.P90: 0.7}
_GROWING = frozenset({Aggregate.SUM, Aggregate.COUNT})
"""Aggregates that are small as long as a window has not filled."""


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

    @property
    def needed_tenths(self) -> int:
        """In how many of its tenths readings must lie for it to have a value; 0 where it asks for no such thing."""
        return math.ceil(self.covers * TENTHS)


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
    aggregate = chosen[0] if chosen else Aggregate.MEAN
    span = entry.duration(aggregate.value, timedelta(hours=1))
    covers = entry.number("covers", _NEEDS_COVER.get(aggregate, 0.0))
    if entry.has("covers") and not 0 < covers <= 1:
        entry.fault("covers: a share of the window, above 0 up to 1", entry.node_of("covers"), can_run=True)
    tumbling = entry.flag("tumbling", default=False)
    if tumbling and timedelta(days=1) % span if span else False:
        entry.fault(f"window {name!r}: a day must be whole times a span that tumbles")
    entry.finish()
    return Window(name=name, quantity=quantity, aggregate=aggregate, span=span, covers=covers, tumbling=tumbling)


def note_unused(table: Table, windows: Iterable[Window], used: AbstractSet[str]) -> None:
    """Note in the table that has ``windows`` those that nothing asks for: what they are for does not happen."""
    part = table.table("windows", optional=True)
    if part is None:
        return
    for window in windows:
        if window.name not in used:
            what = f"window {window.name!r}: no level compares it and no text shows it; use it or leave it out"
            part.fault(what, part.node_of(window.name), can_run=True)


def find_window_fault(item: Comparison, windows: Iterable[Window]) -> str | None:
    """Say why a level's comparison of a window cannot mean what it says; None where it can, or is of no window."""
    window = next((window for window in windows if window.name == item.quantity), None)
    if window is None or window.aggregate not in _GROWING:
        return None
    if window.aggregate is Aggregate.COUNT and not _can_count(item):
        so = "never" if item.is_upper else "always"
        return f"{item.quantity} is {so} so: a window keeps {MOST_READINGS:,} readings; give a smaller number"
    if item.is_upper:
        return None
    if not window.covers:
        return f"{window.name} is small while its window fills; give the window `covers`, such as `covers: 0.9`"
    if window.aggregate is Aggregate.COUNT and not item.is_over(window.needed_tenths, item.easiest):
        return f"{window.name} is never so low, since `covers` asks for {window.needed_tenths} readings at least"
    return None


def _can_count(item: Comparison) -> bool:
    """Whether a count can come to the number that it is compared with, for each day's number."""
    if item.is_upper:
        return item.is_over(MOST_READINGS, max(item.limit.numbers))
    return not item.is_over(MOST_READINGS, min(item.limit.numbers))
