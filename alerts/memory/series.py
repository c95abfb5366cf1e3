"""The condition machine: one series per rule and identity, moved by evaluations only, never by time alone.

Prometheus semantics with several levels: each level has its own ``for`` and hysteresis; the highest level that has
held long enough gives the severity. Pure: every instant is passed in.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from alerts.language.rule import Level
from ioc.domain.alerts import AlertChange, ChangeType, ConditionState, ResolveReason, Severity

FLAP_WINDOW = 20
FLAP_TRANSITIONS = 4
STEADY_BELOW = 2
"""Flapping ends when this few transitions are left in the window: one limit for both would itself be crossed again
and again by a condition that turns every six evaluations."""

_FLAP_MASK = (1 << FLAP_WINDOW) - 1


class Series(msgspec.Struct, kw_only=True, omit_defaults=True):
    """State of one condition of one thing; what the store keeps between batches.

    ``active_at``, ``fired`` and ``reached_by``, the quantity with which a level held last, run parallel to the rule's
    levels; the last may be shorter. ``severities`` are theirs, for the rule may have others when its state is taken
    over; none before the first evaluation. ``flips`` is a bit per evaluation, newest lowest: 1 where the outcome
    changed; ``flip_count`` counts them since the alert began. ``top`` is the level that fired last. ``heard_at`` is
    when the reading came that was evaluated last, ``failed_at`` when the rule first failed on one after it while an
    alert was open. ``last`` is the newest change that was announced, None while none is open.
    """

    shape: str
    condition: ConditionState = ConditionState.INACTIVE
    active_at: list[datetime | None] = []
    fired: list[bool] = []
    reached_by: list[str] = []
    severities: tuple[Severity, ...] = ()
    started_at: datetime | None = None
    keep_since: datetime | None = None
    top: int = -1
    evaluated_at: datetime | None = None
    heard_at: datetime | None = None
    failed_at: datetime | None = None
    silent: bool = False
    was_true: bool = False
    flips: int = 0
    flip_count: int = 0
    flapping: bool = False
    last: AlertChange | None = None

    @property
    def is_open(self) -> bool:
        """Whether an alert of this series is open."""
        return self.last is not None

    @property
    def is_shared(self) -> bool:
        """Whether several things have it in common: there are few such, and they are never let go."""
        return False

    @property
    def heard_until(self) -> datetime | None:
        """When its thing was last heard, as far as it knows."""
        return max(filter(None, (self.heard_at, self.evaluated_at)), default=None)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is worth keeping."""
        return self.last is None and self.condition is ConditionState.INACTIVE and self.flips == 0


class Verdict(NamedTuple):
    """What one level says about one reading: whether it holds, and whether it may be left.

    Of a level that any of several quantities reaches, ``quantity`` is the one that does, and ``missing`` those that the
    reading does not tell.
    """

    holds: bool
    clears: bool
    value: float | None = None
    limit: float | None = None
    quantity: str = ""
    missing: tuple[str, ...] = ()


class Decision(NamedTuple):
    """What an evaluation decided, ready to be announced."""

    type: ChangeType
    condition: ConditionState
    severity: Severity
    value: float | None
    limit: float | None
    reason: ResolveReason | None = None


class Policy(NamedTuple):
    """The parts of a rule that the machine needs."""

    levels: Sequence[Level]
    keep: timedelta
    gap: timedelta


def evaluate(series: Series, policy: Policy, verdicts: Sequence[Verdict], at: datetime) -> Decision | None:
    """Move a series by one outcome per level at the instant ``at``; gives a decision when there is something to say."""
    levels = policy.levels
    if len(verdicts) != len(levels):
        raise ValueError(f"{len(verdicts)} verdicts on {len(levels)} levels")
    if len(series.active_at) != len(levels):
        _fit_to(series, levels)
    after_gap = series.evaluated_at is not None and at - series.evaluated_at > policy.gap
    series.evaluated_at = at
    is_true, active_at, fired = False, series.active_at, series.fired
    for index, verdict in enumerate(verdicts):
        if verdict.holds:
            is_true = True
            _hold(series, index, levels[index], at, after_gap=after_gap)
            _note_quantity(series, index, verdict.quantity)
        elif _is_unknown(series, index, verdict):
            is_true = is_true or fired[index]
        elif verdict.clears or not fired[index]:
            active_at[index], fired[index] = None, False
    has_turned = is_true is not series.was_true
    series.flips = ((series.flips << 1) | has_turned) & _FLAP_MASK
    series.flip_count += has_turned and series.is_open
    series.was_true = is_true
    top = _top_level(series, levels) if True in fired else None
    if top is not None and series.last is not None and _is_unknown(series, top, verdicts[top]):
        # What the reading tells is of other quantities: what was told of this one last stands.
        verdicts = [*verdicts]
        verdicts[top] = verdicts[top]._replace(value=series.last.value, limit=series.last.limit)
    series.flapping = (top is not None or series.is_open) and is_flapping(series)
    if top is not None:
        return _firing(series, levels[top].severity, verdicts[top], top)
    if is_true and series.last is not None:  # so some level holds
        return _go_on(series, levels, verdicts, series.last.severity)
    return _not_firing(series, policy, verdicts, at, after_gap=after_gap)


def _is_unknown(series: Series, index: int, verdict: Verdict) -> bool:
    """Whether a level held by a quantity of which the reading says nothing: silence does not end what was so."""
    by = series.reached_by
    return bool(verdict.missing) and not verdict.holds and index < len(by) and by[index] in verdict.missing


def _note_quantity(series: Series, index: int, quantity: str) -> None:
    by = series.reached_by
    if quantity and (index >= len(by) or by[index] != quantity):
        series.reached_by = [*by, *[""] * (index + 1 - len(by))]
        series.reached_by[index] = quantity


def _fit_to(series: Series, levels: Sequence[Level]) -> None:
    """Begin with these levels. An alert that is open when a rule gets other ones goes on with the nearest of them."""
    series.active_at = [None] * len(levels)
    series.fired = [False] * len(levels)
    series.reached_by = []
    series.severities = severities_of(levels)
    if series.last is not None and levels:
        rank = series.last.severity.rank
        series.top = min(range(len(levels)), key=lambda index: abs(levels[index].severity.rank - rank))
        series.active_at[series.top], series.fired[series.top] = series.last.started_at, True


def severities_of(levels: Sequence[Level]) -> tuple[Severity, ...]:
    """Give the severities of levels, in their order."""
    return tuple(level.severity for level in levels)


def carry_over(series: Series, old: Sequence[Severity], new: Sequence[Level]) -> None:
    """Let a series go on under other levels: what a severity has reached, and since when, stays with that severity."""
    if len(series.active_at) != len(old):
        return
    reached = {severity: place for place, severity in reversed(list(enumerate(old)))}
    places = [reached.get(level.severity) for level in new]
    was_top, by = series.top, series.reached_by
    series.reached_by = ["" if place is None or place >= len(by) else by[place] for place in places] if by else []
    series.active_at, series.fired = (
        [None if place is None else series.active_at[place] for place in places],
        [place is not None and series.fired[place] for place in places],
    )
    series.top = next((index for index, place in enumerate(places) if place == was_top), -1)
    series.severities = severities_of(new)
    if series.last is not None and not any(series.fired):
        _fit_to(series, new)


def _hold(series: Series, index: int, level: Level, at: datetime, *, after_gap: bool) -> None:
    """Let a level hold at an instant; it fires when it has held for long enough."""
    active_at = series.active_at[index]
    if active_at is None or (after_gap and not series.fired[index]):
        series.active_at[index] = active_at = at
    is_back = index == series.top and series.condition is ConditionState.RECOVERING
    if is_back or at - active_at >= level.hold_for:
        series.fired[index] = True


def _top_level(series: Series, levels: Sequence[Level]) -> int | None:
    best: int | None = None
    for index, fired in enumerate(series.fired):
        if fired and (best is None or levels[index].severity.rank > levels[best].severity.rank):
            best = index
    return best


def _firing(series: Series, severity: Severity, verdict: Verdict, top: int) -> Decision:
    """Say that it fires; whether an unchanged alert is worth an entry is the announcer's to judge."""
    kind = ChangeType.UPDATED
    if series.last is None:
        kind = ChangeType.FIRED
        series.started_at, series.flip_count = series.active_at[top], 0
    elif series.last.severity is not severity:
        kind = ChangeType.SEVERITY
    series.condition, series.keep_since, series.top = ConditionState.FIRING, None, top
    value, limit = verdict.value, verdict.limit
    return Decision(kind, ConditionState.FIRING, severity, value, limit)


def _go_on(series: Series, levels: Sequence[Level], verdicts: Sequence[Verdict], was: Severity) -> Decision:
    """Keep an alert open while any level holds, though none has held for its own ``for``: that asks of what begins.

    It falls to the least of what holds. A level above what it was still waits for its time.
    """
    held = [index for index, verdict in enumerate(verdicts) if verdict.holds]
    least = min(held, key=lambda index: levels[index].severity.rank)
    if levels[least].severity.rank <= was.rank:
        series.fired[least] = True
        return _firing(series, levels[least].severity, verdicts[least], least)
    series.condition, series.keep_since = ConditionState.FIRING, None
    return Decision(ChangeType.UPDATED, ConditionState.FIRING, was, verdicts[least].value, verdicts[least].limit)


def _not_firing(
    series: Series, policy: Policy, verdicts: Sequence[Verdict], at: datetime, *, after_gap: bool
) -> Decision | None:
    if series.last is None:
        is_pending = series.active_at.count(None) < len(series.active_at)
        series.condition = ConditionState.PENDING if is_pending else ConditionState.INACTIVE
        return None
    if series.keep_since is None or after_gap:
        series.keep_since = at
    value, limit = verdicts[0].value, series.last.limit
    severity = series.last.severity
    if at - series.keep_since >= policy.keep and not series.flapping:
        end(series)
        return Decision(ChangeType.RESOLVED, ConditionState.INACTIVE, severity, value, limit, ResolveReason.CONDITION)
    if series.condition is ConditionState.RECOVERING:
        return Decision(ChangeType.UPDATED, ConditionState.RECOVERING, severity, value, limit)
    series.condition = ConditionState.RECOVERING
    return Decision(ChangeType.RECOVERING, ConditionState.RECOVERING, severity, value, limit)


def is_flapping(series: Series) -> bool:
    """Whether the outcome changed at least four times in the last twenty evaluations, or has not come to rest since."""
    return series.flips.bit_count() >= (STEADY_BELOW if series.flapping else FLAP_TRANSITIONS)


def rest(series: Series) -> None:
    """Let what the outcome did so far count no longer: nothing more is heard of it, or it does not swing by nature."""
    series.flips, series.flapping = 0, False


def end(series: Series) -> None:
    """Close the occurrence: what comes next is a new alert."""
    series.condition = ConditionState.INACTIVE
    series.started_at = series.keep_since = None
    series.active_at = [None] * len(series.active_at)
    series.fired = [False] * len(series.fired)
    series.reached_by = []
    series.silent = series.flapping = False
    series.top = -1
