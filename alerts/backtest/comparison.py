"""What two backtests differ in: per rule and unit, and the occurrences that only one of them has or has otherwise."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from alerts.backtest.trial import Occurrence

_STILL_THE_SAME = timedelta(minutes=1)
"""By so much a beginning or an end may move before an occurrence counts as changed."""


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
    changed_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An occurrence that both sides have, but with another highest severity, another beginning or another end."""

    active: Occurrence
    draft: Occurrence


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The whole difference: a line per rule and unit, what was counted, the occurrences that only one side has, and
    those that changed.
    """

    lines: Sequence[Line]
    draft: Sequence[Occurrence]
    active: Sequence[Occurrence]
    added: Sequence[Occurrence]
    gone: Sequence[Occurrence]
    changed: Sequence[Change]
    until: datetime | None


_Pair = tuple[Occurrence, Occurrence | None]
"""An occurrence that is counted, and the one of the other side that is the same."""


class _Tally:
    """Firings and seconds in alarm per rule and unit; nothing where nothing was reached."""

    def __init__(self, occurrences: Iterable[Occurrence], until: datetime | None) -> None:
        self.firings: Counter[tuple[str, str | None]] = Counter()
        self.in_alarm: Counter[tuple[str, str | None]] = Counter()
        if until is None:
            return
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
    started at ``since`` or later, and in the unit if one is named, are counted; the others may still be the same. One
    that is the same as several is compared with the one beside which it lasted longest; those that are left are
    compared with it, so three that became one are three that changed.
    """
    end = until or datetime.max.replace(tzinfo=UTC)
    in_active, in_draft = _Side(active, end), _Side(draft, end)
    draft, active = ([item for item in side if _counts(item, since, unit_code)] for side in (draft, active))
    mine = [(item, in_active.find_same(item)) for item in draft]
    theirs = [(item, in_draft.find_same(item)) for item in active]
    added, gone = ([item for item, same in side if same is None] for side in (mine, theirs))
    changes = _find_changes(mine, theirs, end)
    return Comparison(
        lines=_to_lines(_Tally(draft, until), _Tally(active, until), added, gone, [item for item, _ in changes]),
        draft=draft, active=active, added=added, gone=gone, changed=[change for _, change in changes], until=until,
    )  # fmt: skip


def _to_lines(
    mine: _Tally, theirs: _Tally, added: Sequence[Occurrence], gone: Sequence[Occurrence], changed: Sequence[Occurrence]
) -> list[Line]:
    more, less, other = (Counter((item.rule_id, item.unit_code) for item in items) for items in (added, gone, changed))
    return [
        Line(
            rule_id=key[0], unit_code=key[1], firings_count=mine.firings[key], active_firings_count=theirs.firings[key],
            in_alarm=timedelta(seconds=mine.in_alarm[key]), active_in_alarm=timedelta(seconds=theirs.in_alarm[key]),
            added_count=more[key], gone_count=less[key], changed_count=other[key],
        )
        for key in sorted({*mine.firings, *theirs.firings}, key=lambda key: (key[0], key[1] or ""))
    ]  # fmt: skip


def _counts(item: Occurrence, since: datetime | None, unit_code: str | None) -> bool:
    return (since is None or item.started_at >= since) and unit_code in (None, item.unit_code)


def _find_changes(mine: Sequence[_Pair], theirs: Sequence[_Pair], end: datetime) -> list[tuple[Occurrence, Change]]:
    """Give what changed, each with the occurrence that is counted for it, in the order of the beginnings."""
    found = [(item, Change(active=same, draft=item)) for item, same in mine if same is not None]
    matched = {change.active for _, change in found}
    found += [
        (item, Change(active=item, draft=same)) for item, same in theirs if same is not None and item not in matched
    ]
    changed = [pair for pair in found if _differs(pair[1], end)]
    return sorted(changed, key=lambda pair: (pair[0].started_at, pair[0].rule_id, pair[0].fingerprint))


def _differs(change: Change, end: datetime) -> bool:
    active, draft = change.active, change.draft
    return active.severity is not draft.severity or max(_find_moves(active, draft, end)) > _STILL_THE_SAME


def _find_moves(one: Occurrence, other: Occurrence, end: datetime) -> tuple[timedelta, timedelta]:
    """Say how far apart two occurrences begin, and end."""
    return abs(one.started_at - other.started_at), abs((one.ended_at or end) - (other.ended_at or end))


class _Side:
    """The occurrences of one side. Those of one thing follow one another, for it has one alert at a time."""

    def __init__(self, occurrences: Sequence[Occurrence], end: datetime) -> None:
        self._end = end
        self._by_identity: dict[tuple[str, bytes], list[Occurrence]] = {}
        for item in sorted(occurrences, key=lambda item: (item.started_at, item.ended_at or end)):
            self._by_identity.setdefault((item.rule_id, item.fingerprint), []).append(item)

    def find_same(self, item: Occurrence) -> Occurrence | None:
        """Give the one that overlaps another side's occurrence longest, the nearest of those equally long."""
        known, end = self._by_identity.get((item.rule_id, item.fingerprint), []), item.ended_at or self._end
        first = bisect_left(known, item.started_at, key=lambda other: other.ended_at or self._end)
        best: Occurrence | None = None
        best_rank = (timedelta(0), timedelta(0))
        for other in known[first:]:
            if other.started_at > end:
                break
            overlap = min(end, other.ended_at or self._end) - max(item.started_at, other.started_at)
            rank = overlap, -sum(_find_moves(item, other, self._end), timedelta(0))
            if best is None or rank > best_rank:
                best, best_rank = other, rank
        return best
