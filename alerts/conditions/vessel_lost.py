"""A vessel whose signal is lost at sea: later than its own rhythm allows, at once critical in bad weather."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

from alerts.announcement import Announcer, Subject, plain_decision
from alerts.approaches import Approach
from alerts.conditions.receptions import Reception, Receptions, ReceptionState, read_reception
from alerts.conditions.rhythms import Missed, Rhythm, Rhythms, compare_silence
from alerts.conditions.sea_state import (
    IN,
    OPEN_SEA,
    SEA_FORWARDS,
    SeaPlaces,
    VesselState,
    ZoneWeather,
    active_warning,
    take_weather,
    vessels_of,
    weather_of,
    weather_scopes,
    zones_of,
)
from alerts.conditions.squalls import MOST_CELLS, is_live, sweeps
from alerts.language.files import Table
from alerts.language.rule import Level, Rule, gained
from alerts.memory.partition import PartitionMemory
from alerts.world import SEA_KINDS, World
from ioc.domain.alerts import ChangeType, ConditionState, Severity
from ioc.domain.events import Event
from ioc.domain.kinds import NowcastCell, Payload, VesselPosition, WeatherObservation, WeatherWarning
from ioc.domain.quantities import Quality

_WIND_GOOD_FOR = timedelta(minutes=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class VesselLost:
    """Silence of a vessel outside harbours for ``least`` or ``intervals`` of its own, whichever is longer.

    The first level counts in fair weather, the second under a warning, from ``wind_m_s`` and ``gust_m_s`` on, or
    where a squall cell is or comes within half an hour. In a known hole of reception the alert is made and suppressed.
    Vessels that fall silent together are one alert, by ``reception``.
    """

    levels: tuple[Level, ...]
    least: timedelta
    intervals: float
    wind_m_s: float
    gust_m_s: float
    kinds: tuple[type[Payload], ...] = (VesselPosition, WeatherWarning, WeatherObservation, NowcastCell)
    reception: Reception | None = gained(None)  # noqa: RUF009 (it is a field)
    facts: frozenset[str] = field(default=frozenset({"minutes", "count"}))

    def bind(self, rule: Rule, index: int, world: World) -> VesselLostEvaluator:
        """Make the evaluator."""
        return VesselLostEvaluator(rule, index, world, self)


def read_vessel_lost(table: Table) -> VesselLost:
    """Read the keys of the rule."""
    return VesselLost(
        levels=(Level(severity=table.severity("severity")), Level(severity=table.severity("severity_in_bad_weather"))),
        least=table.duration("least"),
        intervals=table.positive("intervals"),
        wind_m_s=table.number("wind_m_s"),
        gust_m_s=table.number("gust_m_s"),
        reception=read_reception(table),
    )


class VesselLostEvaluator:
    """Watches each vessel's rhythm; its water's partition knows the weather and decides how bad the silence is."""

    uses_zones = True
    notes_outlast_versions = True
    """How often each vessel speaks is so whatever the rule says of it."""
    state_type = VesselState | ZoneWeather | Rhythm | Missed | ReceptionState
    forwards: ClassVar[dict[type[Payload], str]] = {
        WeatherWarning: SEA_FORWARDS[WeatherWarning],
        WeatherObservation: SEA_FORWARDS[WeatherObservation],
        NowcastCell: "cells to every water",
    }

    def __init__(self, rule: Rule, index: int, world: World, condition: VesselLost) -> None:
        self.rule, self._index, self._world, self._condition = rule, index, world, condition
        self._places = SeaPlaces(world)
        self._announcer = Announcer(rule, index, world)
        self._rhythms = Rhythms(rule, index, world, self._places, least=condition.least, intervals=condition.intervals)
        limits = condition.reception
        self._receptions = None if limits is None else Receptions(rule, index, world, limits, condition.least)
        self._waters = [OPEN_SEA, *(f"zone:{zone}" for zone in sorted(world.zone_ids(SEA_KINDS)))]

    # Where the vessel's own positions are

    def on_event(self, memory: PartitionMemory, event: Event, zones: tuple[str, ...]) -> None:
        """Keep a vessel's rhythm; say that it is back."""
        if isinstance(event.data, VesselPosition):
            self._rhythms.take(memory, event, zones)

    def resume(self, memory: PartitionMemory) -> None:
        """Watch the vessels that were at sea before a restart, and the warnings that had not begun."""
        for key, state in memory.series[self._index].items():
            if isinstance(state, ZoneWeather):
                self._wake(memory, key, state)
        if self._receptions is not None:
            self._receptions.resume(memory)
        self._rhythms.resume(memory)

    def on_timer(self, memory: PartitionMemory, key: str, due: datetime) -> None:
        """Look whether a vessel has spoken meanwhile; if not, tell its water. Of a water: a warning begins."""
        if isinstance(memory.series[self._index].get(key), ZoneWeather):  # a vessel may be called as waters are
            self._announce_lost(memory, key)
        elif self._receptions is not None and (scope := self._receptions.scope_of(memory, key)) is not None:
            self._announce_lost(memory, scope)
        else:
            self._rhythms.look(memory, key)

    def approaches(self, memory: PartitionMemory, place: str, asset_id: str | None) -> Iterator[Approach]:
        """Say how long a vessel at sea has been silent; of another, why it is not missed."""
        return self._rhythms.say_nearness(memory, place)

    # Where the water's signals meet

    def forward(self, memory: PartitionMemory, event: Event, zones: tuple[str, ...]) -> list[str]:
        """Weather goes to the waters that it speaks of; cells cross from one to the next."""
        if isinstance(event.data, NowcastCell):
            return self._waters
        return weather_scopes(self._world, event)

    def on_signal(self, memory: PartitionMemory, scope: str, event: Event) -> None:
        """Judge a vessel that is lost or back, or all that are lost when the weather changes."""
        if scope != OPEN_SEA and not scope.startswith("zone:"):
            return
        if isinstance(event.data, VesselPosition):
            self._take_vessel(memory, scope, event)
            return
        weather = weather_of(memory, self.rule, self._index, scope)
        is_cell = isinstance(event.data, NowcastCell) and self._take_cell(weather, event, memory.clock)
        if is_cell or take_weather(weather, event, memory.clock):
            memory.dirty.add((self._index, scope))
            self._wake(memory, scope, weather)
            self._announce_lost(memory, scope)

    def _announce_lost(self, memory: PartitionMemory, scope: str, told: Event | None = None) -> None:
        """Tell of the vessels that are lost in a water as its weather is now; ``told`` is who was heard again."""
        states = {key: state for key, state in vessels_of(memory, self._index, scope) if state.is_lost}
        lost = {key: state.event for key, state in states.items() if state.event is not None}
        together = self._judge_together(memory, scope, lost, told)
        for key, event in lost.items():
            is_told = key in together or self._is_behind(memory, scope, states[key], event)
            self._announce(memory, scope, key, states[key], is_told=is_told)

    def _judge_together(
        self, memory: PartitionMemory, scope: str, lost: Mapping[str, Event], told: Event | None
    ) -> frozenset[str]:
        """Tell of those that fell silent together; give their keys."""
        event = told or max(lost.values(), key=lambda item: item.received_at, default=None)
        if self._receptions is None or event is None:
            return frozenset()
        together = self._receptions.find_together(lost)
        severities = [self._severity(memory, scope, lost[key]) for key in together]
        worst = max(severities, key=lambda severity: severity.rank, default=self._condition.levels[0].severity)
        self._receptions.judge(memory, scope, {key: lost[key] for key in sorted(together)}, worst, event)
        return together

    def _is_behind(self, memory: PartitionMemory, scope: str, state: VesselState, event: Event) -> bool:
        """Whether the alert of a water that is over has told of a vessel, and of its own there is none to see."""
        is_seen = state.last is not None and not state.last.shadow
        return self._receptions is not None and not is_seen and self._receptions.is_behind(memory, scope, event)

    def _wake(self, memory: PartitionMemory, scope: str, weather: ZoneWeather) -> None:
        """Look again when a warning begins: nothing else may be told of the water then."""
        for warning in weather.warnings.values():
            if warning.onset_at > memory.clock:
                memory.wake_at(warning.onset_at, self._index, scope)

    def _take_cell(self, weather: ZoneWeather, event: Event, at: datetime) -> bool:
        """Take a squall cell in; say whether it is news."""
        known = weather.cells.get(event.asset_id)
        is_late = event.received_at - event.observed_at > self.rule.lateness
        if is_late or (known is not None and event.observed_at <= known.observed_at):
            return False
        live = {name: cell for name, cell in weather.cells.items() if is_live(cell, at)} | {event.asset_id: event}
        newest = sorted(live, key=lambda name: (live[name].observed_at, name))[-MOST_CELLS:]
        weather.cells = {name: live[name] for name in newest}
        return True

    def _take_vessel(self, memory: PartitionMemory, scope: str, event: Event) -> None:
        key = f"{scope}{IN}{event.asset_id}"
        state = memory.series[self._index].get(key)
        is_lost = event.quality == Quality.STALE
        if not isinstance(state, VesselState):
            if not is_lost:
                return
            state = memory.series[self._index][key] = VesselState(shape=self.rule.condition_name)
            # Not with the last position: the same loss is told anew when its rule was away in between.
            state.started_at = memory.clock
        elif state.event is not None and event.observed_at < state.event.observed_at:
            return
        state.event, state.is_lost = event, is_lost
        memory.dirty.add((self._index, key))
        if not is_lost:
            self._announce(memory, scope, key, state)
            memory.series[self._index].pop(key, None)
        self._announce_lost(memory, scope, event)

    def _announce(
        self, memory: PartitionMemory, scope: str, key: str, state: VesselState, *, is_told: bool = False
    ) -> None:
        """Tell of a vessel; in shadow where its silence ``is_told`` with that of others, or none was to be expected."""
        event = state.event
        if event is None or (is_told and state.last is None):
            return
        minutes = round((memory.clock - event.observed_at) / timedelta(minutes=1))
        severity = self._severity(memory, scope, event)
        kind = ChangeType.FIRED
        if not state.is_lost:
            kind, minutes = ChangeType.RESOLVED, 0
        elif state.last is not None:
            kind = ChangeType.UPDATED if state.last.severity is severity else ChangeType.SEVERITY
        if kind is ChangeType.RESOLVED and state.last is None:
            return
        state.condition = ConditionState.FIRING
        memory.dirty.add((self._index, key))
        limit = self._condition.least / timedelta(minutes=1)
        decision = plain_decision(kind, severity, float(minutes), limit)
        zone_id = scope.removeprefix("zone:") if scope != OPEN_SEA else None
        subject = Subject(
            labels=(("asset", event.asset_id),), event=event, asset_id=event.asset_id, zone_id=zone_id,
            lon_deg=event.lon_deg, lat_deg=event.lat_deg, input_ids=(bytes(event.event_id),),
            facts={"minutes": float(minutes)}, asked=lambda: (compare_silence(float(minutes), limit),),
        )  # fmt: skip
        shadow = is_told or self._is_in_hole(memory, event)
        self._announcer.announce(memory, key, decision, subject, shadow=shadow)

    def _severity(self, memory: PartitionMemory, scope: str, event: Event) -> Severity:
        fair, bad = (level.severity for level in self._condition.levels)
        weather = memory.series[self._index].get(scope)
        if not isinstance(weather, ZoneWeather):
            return fair
        if active_warning(weather, memory.clock) is not None:
            return bad
        if event.position is not None and any(
            sweeps(cell, event.position, memory.clock) for cell in weather.cells.values()
        ):
            return bad
        for observed_at, wind, gust in weather.winds.values():
            fresh = memory.clock - observed_at <= _WIND_GOOD_FOR
            if fresh and (wind >= self._condition.wind_m_s or gust >= self._condition.gust_m_s):
                return bad
        return fair

    def _is_in_hole(self, memory: PartitionMemory, event: Event) -> bool:
        return self._places.find(event, zones_of(memory, self._world, event)).is_in_hole
