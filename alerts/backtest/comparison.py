"""What two backtests differ in: per rule and unit, and the occurrences that only one of them has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from alerts.backtest.trial import Occurrence


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What a draft rule did in one unit, beside the active rule of the same id."""

    rule_id: str
    unit_code: str | None
    firings_count: int
    active_firings_count: int
    in_alarm: timedelta
    active_in_alarm: timedelta
    added_count: int
    gone_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The whole difference: a line per rule and unit, what was counted, and the occurrences that only one side has."""

    lines: Sequence[Line]
    draft: Sequence[Occurrence]
    active: Sequence[Occurrence]
    added: Sequence[Occurrence]
    gone: Sequence[Occurrence]
    until: datetime | None


@dataclass(slots=True)
class _Tally:
    firings: Counter[tuple[str, str | None]] = field(default_factory=Counter)
    in_alarm: Counter[tuple[str, str | None]] = field(default_factory=Counter)

    def add(self, occurrences: Iterable[Occurrence], until: datetime) -> None:
        for item in occurrences:
            key = item.rule_id, item.unit_code
            self.firings[key] += 1
            self.in_alarm[key] += round(item.lasted(until).total_seconds())


def compare(
    draft: Sequence[Occurrence],
    active: Sequence[Occurrence],
    until: datetime | None,
    *,
    since: datetime | None = None,
    unit_code: str | None = None,
) -> Comparison:
    """Compare what draft rules gave with what the active rules gave.

    Two occurrences are the same where one rule speaks of the same thing and they overlap in time. Only those that
    started at ``since`` or later, and in the unit if one is named, are counted; the others may still be the same.
    """
    end = until or datetime.max.replace(tzinfo=UTC)
    mine_counted = [item for item in draft if _counts(item, since, unit_code)]
    theirs_counted = [item for item in active if _counts(item, since, unit_code)]
    added, gone = _without(mine_counted, active, end), _without(theirs_counted, draft, end)
    draft, active = mine_counted, theirs_counted
    mine, theirs = _Tally(), _Tally()
    if until is not None:
        mine.add(draft, until)
        theirs.add(active, until)
    more, less = (Counter((item.rule_id, item.unit_code) for item in items) for items in (added, gone))
    keys = sorted({*mine.firings, *theirs.firings}, key=lambda key: (key[0], key[1] or ""))
    lines = [
        Line(
            rule_id=key[0], unit_code=key[1], firings_count=mine.firings[key], active_firings_count=theirs.firings[key],
            in_alarm=timedelta(seconds=mine.in_alarm[key]), active_in_alarm=timedelta(seconds=theirs.in_alarm[key]),
            added_count=more[key], gone_count=less[key],
        )
        for key in keys
    ]  # fmt: skip
    return Comparison(lines=lines, draft=draft, active=active, added=added, gone=gone, until=until)


def _counts(item: Occurrence, since: datetime | None, unit_code: str | None) -> bool:
    return (since is None or item.started_at >= since) and unit_code in (None, item.unit_code)


def _without(items: Sequence[Occurrence], others: Sequence[Occurrence], end: datetime) -> list[Occurrence]:
    """Give the items that no other overlaps."""
    by_identity: dict[tuple[str, bytes], list[Occurrence]] = {}
    for other in others:
        by_identity.setdefault((other.rule_id, other.fingerprint), []).append(other)
    return [
        item
        for item in items
        if not any(
            other.started_at <= (item.ended_at or end) and item.started_at <= (other.ended_at or end)
            for other in by_identity.get((item.rule_id, item.fingerprint), ())
        )
    ]
