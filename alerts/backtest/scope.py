"""What a backtest has to read: the kinds that its rules look at, and how far back they remember."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import timedelta

from alerts.language.rule import Rule

SHORTEST = timedelta(hours=1)
LONGEST = timedelta(days=8)
"""As for windows: further back no rule looks, but for reports that stand until the next one."""
_OWN_MEMORY = {"index": timedelta(hours=24), "vessel_squall": timedelta(hours=12)}
"""Conditions whose memory stands in no key of theirs."""


def find_kinds(rules: Iterable[Rule]) -> tuple[str, ...]:
    """Name the kinds that rules look at, alone or together with what they forward."""
    return tuple(sorted({kind.KIND for rule in rules for kind in rule.condition.kinds}))


def find_warm_up(rules: Iterable[Rule]) -> timedelta:
    """Say how long rules must have watched before their decisions are those of rules that always ran.

    It is the longest span that stands anywhere in them: windows, ``for``, silences, ``keep``.
    """
    spans = [span for rule in rules for span in _spans_of(rule)]
    return min(LONGEST, max([SHORTEST, *spans]))


def _spans_of(rule: Rule) -> Iterator[timedelta]:
    yield from _spans_in(rule.condition)
    yield rule.keep_firing_for + rule.gap
    yield rule.silence
    if (own := _OWN_MEMORY.get(rule.condition_name)) is not None:
        yield own


def _spans_in(value: object) -> Iterator[timedelta]:
    if isinstance(value, timedelta):
        yield value
    elif is_dataclass(value):
        for item in fields(value):
            yield from _spans_in(getattr(value, item.name))
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _spans_in(part)
    elif isinstance(value, tuple | list | frozenset):
        for part in value:
            yield from _spans_in(part)
