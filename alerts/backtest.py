"""Backtest: draft rules over what was, with the engine that runs live, beside what the active rules give.

Time is the events' own arrival, so a month takes seconds. Nothing is stored and nobody is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from alerts.engine import Engine
from alerts.memory import RuleFault
from alerts.rulebook import Rulebook
from alerts.world import World
from ioc.domain.alerts import AlertChange, ChangeType, Severity
from ioc.domain.events import Event

EVENTS, SIGNALS = "backtest/events", "backtest/signals"
MOST_FAULTS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """One alert from its firing to its end; ``severity`` is the highest that it reached. None: still open.

    ``observed_at`` is the time of the reading that tipped it, ``started_at`` when it was decided.
    """

    rule_id: str
    fingerprint: bytes
    asset_id: str | None
    unit_code: str | None
    title_vi: str
    title_en: str
    severity: Severity
    observed_at: datetime
    started_at: datetime
    ended_at: datetime | None = None

    def lasted(self, until: datetime) -> timedelta:
        """Give how long it was in alarm, up to an instant if it still is."""
        return (self.ended_at or until) - self.started_at


class Run:
    """One rulebook over a stream of events in the order of their arrival."""

    def __init__(self, rulebook: Rulebook, world: World) -> None:
        self._engine = Engine(rulebook, world)
        self._open: dict[bytes, Occurrence] = {}
        self._ended: list[Occurrence] = []
        self.faults: list[RuleFault] = []
        self.faults_count = 0
        self.reached_at: datetime | None = None

    def take(self, events: Sequence[Event]) -> None:
        """Step over the next events."""
        if not events:
            return
        step = self._engine.step(EVENTS, events)
        self._note(step.changes, step.rule_errors)
        signals = sorted(step.signals, key=lambda signal: (signal.event.received_at, signal.scope))
        beyond = self._engine.step(SIGNALS, signals)
        self._note(beyond.changes, beyond.rule_errors)
        self.reached_at = events[-1].received_at
        self._advance(SIGNALS, self.reached_at)

    def finish(self) -> list[Occurrence]:
        """Let timers run up to the last event and give every occurrence, in the order of their beginnings."""
        if self.reached_at is not None:
            self._advance(EVENTS, self.reached_at)
            self._advance(SIGNALS, self.reached_at)
        found = [*self._ended, *self._open.values()]
        return sorted(found, key=lambda item: (item.started_at, item.rule_id, item.fingerprint))

    def _advance(self, partition: str, to: datetime) -> None:
        later = self._engine.advance(partition, to)
        self._note(later.changes, later.rule_errors)

    def _note(self, changes: Iterable[AlertChange], faults: Sequence[RuleFault]) -> None:
        self.faults_count += len(faults)
        self.faults += faults[: max(0, MOST_FAULTS - len(self.faults))]
        for change in changes:
            if not change.shadow:
                self._follow(change)

    def _follow(self, change: AlertChange) -> None:
        known = self._open.get(change.fingerprint)
        if change.type is ChangeType.RESOLVED:
            if known is not None:
                self._ended.append(replace(known, ended_at=change.decided_at))
                del self._open[change.fingerprint]
            return
        if known is None:
            self._open[change.fingerprint] = Occurrence(
                rule_id=change.rule_id, fingerprint=change.fingerprint, asset_id=change.asset_id,
                unit_code=change.unit_code, title_vi=change.title_vi, title_en=change.title_en,
                severity=change.severity, observed_at=change.observed_at, started_at=change.decided_at,
            )  # fmt: skip
        elif change.severity.rank > known.severity.rank:
            self._open[change.fingerprint] = replace(known, severity=change.severity)


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
    """The whole difference: a line per rule and unit, and the first occurrences that only one side has."""

    lines: Sequence[Line]
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


def compare(draft: Sequence[Occurrence], active: Sequence[Occurrence], until: datetime | None) -> Comparison:
    """Compare what draft rules gave with what the active rules gave.

    Two occurrences are the same where one rule speaks of the same thing and they overlap in time.
    """
    end = until or datetime.max.replace(tzinfo=draft[0].started_at.tzinfo if draft else None)
    added, gone = _without(draft, active, end), _without(active, draft, end)
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
    return Comparison(lines=lines, added=added, gone=gone, until=until)


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
