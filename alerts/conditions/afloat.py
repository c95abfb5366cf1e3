"""What rules share that judge every vessel of a water whenever the vessel or the water's weather changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from alerts.announcement import Announcer, Subject
from alerts.approaches import Approach
from alerts.conditions.endings import timed_policy
from alerts.conditions.sea_state import (
    IN,
    OPEN_SEA,
    SEA_FORWARDS,
    SeaPlaces,
    SquallCells,
    VesselState,
    ZoneWeather,
    resume_scopes,
    vessel_scopes,
    vessels_near,
    vessels_of,
    zones_of,
)
from alerts.language.rule import Rule
from alerts.memory.partition import PartitionMemory
from alerts.memory.series import Verdict, evaluate
from alerts.world import World
from ioc.domain.events import Event
from ioc.domain.grounds import Part
from ioc.domain.kinds import Payload, VesselPosition

_FRESH = timedelta(minutes=15)
_FRESH_AT_REST = timedelta(hours=12)
"""A vessel at rest is sent on every few hours only, unless something about it changes."""


class Danger(NamedTuple):
    """Why a vessel is told of: a value and a limit to show, facts for the texts, and the events it rests on."""

    value: float | None
    limit: float | None
    facts: Mapping[str, str | float]
    input_ids: tuple[bytes, ...] = ()


class AfloatEvaluator:
    """Keeps the vessels of each water and judges them. A rule says what it takes in, and finds the danger."""

    uses_zones = True
    state_type = VesselState | ZoneWeather | SquallCells
    forwards: Mapping[type[Payload], str] = SEA_FORWARDS

    def __init__(self, rule: Rule, index: int, world: World) -> None:
        self.rule, self._index, self._world = rule, index, world
        self._places = SeaPlaces(world)
        self._policy = timed_policy(rule)
        self._announcer = Announcer(rule, index, world)

    def forward(self, memory: PartitionMemory, event: Event, zones: tuple[str, ...]) -> Sequence[str]:
        """Say which waters must hear of an event."""
        if isinstance(event.data, VesselPosition):
            return vessel_scopes(memory, self._places, event, zones)
        return self._scopes_of(event)

    def on_signal(self, memory: PartitionMemory, scope: str, event: Event) -> None:
        """Judge a vessel, or every vessel of a water whose weather has changed."""
        if scope != OPEN_SEA and not scope.startswith("zone:"):
            return
        if isinstance(event.data, VesselPosition):
            self._take_vessel(memory, scope, event)
        elif event.received_at - event.observed_at <= self.rule.lateness and self._take(memory, scope, event):
            memory.dirty.add((self._index, scope))
            self._judge_all(memory, scope)

    def on_timer(self, memory: PartitionMemory, key: str, due: datetime) -> None:
        """Judge a water again when its weather begins or ends."""
        if IN not in key:
            self._judge_all(memory, key)

    def resume(self, memory: PartitionMemory) -> None:
        """Note where vessels were; set the timers of weather that begins or ends, and of alerts about to end."""
        resume_scopes(memory, self._places, self._world)
        for key, state in list(memory.series[self._index].items()):
            if IN not in key:
                self._wake(memory, key)
            elif state.keep_since is not None:
                memory.wake_at(state.keep_since + self.rule.keep_firing_for, self._index, key.partition(IN)[0])

    def _scopes_of(self, event: Event) -> Sequence[str]:
        raise NotImplementedError

    def _take(self, memory: PartitionMemory, scope: str, event: Event) -> bool:
        raise NotImplementedError

    def _wake(self, memory: PartitionMemory, scope: str) -> None:
        raise NotImplementedError

    def _find(self, memory: PartitionMemory, scope: str, vessel: VesselState, at: datetime) -> Danger | None:
        raise NotImplementedError

    def _take_vessel(self, memory: PartitionMemory, scope: str, event: Event) -> None:
        key = f"{scope}{IN}{event.asset_id}"
        state = memory.series[self._index].get(key)
        if isinstance(state, VesselState) and state.event is not None and event.observed_at <= state.event.observed_at:
            return
        place = self._places.find(event, zones_of(memory, self._world, event))
        if not isinstance(state, VesselState):
            if place.is_sheltered or place.scope != scope:
                return
            state = memory.series[self._index][key] = VesselState(shape=self.rule.condition_name)
        state.event, state.is_under_way = event, place.is_under_way
        state.is_sheltered = place.is_sheltered or place.scope != scope
        is_late = event.received_at - event.observed_at > self.rule.lateness
        self._judge(memory, scope, key, state, event.observed_at, is_late=is_late)

    def _judge_all(self, memory: PartitionMemory, scope: str) -> None:
        for key, state in vessels_of(memory, self._index, scope):
            if state.event is not None:
                self._judge(memory, scope, key, state, max(memory.clock, state.event.observed_at))

    def _judge(
        self, memory: PartitionMemory, scope: str, key: str, state: VesselState, at: datetime, *, is_late: bool = False
    ) -> None:
        """Judge a vessel; a position that is told too late begins nothing, and where it goes on it ends nothing."""
        event = state.event
        if event is None:
            return
        memory.dirty.add((self._index, key))
        is_old = at - event.observed_at > (_FRESH if state.is_under_way else _FRESH_AT_REST)
        danger = None
        if not (state.is_sheltered or ((is_late or is_old) and state.last is None)):
            danger = self._find(memory, scope, state, at)
        if danger is not None or state.last is not None:
            value, limit = (danger.value, danger.limit) if danger is not None else (None, None)
            decision = evaluate(state, self._policy, [Verdict(danger is not None, danger is None, value, limit)], at)
            if decision is not None:
                asked = partial(self._ask, memory, scope, state, at)
                self._announcer.announce(
                    memory, key, decision, replace(self._subject(scope, event, danger), asked=asked)
                )
        if state.last is None and (state.is_sheltered or is_old):
            # It is sent again when it comes out or is heard again.
            memory.series[self._index].pop(key, None)
        elif state.last is not None and danger is None and self.rule.keep_firing_for:
            memory.wake_at(at + self.rule.keep_firing_for, self._index, scope)

    def approaches(self, memory: PartitionMemory, place: str, asset_id: str | None) -> Iterator[Approach]:
        """Say of a vessel that it is in a harbour; of those outside, what of the rule's own is met."""
        own = memory.readings("", VesselPosition).get(place)
        if own is not None and (harbour := self._places.harbour_of(zones_of(memory, self._world, own))) is not None:
            yield Approach(own.observed_at, (Part("outside_harbour", False),), harbour, place)
        for scope, vessel in vessels_near(memory, self._index, place, asset_id):
            event = vessel.event
            if event is None or vessel.is_sheltered:
                continue
            age, longest = memory.clock - event.observed_at, _FRESH if vessel.is_under_way else _FRESH_AT_REST
            if age > longest:
                parts = [Part("outside_harbour", True), Part("heard_lately", False)]
            else:
                parts = [*self._ask(memory, scope, vessel, memory.clock)]
            yield Approach(memory.clock, tuple(parts), scope.removeprefix("zone:"), event.asset_id)

    def _ask(self, memory: PartitionMemory, scope: str, vessel: VesselState, at: datetime) -> Iterator[Part]:
        yield Part("outside_harbour", not vessel.is_sheltered)
        yield from self._parts(memory, scope, vessel, at)

    def _parts(self, memory: PartitionMemory, scope: str, vessel: VesselState, at: datetime) -> Iterator[Part]:
        """Say what the rule asks for besides a vessel outside harbours, and what of it is met."""
        raise NotImplementedError

    def _subject(self, scope: str, event: Event, danger: Danger | None) -> Subject:
        zone_id = scope.removeprefix("zone:") if scope != OPEN_SEA else None
        return Subject(
            labels=(("asset", event.asset_id), ("zone", zone_id or OPEN_SEA)), event=event, asset_id=event.asset_id,
            zone_id=zone_id, lon_deg=event.lon_deg, lat_deg=event.lat_deg,
            input_ids=(bytes(event.event_id), *(danger.input_ids if danger is not None else ())),
            facts=danger.facts if danger is not None else {},
        )  # fmt: skip
