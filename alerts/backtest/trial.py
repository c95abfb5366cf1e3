"""Backtest: draft rules over what was, with the engine that runs live, beside what the active rules give.

Time is the events' own arrival, so a month takes seconds. Nothing is stored and nobody is told.

One partition stands for all of the log's, and may remember what all of them may. Decisions follow log time and the
order of arrival of each asset and scope, so they are the same, but for timers that ran on the machine's clock while the
log was read to its end: those fire with the arrival of the next event, or with ``pass_time``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import attrgetter

from alerts.backtest.scope import find_kinds, find_warm_up
from alerts.engine.stepping import JUMP, Engine, Step
from alerts.memory.crowding import MOST_THINGS
from alerts.memory.lookback import MOST_OF_RULE
from alerts.memory.partition import RuleFault, Stretch
from alerts.rulebook.book import Rulebook
from alerts.world import World
from ioc.domain.alerts import AlertChange, ChangeType, Severity
from ioc.domain.events import Event, Signal

EVENTS, SIGNALS = "backtest/events", "backtest/signals"
MOST_FAULTS = 100


_came_at = attrgetter("received_at")


def find_silences(arrivals: Sequence[datetime]) -> Iterator[int]:
    """Give the places of arrivals that came more than ``JUMP`` after the one before; they never go back.

    By halves: where two lie close together, nothing between them is looked at.
    """
    spans = [(0, len(arrivals) - 1)]
    while spans:
        first, last = spans.pop()
        if last <= first or arrivals[last] - arrivals[first] <= JUMP:
            continue
        if last - first == 1:
            yield last
        else:
            middle = (first + last) // 2
            spans += [(middle, last), (first, middle)]


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
    """One rulebook over a stream of events in the order of their arrival, of a log of so many ``partitions``."""

    def __init__(self, rulebook: Rulebook, world: World, *, partitions: int = 1) -> None:
        self._engine = Engine(
            rulebook, world, keeps_state=False,
            readings_limit=partitions * MOST_OF_RULE, things_limit=partitions * MOST_THINGS,
        )  # fmt: skip
        self._open: dict[bytes, Occurrence] = {}
        self._ended: list[Occurrence] = []
        self.faults: list[RuleFault] = []
        self.faults_count = 0
        self.reached_at: datetime | None = None
        self._beyond_at: datetime | None = None

    def heard_kinds(self) -> Mapping[str, timedelta]:
        """Name the kinds of which all rules only ask whether anything comes, each with the shortest silence noticed."""
        return {kind.KIND: silence for kind, silence in self._engine.heard_kinds().items()}

    def assure(self, speaking: Mapping[str, Sequence[Stretch]]) -> None:
        """Tell in which stretches assets speak of which not every reading is taken, until told again."""
        self._engine.assure(EVENTS, speaking)

    def take(self, events: Sequence[Event]) -> None:
        """Step over the next events, in the order of their arrival; no two of them, nor what was reached and the first,
        lie further apart than ``JUMP``.
        """
        if not events:
            return
        self.reached_at = events[-1].received_at
        self._pass_on(self._engine.step(EVENTS, events))

    def pass_time(self, to: datetime) -> None:
        """Let time go by although nothing came that these rules look at: others spoke, so the log was not silent."""
        at = self.reached_at
        while at is not None and at < to:
            at = self.reached_at = min(at + JUMP, to)
            self._pass_on(self._engine.advance(EVENTS, at))

    def jump(self, to: datetime) -> None:
        """Let time jump: nothing at all came, so the silence was ours and no asset is called silent for it."""
        if self.reached_at is not None and to > self.reached_at:
            self._reach_beyond(self.reached_at)
            self._advance_beyond(to)
            self.reached_at = to
            self._pass_on(self._engine.advance(EVENTS, to))

    def finish(self) -> list[Occurrence]:
        """Let timers run up to the last event and give every occurrence, in the order of their beginnings."""
        if self.reached_at is not None:
            self._pass_on(self._engine.advance(EVENTS, self.reached_at))
            self._reach_beyond(self.reached_at)
        found = [*self._ended, *self._open.values()]
        return sorted(found, key=lambda item: (item.started_at, item.rule_id, item.fingerprint))

    def _pass_on(self, step: Step) -> None:
        """Note what a step over the events made, and put its signals to the rules that look past one asset.

        Log time of those rules goes on with the signals and not with the ends of steps: where the stream is cut decides
        nothing.
        """
        self._note(step.changes, step.rule_errors)
        signals, first = step.signals, 0
        for place, signal in enumerate(signals):
            at = signal.event.received_at
            if self._beyond_at is None:
                self._beyond_at = at
            elif at > self._beyond_at:
                if at - self._beyond_at > JUMP:
                    self._hear(signals[first:place])
                    self._reach_beyond(at)
                    first = place
                self._beyond_at = at
        self._hear(signals[first:])

    def _hear(self, signals: Sequence[Signal]) -> None:
        """Step over signals."""
        if signals:
            step = self._engine.step(SIGNALS, signals)
            self._note(step.changes, step.rule_errors)

    def _reach_beyond(self, to: datetime) -> None:
        """Let time go by for the rules that look past one asset: that no signal came is no silence of the log."""
        while self._beyond_at is not None and self._beyond_at < to:
            self._advance_beyond(min(self._beyond_at + JUMP, to))

    def _advance_beyond(self, to: datetime) -> None:
        if self._beyond_at is not None:
            self._beyond_at = to
            step = self._engine.advance(SIGNALS, to)
            self._note(step.changes, step.rule_errors)

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


class Trial:
    """Draft rules beside those in force, over one stream. A rule that means the same in both runs once.

    Args:
        drafts: the rules to be tried.
        in_force: the rules in force; those without a draft of the same name are left aside.
        world: zones and names.
        partitions: how many the log has whose events these were.
    """

    def __init__(self, drafts: Rulebook, in_force: Rulebook, world: World, *, partitions: int = 1) -> None:
        versions = {rule.rule_id: rule.version for rule in drafts.rules}
        named = [rule for rule in in_force.rules if rule.rule_id in versions]
        other = [rule for rule in named if rule.version != versions[rule.rule_id]]
        self._shared = {rule.rule_id for rule in named} - {rule.rule_id for rule in other}
        self.draft = Run(drafts, world, partitions=partitions)
        self._runs, self._rules = [self.draft], [drafts.rules]
        self._active: Run | None = None
        if other:
            beside = Rulebook(other)
            self._active = Run(beside, world, partitions=partitions)
            self._runs.append(self._active)
            self._rules.append(beside.rules)
        self.kinds = find_kinds([*drafts.rules, *other])
        self.warm_up = find_warm_up([*drafts.rules, *other])

    @property
    def reached_at(self) -> datetime | None:
        """Arrival of the last event."""
        return self.draft.reached_at

    def heard_kinds(self) -> Mapping[str, timedelta]:
        """Name the kinds of which no rule asks more than whether anything comes, see ``Run.heard_kinds``."""
        heard = [run.heard_kinds() for run in self._runs]
        looked_at = {
            kind
            for rules, known in zip(self._rules, heard, strict=True)
            for kind in find_kinds(rules)
            if kind not in known
        }
        silences = [(kind, silence) for known in heard for kind, silence in known.items() if kind not in looked_at]
        return {kind: min(silence for name, silence in silences if name == kind) for kind, _ in silences}

    def assure(self, speaking: Mapping[str, Sequence[Stretch]]) -> None:
        """Tell in which stretches assets speak, see ``Run.assure``."""
        for run in self._runs:
            run.assure(speaking)

    def take(self, events: Sequence[Event], *, over: Callable[[datetime], None] | None = None) -> None:
        """Step over the next events.

        Args:
            events: in the order of their arrival.
            over: called before an event that came more than ``JUMP`` after all others, with its arrival: lets time
                reach it. If none is given, nothing at all came meanwhile, and time jumps.
        """
        if not events:
            return
        begins_at, first = self.reached_at or events[0].received_at, 0
        arrivals = [begins_at, *map(_came_at, events)]
        for place in find_silences(arrivals):
            self._step(events[first : place - 1])
            (over or self.jump)(arrivals[place])
            first = place - 1
        self._step(events[first:])

    def pass_time(self, to: datetime) -> None:
        """Let time go by, see ``Run.pass_time``."""
        for run in self._runs:
            run.pass_time(to)

    def jump(self, to: datetime) -> None:
        """Let time jump, see ``Run.jump``."""
        for run in self._runs:
            run.jump(to)

    def finish(self) -> tuple[list[Occurrence], list[Occurrence]]:
        """Give the occurrences of the drafts, and of the rules in force."""
        mine = self.draft.finish()
        theirs = [item for item in mine if item.rule_id in self._shared]
        if self._active is not None:
            theirs += self._active.finish()
        return mine, sorted(theirs, key=lambda item: (item.started_at, item.rule_id, item.fingerprint))

    def _step(self, events: Sequence[Event]) -> None:
        for run in self._runs:
            run.take(events)
