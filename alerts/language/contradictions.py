"""Levels that contradict themselves or each other: an alert that never ends, a level that nobody will ever see.

Only plain comparisons of one quantity with numbers are judged; of others the form does not tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from alerts.language.rule import Comparison, Level


def find_clear_fault(level: Level) -> str | None:
    """Say why a level's ``clear`` cannot mean what it says beside its ``when``; None where it can."""
    for item in level.clear:
        when = [other for other in level.when if other.quantity == item.quantity]
        if len({other.is_upper for other in when}) != 1:
            continue  # another quantity, or one that may be too high and too low
        if item.is_upper is when[0].is_upper:
            return f"clear: {_write(item)} looks the same way as {_write(when[0])}, so an alert would not end"
        limits = [number for other in when for number in other.limit.numbers]
        if min(item.limit.numbers) > max(limits) if when[0].is_upper else max(item.limit.numbers) < min(limits):
            return f"clear: {_write(item)} has no effect, since it is so wherever {_write(when[0])} is not"
    return None


def find_hidden(levels: Sequence[Level]) -> Iterator[tuple[int, str]]:
    """Give the levels that are never seen, since a more severe one is reached wherever they are: index and why."""
    for index, level in enumerate(levels):
        for other in levels:
            if other.severity.rank > level.severity.rank and other.hold_for <= level.hold_for and _covers(other, level):
                yield (
                    index,
                    (
                        f"{level.severity} at {' or '.join(map(_write, level.when))} would never be seen:"
                        f" {other.severity} begins at {' or '.join(map(_write, other.when))}"
                    ),
                )
                break


def _covers(other: Level, level: Level) -> bool:
    return bool(level.when) and all(any(_follows(item, there) for there in other.when) for item in level.when)


def _follows(item: Comparison, there: Comparison) -> bool:
    """Say whether a second comparison holds wherever and whenever the first one does."""
    if item.quantity != there.quantity or item.is_upper is not there.is_upper:
        return False
    for day in (date.min, *item.limit.from_on, *there.limit.from_on):
        limit, other = item.limit.on(day), there.limit.on(day)
        if limit is None:
            continue
        if other is None:
            return False
        if limit == other:
            if len(there.operator) < len(item.operator):
                return False  # > there, >= here: at the limit itself only this one holds
        elif (limit > other) is not item.is_upper:
            return False
    return True


def _write(item: Comparison) -> str:
    return f"{item.quantity} {item.operator} {item.limit.numbers[-1]:g}"
