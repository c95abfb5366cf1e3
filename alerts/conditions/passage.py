"""Passage: how long things take through a place, as a quantile of those that left it of late.

Each thing is timed where its own events are; its time goes to the place's partition of ``signals``, as an observation,
when it leaves. What is still inside has no time yet: rules about single things that stay too long are ``standing``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial

import msgspec

from alerts.announcement import asset_subject
from alerts.approaches import Approach, compare, compare_to_levels
from alerts.conditions.leveled import LeveledEvaluator
from alerts.conditions.window import compare_levels
from alerts.language.files import Table, note_others
from alerts.language.rule import PROVINCE_TIME, Level, Rule
from alerts.memory.partition import PartitionMemory
from alerts.memory.series import Series
from alerts.world import World
from ioc.domain.events import Event, Signal
from ioc.domain.grounds import Part
from ioc.domain.kinds import KINDS, Observation, Payload

HOURS = "passage_h"
_MOST_PASSAGES = 2_048
_LONGEST = timedelta(days=7)
"""A thing that has not left by then never will: its last step was lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A thing is inside from the first event with one of ``inside`` in the field ``step`` to the first with one of
    ``outside``; the place is named by the field ``place``. Levels look at ``passage_h``, the ``quantile`` of the hours
    of those that left within ``over``, at least ``least`` of them.
    """

    kinds: tuple[type[Payload], ...]
    levels: tuple[Level, ...]
    place: str
    step: str
    inside: frozenset[str]
    outside: frozenset[str]
    quantile: float
    over: timedelta
    least: int
    facts: frozenset[str] = field(default=frozenset({"count"}))

    def bind(self, rule: Rule, index: int, world: World) -> PassageEvaluator:
        """Make the evaluator."""
        return PassageEvaluator(rule, index, world, self)


def read_passage(table: Table) -> Passage:
    """Read the keys of a passage rule."""
    kind = table.kind("on")
    fields = [item.name for item in KINDS[kind.KIND].fields]
    names = {key: table.text(key) for key in ("place", "step")}
    for key, name in names.items():
        if name and name not in fields:
            table.fault(f"{key}: no field {name!r}; there are {', '.join(fields)}")
    quantile, least = table.number("quantile", 0.9), int(table.number("least", 5))
    if not 0 < quantile <= 1:
        table.fault("quantile: above 0 up to 1")
    levels = table.levels("levels", kind, [HOURS])
    note_others(table, levels, HOURS)
    return Passage(
        kinds=(kind, Observation),
        levels=levels,
        place=names["place"],
        step=names["step"],
        inside=frozenset(table.words("inside")),
        outside=frozenset(table.words("outside")),
        quantile=quantile,
        over=table.duration("over"),
        least=least,
    )


class PassageState(Series, kw_only=True, omit_defaults=True):
    """Of a thing: since when it has been inside. Of a place: who left it when, after how many hours."""

    since: datetime | None = None
    left: dict[str, tuple[float, float]] = msgspec.field(default_factory=dict)

    @property
    def is_shared(self) -> bool:
        """It is what several have in common, where it is a place's."""
        return self.since is None


class PassageEvaluator(LeveledEvaluator):
    """Times things where their own events are, judges places where the times meet."""

    state_type = PassageState

    def __init__(self, rule: Rule, index: int, world: World, condition: Passage) -> None:
        super().__init__(rule, index, world)
        self._condition = condition
        self._scope = f"passage:{rule.rule_id}:"

    def on_event(self, memory: PartitionMemory, event: Event, zones: tuple[str, ...]) -> None:
        """Begin or end the time of a thing."""
        if isinstance(event.data, Observation):
            return
        mine = memory.series[self.index]
        state, step = mine.get(event.asset_id), getattr(event.data, self._condition.step)
        if step in self._condition.inside and state is None:
            state = mine[event.asset_id] = PassageState(shape=self.rule.condition_name, since=event.observed_at)
            memory.wake_at(event.observed_at + _LONGEST, self.index, event.asset_id)
        elif step in self._condition.outside and isinstance(state, PassageState) and state.since is not None:
            hours = (event.observed_at - state.since) / timedelta(hours=1)
            told = msgspec.structs.replace(event, data=Observation(quantity=HOURS, value=hours))
            place = getattr(event.data, self._condition.place)
            memory.signals.append(Signal(scope=f"{self._scope}{self._condition.place}.{place}", event=told))
            del mine[event.asset_id]
        else:
            return
        memory.dirty.add((self.index, event.asset_id))

    def on_signal(self, memory: PartitionMemory, scope: str, event: Event) -> None:
        """Take the time of a thing that has left, and judge the place."""
        if not scope.startswith(self._scope) or not isinstance(event.data, Observation):
            return
        state = memory.series[self.index].get(scope)
        if not isinstance(state, PassageState):
            state = memory.series[self.index][scope] = PassageState(shape=self.rule.condition_name)
        passed = (event.observed_at.timestamp(), event.data.value)
        if state.left.get(event.asset_id) == passed:
            return
        state.left[event.asset_id] = passed
        newest_s = max(at for at, _ in state.left.values())
        self._forget(state, newest_s)
        memory.dirty.add((self.index, scope))
        if event.received_at - event.observed_at > self.rule.lateness or len(state.left) < self._condition.least:
            return
        hours, value = state.left.values(), self._quantile(state)
        verdicts = compare_levels(
            self._condition.levels, {HOURS: value}, event.observed_at.astimezone(PROVINCE_TIME).date()
        )
        if verdicts is not None:
            place_id, at = scope.removeprefix(self._scope), datetime.fromtimestamp(newest_s, UTC)
            subject = replace(
                asset_subject(self.world, event, None, count=float(len(hours))),
                labels=(("asset", place_id),),
                asset_id=place_id,
                asked=partial(self._compare, state, at),
            )
            self.judge(memory, scope, subject, verdicts, at)

    def _quantile(self, state: PassageState) -> float:
        hours = sorted(value for _, value in state.left.values())
        return hours[max(0, math.ceil(self._condition.quantile * len(hours)) - 1)]

    def approaches(self, memory: PartitionMemory, place: str, asset_id: str | None) -> Iterator[Approach]:
        """Say how long those that left a place took, and whether enough have left."""
        state, place_id = memory.series[self.index].get(place), place.removeprefix(self._scope)
        if not isinstance(state, PassageState) or not state.left or asset_id not in {None, place_id, *state.left}:
            return
        at = datetime.fromtimestamp(max(left_s for left_s, _ in state.left.values()), UTC)
        parts = tuple(self._compare(state, at))
        yield Approach(at, parts, place_id, None if asset_id in state.left else place_id)

    def _compare(self, state: PassageState, at: datetime) -> list[Part]:
        parts = [compare("left_count", float(len(state.left)), ">=", float(self._condition.least))]
        if parts[0].is_met:
            parts += compare_to_levels(self._condition.levels, {HOURS: self._quantile(state)}, at)
        return parts

    def _forget(self, state: PassageState, newest_s: float) -> None:
        over_s = self._condition.over.total_seconds()
        kept = sorted((left, key) for key, left in state.left.items() if left[0] > newest_s - over_s)[-_MOST_PASSAGES:]
        state.left = {key: left for left, key in kept}

    def on_timer(self, memory: PartitionMemory, key: str, due: datetime) -> None:
        """Forget a thing whose last step was lost; note a place of which nothing is heard."""
        state = memory.series[self.index].get(key)
        if not isinstance(state, PassageState) or state.since is None:
            super().on_timer(memory, key, due)
        elif state.since + _LONGEST <= due:
            del memory.series[self.index][key]
            memory.dirty.add((self.index, key))

    def resume(self, memory: PartitionMemory) -> None:
        """Set the timers of what was inside before a restart, and of alerts."""
        super().resume(memory)
        for key, state in memory.series[self.index].items():
            if isinstance(state, PassageState) and state.since is not None:
                memory.wake_at(state.since + _LONGEST, self.index, key)

    def new_series(self) -> PassageState:
        """Make the state of a place."""
        return PassageState(shape=self.rule.condition_name)

    def drop_if_idle(self, memory: PartitionMemory, key: str, series: Series) -> None:
        """Keep it: those that left are needed later."""
