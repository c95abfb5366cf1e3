"""How many things one partition remembers at most: a source that invents names must not fill the memory.

Beyond the bound those heard least recently are let go, some at once, so that a flood pays for it once in a while only.
Whatever has an open alert stays, and so does what several things have in common: the sums of a unit or a water. It is a
fault of the rules that lose something, which people see. Looked at between steps, never at an event.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from alerts.language.rule import Rule
from alerts.memory.partition import BEGINNING, PartitionMemory
from alerts.memory.series import Series

MOST_THINGS = 100_000
"""Things of one rule on one partition, and things of which the newest reading is held, of each kind."""

_KEPT, _GROWN = 7 / 8, 9 / 8
_PART = "\x1f"


def thin(memory: PartitionMemory, rules: Sequence[Rule], limit: int) -> None:
    """Let go of what is too much."""
    for index, series in enumerate(memory.series):
        if len(series) > limit and len(series) > memory.crowded_from.get(index, 0):
            _thin_series(memory, rules[index], index, limit)
    for kind, newest in memory.seen.get("", {}).items():
        if len(newest) > limit and len(newest) > memory.crowded_from.get(kind, 0):
            _thin_newest(memory, rules, kind, limit)


def _thin_series(memory: PartitionMemory, rule: Rule, index: int, limit: int) -> None:
    held = memory.series[index]
    loose = sorted(
        (_heard_at(memory, rule, key, series), key)
        for key, series in held.items()
        if not (series.is_open or series.is_shared)
    )
    gone = [key for _, key in loose[: _surplus(len(held), limit)]]
    for key in gone:
        del held[key]
        memory.dirty.add((index, key))
        memory.noted[index].pop(key, None)
    # Where nearly all of them are open it is not worth looking again at once.
    memory.crowded_from[index] = int(len(held) * _GROWN)
    reason = f"more than {limit} things: {len(gone)} that were heard least recently are let go, {len(held)} are left"
    memory.add_fault(rule.rule_id, gone[-1] if gone else "", reason)


def _thin_newest(memory: PartitionMemory, rules: Sequence[Rule], kind: type, limit: int) -> None:
    newest = memory.seen[""][kind]
    looking = [index for index, rule in enumerate(rules) if kind in rule.condition.kinds]
    is_open = {
        name
        for index in looking
        for key, series in memory.series[index].items()
        if series.is_open
        for name in (key, key.partition(_PART)[0])
    }
    loose = sorted((event.received_at, key) for key, event in newest.items() if key not in is_open)
    gone = [key for _, key in loose[: _surplus(len(newest), limit)]]
    for key in gone:
        del newest[key]
        memory.sent_for_all.pop(key, None)
        for index in looking:
            memory.noted[index].pop(key, None)
    memory.crowded_from[kind] = int(len(newest) * _GROWN)
    reason = f"readings of more than {limit} things: {len(gone)} that were heard least recently are let go"
    for index in looking:
        memory.add_fault(rules[index].rule_id, gone[-1] if gone else "", reason)


def _surplus(count: int, limit: int) -> int:
    return count - int(limit * _KEPT)


def _heard_at(memory: PartitionMemory, rule: Rule, key: str, series: Series) -> datetime:
    """Give when a thing was last heard, as far as its state or its newest reading tells: the same after a restart."""
    own, found = memory.seen.get("", {}), series.heard_until or BEGINNING
    for kind in rule.condition.kinds:
        newest = own.get(kind, {})
        event = newest.get(key) or newest.get(key.partition(_PART)[0])
        if event is not None and event.received_at > found:
            found = event.received_at
    return found
