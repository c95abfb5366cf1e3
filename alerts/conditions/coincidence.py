"""Coincidence: two hazards at once in one area are worse than either; the alert is one level above the worse of them.

Each hazard is looked at where its stations' own readings are; its level goes to one partition of ``signals`` when it
changes, and every half an hour while it lasts. There hazards near each other are found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import msgspec

from alerts.announcement import asset_subject
from alerts.approaches import Approach, compare
from alerts.conditions.endings import is_to_end, timed_policy, wake_to_end
from alerts.conditions.hazards import IN, LADDER, Hazard, HazardFinder, Told, read_hazard
from alerts.conditions.leveled import LeveledEvaluator
from alerts.language.files import Table
from alerts.language.rule import Level, Rule
from alerts.memory.partition import PartitionMemory
from alerts.memory.series import Series, Verdict
from alerts.world import World
from geo.distance import distance_m
from ioc.domain.alerts import Severity
from ioc.domain.events import Event
from ioc.domain.grounds import Part
from ioc.domain.kinds import Observation, Payload

_GOOD_FOR = timedelta(hours=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coincidence:
    """At least two different hazards within ``near_km`` of each other; one alert for the province, naming them."""

    kinds: tuple[type[Payload], ...]
    levels: tuple[Level, ...]
    hazards: Mapping[str, Hazard]
    near_km: float
    facts: frozenset[str] = field(default=frozenset({"hazards_vi", "hazards_en", "count"}))

    def bind(self, rule: Rule, index: int, world: World) -> CoincidenceEvaluator:
        """Make the evaluator."""
        return CoincidenceEvaluator(rule, index, world, self)


def read_coincidence(table: Table) -> Coincidence:
    """Read the keys of a coincidence rule."""
    hazards: dict[str, Hazard] = {}
    part = table.table("hazards")
    for name in part.names if part is not None else ():
        own = part.table(name) if part is not None else None
        if own is not None:
            hazards[name] = read_hazard(own)
            own.finish()
    if len(hazards) < 2:
        table.fault("hazards: at least two")
    worst = {severity for hazard in hazards.values() for severity in (level.severity for level in hazard.levels)}
    raised = sorted({_raise(severity) for severity in worst}, key=lambda severity: severity.rank)
    kinds = tuple(dict.fromkeys(hazard.kind for hazard in hazards.values()))
    return Coincidence(
        kinds=(*kinds, Observation),
        levels=tuple(Level(severity=severity) for severity in raised),
        hazards=hazards,
        near_km=table.number("near_km"),
    )


def _raise(severity: Severity) -> Severity:
    return LADDER[min(LADDER.index(severity) + 1, len(LADDER) - 1)] or severity


class Coinciding(Series, kw_only=True, omit_defaults=True, tag_field="is", tag="coinciding"):
    """The hazards there are now, by station and hazard, and the last that was told."""

    now: dict[str, Event] = msgspec.field(default_factory=dict)
    event: Event | None = None

    @property
    def is_shared(self) -> bool:
        """It is what several have in common."""
        return True


class CoincidenceEvaluator(LeveledEvaluator):
    """Measures hazards per station, and brings them together."""

    state_type: Any = Told | Coinciding
    looks_back = True

    def __init__(self, rule: Rule, index: int, world: World, condition: Coincidence) -> None:
        super().__init__(rule, index, world)
        self._policy = timed_policy(rule)
        self._condition = condition
        self._scope = f"coincidence:{rule.rule_id}"
        self._finder = HazardFinder(rule, index, self._scope, condition.hazards)

    def on_event(self, memory: PartitionMemory, event: Event, zones: tuple[str, ...]) -> None:
        """Take a reading in where the station's own are."""
        self._finder.take(memory, event)

    def on_late(self, memory: PartitionMemory, event: Event) -> None:
        """Take a reading that came out of order into its window."""
        self._finder.take_late(memory, event)

    def restore_part(self, memory: PartitionMemory, key: str, part: int, kept: bytes) -> bool:
        """Take back a part of a station's readings; False when no hazard looks back on them."""
        return self._finder.restore_part(memory, key, part, kept)

    # Where hazards meet

    def on_signal(self, memory: PartitionMemory, scope: str, event: Event) -> None:
        """Take a hazard's level in, and look what coincides."""
        if scope != self._scope or not isinstance(event.data, Observation):
            return
        state = memory.series[self.index].get(scope)
        if not isinstance(state, Coinciding):
            state = memory.series[self.index][scope] = self.new_series()
        key = f"{event.asset_id}{IN}{event.data.quantity}"
        known = state.now.get(key)
        if known is not None and event.observed_at <= known.observed_at:
            return
        state.now[key] = state.event = event
        memory.dirty.add((self.index, scope))
        self._judge(memory, state, event, max(item.observed_at for item in state.now.values()))
        if not event.data.value:
            del state.now[key]

    def on_timer(self, memory: PartitionMemory, key: str, due: datetime) -> None:
        """End an alert that has been over for long enough, though no hazard is told of any more."""
        state = memory.series[self.index].get(key)
        if not isinstance(state, Coinciding) or state.keep_since is None or state.last is None:
            super().on_timer(memory, key, due)
        elif is_to_end(self.rule, state, due) and state.event is not None:
            self._judge(memory, state, state.event, due)
            wake_to_end(memory, self.rule, self.index, key, state)

    def resume(self, memory: PartitionMemory) -> None:
        """Set the timers of alerts that were about to end."""
        super().resume(memory)
        for key, state in memory.series[self.index].items():
            wake_to_end(memory, self.rule, self.index, key, state)

    def _judge(self, memory: PartitionMemory, state: Coinciding, event: Event, at: datetime) -> None:
        together = self._find(state, at, fresh_only=True)
        # Hazards of which nothing more is heard begin nothing, and end nothing either.
        is_over = not together and not self._find(state, at, fresh_only=False)
        if not together and not state.is_open:
            return
        worst = max(together, key=_rank, default=event)
        raised = _raise(_severity(worst))
        verdicts = [
            Verdict(bool(together) and level.severity is raised, is_over or bool(together), float(len(together)), None)
            for level in self._condition.levels
        ]
        names = sorted({_name(item) for item in together})
        hazards = [self._condition.hazards[name] for name in names]
        subject = replace(
            asset_subject(
                self.world, worst, None, count=float(len(hazards)),
                hazards_vi=", ".join(item.name_vi for item in hazards),
                hazards_en=", ".join(item.name_en for item in hazards),
            ),
            labels=(("scope", "province"),),
            asset_id=None,
            input_ids=tuple(bytes(item.event_id) for item in together) or (bytes(event.event_id),),
            asked=partial(self._ask, worst, together or self._held(state, at)),
        )  # fmt: skip
        self.judge(memory, self._scope, subject, verdicts, at)
        if state.keep_since == at:
            wake_to_end(memory, self.rule, self.index, self._scope, state)

    def _find(self, state: Coinciding, at: datetime, *, fresh_only: bool) -> list[Event]:
        """Give hazards of different names near each other: around the worst that has company."""
        held = [
            item
            for _, item in sorted(state.now.items())
            if _rank(item) and not (fresh_only and at - item.observed_at > _GOOD_FOR)
        ]
        best: list[Event] = []
        for item in held:
            near = [other for other in held if self._are_near(item, other)]
            if len({_name(other) for other in near}) > 1:
                best = max(best, near, key=lambda group: (max(map(_rank, group), default=0.0), len(group)))
        return best

    def _are_near(self, one: Event, other: Event) -> bool:
        here, there = one.position, other.position
        return here is not None and there is not None and distance_m(here, there) <= self._condition.near_km * 1_000

    def approaches(self, memory: PartitionMemory, place: str, asset_id: str | None) -> Iterator[Approach]:
        """Say of each hazard that there is how far the nearest other one is."""
        state = memory.series[self.index].get(place)
        if not isinstance(state, Coinciding) or not state.now:
            return
        at = max(item.observed_at for item in state.now.values())
        held = self._held(state, at)
        for item in held:
            if item.position is None or asset_id not in {None, item.asset_id}:
                continue
            hazard = self._condition.hazards[_name(item)]
            facts = {"hazard_vi": hazard.name_vi, "hazard_en": hazard.name_en}
            yield Approach(at, tuple(self._ask(item, held)), item.asset_id, item.asset_id, facts)

    def _held(self, state: Coinciding, at: datetime) -> list[Event]:
        """Give the hazards that there are, as far as they were told of lately."""
        return [item for item in state.now.values() if _rank(item) and at - item.observed_at <= _GOOD_FOR]

    def _ask(self, item: Event, held: Sequence[Event]) -> Iterator[Part]:
        """Say how many kinds there are, and how far from a hazard the nearest of another kind is."""
        yield compare("hazards_count", float(len({_name(other) for other in held})), ">=", 2.0)
        here, others = item.position, [other.position for other in held if _name(other) != _name(item)]
        if here is not None and _rank(item):
            away_m = [distance_m(here, there) for there in others if there is not None]
            if away_m:
                yield compare("apart_km", min(away_m) / 1_000, "<=", self._condition.near_km)

    def new_series(self) -> Coinciding:
        """Make the state of the province."""
        return Coinciding(shape=self.rule.condition_name)

    def drop_if_idle(self, memory: PartitionMemory, key: str, series: Series) -> None:
        """Keep it: the hazards there are are needed later."""


def _rank(event: Event) -> float:
    return event.data.value if isinstance(event.data, Observation) else 0.0


def _name(event: Event) -> str:
    return event.data.quantity if isinstance(event.data, Observation) else ""


def _severity(event: Event) -> Severity:
    return LADDER[int(_rank(event))] or Severity.INFO
