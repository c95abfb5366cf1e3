"""Why nobody was told: one rule over what came in a silent period, by the engine that runs live, watched all the way.

Nothing is guessed. The rule runs alone over the stored events of its kinds, from early enough before the period for its
windows and its ``for``, with time passing as on a partition that is read to its end.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from alerts.engine.stepping import Engine, Step
from alerts.inquiry.spy import Spy, Watched
from alerts.inquiry.tenures import Tenure
from alerts.inquiry.trace import Trace
from alerts.language.rule import Rule
from alerts.memory.partition import RuleFault
from alerts.rulebook.book import Rulebook
from alerts.world import World
from ioc.domain.alerts import AlertChange, ChangeType, StateKey
from ioc.domain.events import Event
from ioc.domain.kinds import KINDS

_EVENTS, _SIGNALS = "inquiry/events", "inquiry/signals"
_TICK = timedelta(minutes=1)
"""How time passes where nothing came: in steps that the engine does not take for a silence of its own."""

_LEAST_BEFORE, MOST_BEFORE = timedelta(hours=2), timedelta(days=31)
_AMONG_OTHERS = frozenset({"absence", "cluster", "coincidence", "on_time", "passage", "share", "spike"})
"""Conditions that need all assets of a kind; other rules with signals need their asset, and all of other kinds."""


class Reason(enum.StrEnum):
    """Why nobody was told, or what else is to be known of it; the order is that in which reasons lead."""

    RULE_UNKNOWN = "rule_unknown"
    RETIRED = "retired"
    ASSET_UNKNOWN = "asset_unknown"
    SHADOW = "shadow"
    LIMIT_NOT_EFFECTIVE = "limit_not_effective"
    FIRED = "fired"
    FIRES_NOW = "fires_now"
    NO_READINGS = "no_readings"
    TOO_LATE = "too_late"
    OUT_OF_ORDER = "out_of_order"
    RULE_FAILED = "rule_failed"
    BAD_QUALITY = "bad_quality"
    PENDING = "pending"
    WINDOW_NOT_FILLED = "window_not_filled"
    LEVEL_NOT_REACHED = "level_not_reached"
    QUANTITY_MISSING = "quantity_missing"
    OUTSIDE = "outside"
    GAP_RESTARTED = "gap_restarted"
    NOT_MET = "not_met"
    NOT_IN_FORCE = "not_in_force"
    CHANGED_FILE = "changed_file"


Fact = str | int | float | bool | datetime | timedelta | None | Sequence["Fact"] | Mapping[str, "Fact"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A reason with its facts. One that is decisive explains the silence alone; others are worth knowing beside it.

    ``stretch`` is the place of the stretch of the period that it is about; None: it is about all of it.
    """

    reason: Reason
    is_decisive: bool
    facts: Mapping[str, Fact]
    stretch: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked: ``asset_id`` is None for rules over a unit, a zone or the province.

    ``asset_kinds`` are the kinds that the asset is known to send, in the period or ever; empty where none is known.
    """

    rule_id: str
    asset_id: str | None
    start: datetime
    end: datetime
    asset_kinds: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A value of the course with the limit of its day, where there is one."""

    at: datetime
    value: float
    limit: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch in which a level held; ``fired`` where it held for long enough."""

    severity: str
    since: datetime
    until: datetime
    fired: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A part of the period with what was in force in it, and whether the silence in it is explained."""

    start: datetime
    end: datetime
    tenure: Tenure
    is_explained: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The reasons, the decisive ones first, and the course of the value that matters most, thinned out.

    ``rule`` is the one that was in force last in the period, ``stretches`` all that were, each judged by itself. What
    ``unreadable_files`` of the archive held was not looked at.
    """

    question: Question
    rule: Rule | None
    findings: Sequence[Finding]
    stretches: Sequence[Stretch] = ()
    events_count: int = 0
    quantity: str | None = None
    course: Sequence[Point] = ()
    spans: Sequence[Span] = ()
    unreadable_files: Sequence[str] = ()

    @property
    def is_explained(self) -> bool:
        """Whether every stretch of the period is; where there is none, what was found of the rule."""
        if self.stretches:
            return all(stretch.is_explained for stretch in self.stretches)
        return bool(self.findings) and self.findings[0].is_decisive


def arrange(findings: Sequence[Finding]) -> list[Finding]:
    """Put findings in order: the decisive first, each in the order of the reasons, then of the stretches."""
    order = list(Reason)
    return sorted(findings, key=lambda found: (not found.is_decisive, order.index(found.reason), found.stretch or 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Events that an inquiry needs: of some kinds, of some assets or of all (None)."""

    kinds: tuple[str, ...]
    asset_ids: tuple[str, ...] | None


class Inquiry:
    """One rule over one period.

    Args:
        rule: the rule that is asked about, as it was in force in the period.
        question: what is asked.
        world: what rules know of the province.
    """

    def __init__(self, rule: Rule, question: Question, world: World) -> None:
        self.rule, self.question, self.world = rule, question, world
        self.trace = Trace(rule, question.asset_id, question.start, question.end)
        watched = Watched(rule.condition, self.trace)
        self._spies: Sequence[Spy] = watched.spies
        evaluator = rule.condition.bind(rule, 0, world)
        self._is_alone = not hasattr(evaluator, "on_signal")
        self._is_among_others = rule.condition_name in _AMONG_OTHERS or getattr(evaluator, "counts_others", False)
        self._engine = Engine(Rulebook([replace(rule, condition=watched)]), world)
        self._clock: datetime | None = None
        self._moments = [question.start, question.end]
        self._state: dict[str, dict[StateKey, bytes]] = {_EVENTS: {}, _SIGNALS: {}}
        self.events_count = 0
        self.fired: list[AlertChange] = []
        self._open: dict[UUID, AlertChange] = {}
        self.faults: list[RuleFault] = []
        self.faults_count = 0

    @property
    def is_about_an_asset(self) -> bool:
        """Whether the rule looks at one asset alone, so that the question must name it."""
        return self._is_alone

    @property
    def needs(self) -> list[Need]:
        """Say which events to read: of the asset where the rule looks at it alone, else of all in its scope."""
        asset_id, names = self.question.asset_id, [kind.KIND for kind in self.rule.condition.kinds]
        if asset_id is None or self._is_among_others:
            return [Need(kinds=tuple(names), asset_ids=None)]
        own = asset_id.partition(".")[0]
        mine = tuple(name for name in names if self._is_alone or KINDS[name].asset_class == own)
        others = tuple(name for name in names if name not in mine)
        found = [Need(kinds=mine, asset_ids=(asset_id,))] if mine else []
        return [*found, Need(kinds=others, asset_ids=None)] if others else found

    @property
    def reads_from(self) -> datetime:
        """How early the events must begin, so that windows are filled and a ``for`` has run by the period's start."""
        condition = self.rule.condition
        spans = [*_spans_of(condition), self.rule.lateness, getattr(condition, "reaches_back", timedelta(0))]
        before = max(spans) + max((level.hold_for for level in condition.levels), default=timedelta(0)) + self.rule.gap
        return self.question.start - min(max(before, _LEAST_BEFORE), MOST_BEFORE)

    @property
    def reads_until(self) -> datetime:
        """How late they may end: a reading of the period that came late is told from one that never came."""
        return self.question.end + (timedelta(days=1) if self._is_alone else self.rule.lateness)

    def follow(self, before: Inquiry) -> None:
        """Go on where another version of the rule ends, as a worker does that takes over newer rules."""
        for partition in (_EVENTS, _SIGNALS):
            self._state[partition] = before._state[partition]
            self._engine.inherit(partition, self._state[partition], before._engine)
        self._clock, self._open = before._clock, before._open

    def witness(self, event: Event) -> None:
        """Take note of a reading of the period that came when another version was in force already."""
        self.trace.witnessed(event)

    def take(self, events: Sequence[Event]) -> None:
        """Step over the next events, in the order of their arrival."""
        self.events_count += len(events)
        first = 0
        for place, event in enumerate(events):
            clock = self._clock or event.received_at
            is_moment = bool(self._moments) and event.received_at > self._moments[0]
            if event.received_at - clock > _TICK or is_moment:
                self._step(events[first:place])
                first = place
                self._wait(event.received_at)
            self._clock = max(clock, event.received_at)
        self._step(events[first:])

    def finish(self) -> None:
        """Let time pass to the end of the period: silence has an end as well."""
        if self._clock is not None:
            self._wait(self.question.end)
        for spy in self._spies:
            spy.look_at_end(self.question.end)

    def _wait(self, until: datetime) -> None:
        clock = self._clock or until
        self._ask(clock)
        while clock < until:
            clock = min([clock + _TICK, until, *self._moments[:1]])
            self._settle(self._keep(_EVENTS, self._engine.advance(_EVENTS, clock)), clock)
            self._ask(clock)
        self._clock = clock

    def _ask(self, clock: datetime) -> None:
        """At the beginning and at the end of the period, ask the condition how near it is, though nothing moves."""
        while self._moments and clock >= self._moments[0]:
            if self._moments.pop(0) == self.question.start:
                # What fired before the period and goes on in it is no silence either.
                self.fired += [change for change in self._open.values() if self._is_mine(change)]
            for spy in self._spies:
                spy.ask_everywhere()

    def _is_mine(self, change: AlertChange) -> bool:
        asset_id = self.question.asset_id
        is_of_asset = asset_id is None or change.asset_id in {asset_id, None}
        return is_of_asset and not self.trace.is_elsewhere(change.labels)

    def _step(self, events: Sequence[Event]) -> None:
        if events:
            step = self._keep(_EVENTS, self._engine.step(_EVENTS, events))
            self._settle(step, events[-1].received_at)

    def _settle(self, step: Step, now: datetime) -> None:
        signals = sorted(step.signals, key=lambda signal: (signal.event.received_at, signal.scope))
        self._keep(_SIGNALS, self._engine.step(_SIGNALS, signals))
        self._keep(_SIGNALS, self._engine.advance(_SIGNALS, now))

    def _keep(self, partition: str, step: Step) -> Step:
        """Take note of what a step made, and keep its state as a store does."""
        for key, kept in step.state.items():
            if kept is None:
                self._state[partition].pop(key, None)
            else:
                self._state[partition][key] = kept
        for change in step.changes:
            if change.type is ChangeType.RESOLVED:
                self._open.pop(change.alert_id, None)
                if change.decided_at <= self.question.start:
                    self.fired = [fired for fired in self.fired if fired.alert_id != change.alert_id]
            elif change.type is ChangeType.FIRED:
                self._open[change.alert_id] = change
                # A rule about lasting fires in the period on a report from before it.
                times = change.observed_at, change.decided_at
                if self._is_mine(change) and any(self.question.start <= at <= self.question.end for at in times):
                    self.fired.append(change)
        mine = [fault for fault in step.rule_errors if self.question.start <= fault.at <= self.reads_until]
        self.faults_count += len(mine)
        self.faults += mine[: max(0, 1 - len(self.faults))]
        return step


def _spans_of(value: object) -> list[timedelta]:
    """Give every duration that stands anywhere in a condition."""
    if isinstance(value, timedelta):
        return [value]
    if is_dataclass(value) and not isinstance(value, type):
        return [span for item in fields(value) for span in _spans_of(getattr(value, item.name))]
    if isinstance(value, Mapping):
        return [span for item in value.values() for span in _spans_of(item)]
    if isinstance(value, tuple | list | frozenset):
        return [span for item in value for span in _spans_of(item)]
    return []
