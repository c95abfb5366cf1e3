"""A vessel that lies outside ports and shelters when the time is over by which it should have been in one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from alerts.approaches import compare
from alerts.conditions.afloat import AfloatEvaluator, Danger
from alerts.conditions.sea_state import (
    SEA_FORWARDS,
    VesselState,
    ZoneWeather,
    take_weather,
    weather_of,
    weather_scopes,
)
from alerts.language.files import Table
from alerts.language.rule import PROVINCE_TIME, Level, Rule
from alerts.memory.partition import PartitionMemory
from alerts.world import HARBOUR_KINDS, World
from ioc.domain.events import Event
from ioc.domain.grounds import Part
from ioc.domain.kinds import Payload, VesselPosition, WeatherWarning


@dataclass(frozen=True, slots=True, kw_only=True)
class VesselUnsheltered:
    """At rest outside harbours after the onset of a warning of one of the hazards: the onset is the stop time.

    Vessels under way are ``vessel_warned``'s: one situation, one alert. One that lies within ``near_m`` of a harbour is
    in it: fixes jitter, and outlines are drawn by hand.
    """

    levels: tuple[Level, ...]
    hazards: frozenset[str]
    near_m: float
    kinds: tuple[type[Payload], ...] = (VesselPosition, WeatherWarning)
    facts: frozenset[str] = field(default=frozenset({"stop_at"}))

    def bind(self, rule: Rule, index: int, world: World) -> UnshelteredEvaluator:
        """Make the evaluator."""
        return UnshelteredEvaluator(rule, index, world, self)


def read_vessel_unsheltered(table: Table) -> VesselUnsheltered:
    """Read the keys of the rule."""
    return VesselUnsheltered(
        levels=(Level(severity=table.severity("severity")),),
        hazards=frozenset(table.words("hazards")),
        near_m=table.number("near_m", 0.0),
    )


class UnshelteredEvaluator(AfloatEvaluator):
    """Judges the vessels of a water at the stop time, and each that is heard of later."""

    def __init__(self, rule: Rule, index: int, world: World, condition: VesselUnsheltered) -> None:
        super().__init__(rule, index, world)
        self._hazards, self._near_m = condition.hazards, condition.near_m
        self.forwards = {kind: SEA_FORWARDS[kind] for kind in condition.kinds}
        self._harbours = sorted(world.zone_ids(HARBOUR_KINDS))

    def _scopes_of(self, event: Event) -> list[str]:
        return weather_scopes(self._world, event)

    def _take(self, memory: PartitionMemory, scope: str, event: Event) -> bool:
        weather = weather_of(memory, self.rule, self._index, scope)
        taken = take_weather(weather, event, memory.clock)
        self._wake(memory, scope)
        return taken

    def _wake(self, memory: PartitionMemory, scope: str) -> None:
        for warning in weather_of(memory, self.rule, self._index, scope).warnings.values():
            for instant in (warning.onset_at, warning.expires_at):
                if instant > memory.clock:
                    memory.wake_at(instant, self._index, scope)

    def _find(self, memory: PartitionMemory, scope: str, vessel: VesselState, at: datetime) -> Danger | None:
        if vessel.is_under_way:
            return None
        stops = [
            warning.onset_at
            for warning in weather_of(memory, self.rule, self._index, scope).warnings.values()
            if warning.hazard in self._hazards and warning.onset_at <= at < warning.expires_at
        ]
        if not stops or self._lies_by_a_harbour(vessel.event):
            return None
        return Danger(None, None, {"stop_at": min(stops).astimezone(PROVINCE_TIME).strftime("%H:%M %d/%m")})

    def _lies_by_a_harbour(self, event: Event | None) -> bool:
        position = event.position if event is not None else None
        return position is not None and any(
            self._world.zones.distance_outside_m(zone_id, position) <= self._near_m for zone_id in self._harbours
        )

    def _parts(self, memory: PartitionMemory, scope: str, vessel: VesselState, at: datetime) -> Iterator[Part]:
        yield Part("at_rest", not vessel.is_under_way)
        weather = memory.series[self._index].get(scope)
        warnings = weather.warnings.values() if isinstance(weather, ZoneWeather) else ()
        onsets = [item.onset_at for item in warnings if item.hazard in self._hazards and at < item.expires_at]
        yield Part("storm_warning", bool(onsets))
        if not onsets:
            return
        yield compare("to_stop_time_min", max(0.0, (min(onsets) - at) / timedelta(minutes=1)), "<=", 0.0)
        position = vessel.event.position if vessel.event is not None else None
        if position is not None and self._harbours:
            outside_m = min(self._world.zones.distance_outside_m(zone_id, position) for zone_id in self._harbours)
            yield compare("from_harbour_m", outside_m, ">", self._near_m)
