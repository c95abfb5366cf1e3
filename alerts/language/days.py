"""Days from which a limit is in force, as rule files write them; each reading is judged by its own day."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from typing import Any, TypeGuard

import yaml

from alerts.language.documents import construct
from alerts.language.rule import Comparison, Limit

MOST = 1e12
"""No limit and no count of a rule is larger; a longer row of digits is a slip of the hand."""

_UNREADABLE = object()

Note = Callable[[str, yaml.Node], None]
"""Notes a mistake that stands at a node."""


def is_number(found: object) -> TypeGuard[float]:
    """Say whether it is a number that a rule can mean: finite, and no larger than anything that is measured."""
    return isinstance(found, int | float) and not isinstance(found, bool) and abs(found) <= MOST


def is_day(found: object) -> TypeGuard[date]:
    """Say whether it is a day, and not an instant."""
    return isinstance(found, date) and not isinstance(found, datetime)


def read_limit(node: yaml.Node, where: str, note: Note) -> Limit | None:
    """Read a limit by the days from which its values hold: ``{2023-09-12: 50, 2026-01-01: 45}``.

    Null ends it: from that day on there is none. Gives None where it has a mistake, which is noted.
    """
    if not isinstance(node, yaml.MappingNode) or not node.value:
        note(f"{where}: a mapping from the first day in force to the value", node)
        return None
    found: dict[date, float | None] = {}
    is_sound = True
    for day_node, value_node in node.value:
        day, value = _plain(day_node), _plain(value_node)
        if not is_day(day):
            note(f"{where}: a limit takes force on a day, such as 2026-01-01", day_node)
        elif day in found:
            note(f"{where}: {day} stands twice", day_node)
        elif value is not None and not is_number(value):
            note(f"{where}: from {day} on must be a number of ordinary size, or null where it ends", value_node)
        else:
            found[day] = None if value is None else float(value)
            continue
        is_sound = False
    if is_sound and all(value is None for value in found.values()):
        note(f"{where}: a number on one day at least", node)
        return None
    days = sorted(found)
    return Limit(values=tuple(found[day] for day in days), from_on=tuple(days)) if is_sound else None


def confine(item: Comparison, from_on: date | None, until_on: date | None) -> Comparison:
    """Give a comparison whose limit is in force from a day, and until one: that day itself it is not any more."""
    values, days = list(item.limit.values), list(item.limit.from_on)
    if not days and (from_on or until_on):
        days = [from_on or date.min]
    if until_on is not None:
        kept = sum(day < until_on for day in days)
        values, days = [*values[:kept], None], [*days[:kept], until_on]
    return replace(item, limit=Limit(values=tuple(values), from_on=tuple(days)))


def _plain(node: yaml.Node) -> Any:
    try:
        return construct(node)
    except (yaml.YAMLError, ValueError, OverflowError, TypeError):
        return _UNREADABLE
