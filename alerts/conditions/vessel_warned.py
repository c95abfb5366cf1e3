"""A vessel under way in waters with a warning in force, or wind at which sailing is suspended: two feeds together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from alerts.announcement import Announcer, Subject
from alerts.approaches import Approach, compare
from alerts.conditions.endings import is_to_end, timed_policy, wake_to_end
from alerts.conditions.sea_state import (
    IN,
    OPEN_SEA,
    SEA_FORWARDS,
    SeaPlaces,
    VesselState,
    ZoneWeather,
    active_warning,
    resume_scopes,
    take_weather,
    vessel_scopes,
    vessels_near,
    vessels_of,
    weather_of,
    weather_scopes,
    zones_of,
)
from alerts.language.files import Table
from alerts.language.rule import Level, Rule
from alerts.memory.partition import PartitionMemory
from alerts.memory.series import Verdict, evaluate
from alerts.world import World
from ioc.domain.events import Event
from ioc.domain.grounds import Part
from ioc.domain.kinds import Payload, VesselPosition, WeatherObservation, WeatherWarning

_MOORED = 5
"""AIS navigational status: made fast at a berth, which we may not know as a harbour (ITU-R M.1371)."""
_FRESH = timedelta(minutes=10)
_WIND_GOOD_FOR = timedelta(minutes=30)
_FAIR = (Verdict(False, True), Verdict(False, True))
_HAZARDS = {
    "squall": ("dông, tố, lốc", "squall"),
    "storm": ("bão", "storm"),
    "typhoon": ("bão", "typhoon"),
    "fog": ("sương mù", "fog"),
    "wind": ("gió mạnh", "strong wind"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class VesselWarned:
    """Under way outside harbours while a warning is in force, or while the wind reaches the limits given.

    The first level is for a vessel that sets out against it; the second for one that was out already, and still is
    when ``grace`` to reach shelter is over.
    """

    levels: tuple[Level, ...]
    grace: timedelta
    wind_m_s: float
    gust_m_s: float
    kinds: tuple[type[Payload], ...] = (VesselPosition, WeatherWarning, WeatherObservation)
    facts: frozenset[str] = field(default=frozenset({"hazard_vi", "hazard_en", "speed", "vessel"}))

    def bind(self, rule: Rule, index: int, world: World) -> VesselWarnedEvaluator:
        """Make the evaluator."""
        return VesselWarnedEvaluator(rule, index, world, self)


def read_vessel_warned(table: Table) -> VesselWarned:
    """Read the keys of the rule."""
    return VesselWarned(
        levels=(Level(severity=table.severity("severity")), Level(severity=table.severity("severity_when_caught_out"))),
        grace=table.duration("grace"),
        wind_m_s=table.number("wind_m_s"),
        gust_m_s=table.number("gust_m_s"),
    )


class VesselWarnedEvaluator:
    """Sends vessels and weather to their water's partition, and judges them there."""

    uses_zones = True
    state_type = VesselState | ZoneWeather
    forwards = SEA_FORWARDS

    def __init__(self, rule: Rule, index: int, world: World, condition: VesselWarned) -> None:
        self.rule, self._index, self._world, self._condition = rule, index, world, condition
        self._places = SeaPlaces(world)
        self._policy = timed_policy(rule)
        self._announcer = Announcer(rule, index, world)

    def resume(self, memory: PartitionMemory) -> None:
        """Note where vessels were; set the timers of warnings that begin and end, and of alerts about to end.

        What log time has reached has been judged already.
        """
        resume_scopes(memory, self._places, self._world)
        for key, state in memory.series[self._index].items():
            if isinstance(state, ZoneWeather):
                self._wake(memory, key, state)
            else:
                wake_to_end(memory, self.rule, self._index, key, state)

    def forward(self, memory: PartitionMemory, event: Event, zones: tuple[str, ...]) -> Sequence[str]:
        """Say which waters must hear of an event."""
        if not isinstance(event.data, VesselPosition):
            return weather_scopes(self._world, event)
        return vessel_scopes(memory, self._places, event, zones)

    def on_signal(self, memory: PartitionMemory, scope: str, event: Event) -> None:
        """Judge a vessel, or every vessel of a water whose weather has changed."""
        if scope != OPEN_SEA and not scope.startswith("zone:"):
            return
        if isinstance(event.data, VesselPosition):
            self._take_vessel(memory, scope, event)
            return
        weather = weather_of(memory, self.rule, self._index, scope)
        if take_weather(weather, event, memory.clock):
            memory.dirty.add((self._index, scope))
            self._wake(memory, scope, weather)
            self._judge_all(memory, scope)

    def on_timer(self, memory: PartitionMemory, key: str, due: datetime) -> None:
        """Judge a water again when a warning begins or ends, as it stands now: one that was replaced says no more.

        A vessel is judged when its alert has been over for long enough: of one that left the water nothing more comes.
        """
        state = memory.series[self._index].get(key)
        if isinstance(state, ZoneWeather) and due in self._moments(state):
            self._judge_all(memory, key)
        elif isinstance(state, VesselState) and state.event is not None and is_to_end(self.rule, state, due):
            self._judge(memory, key.partition(IN)[0], key, state, max(due, state.event.observed_at))
            wake_to_end(memory, self.rule, self._index, key, state)

    def _wake(self, memory: PartitionMemory, scope: str, weather: ZoneWeather) -> None:
        for moment in self._moments(weather):
            if moment > memory.clock:
                memory.wake_at(moment, self._index, scope)

    def _moments(self, weather: ZoneWeather) -> list[datetime]:
        moments = [at for warning in weather.warnings.values() for at in (warning.onset_at, warning.expires_at)]
        return moments if weather.bad_since is None else [*moments, weather.bad_since + self._condition.grace]

    def _take_vessel(self, memory: PartitionMemory, scope: str, event: Event) -> None:
        key = f"{scope}{IN}{event.asset_id}"
        state = memory.series[self._index].get(key)
        if isinstance(state, VesselState) and state.event is not None and event.observed_at <= state.event.observed_at:
            return
        place = self._places.find(event, zones_of(memory, self._world, event))
        if not isinstance(state, VesselState):
            state = memory.series[self._index][key] = VesselState(shape=self.rule.condition_name)
        state.event = event
        memory.dirty.add((self._index, key))  # also where it comes too late to be judged
        # One that does not tell its speed goes on as it did.
        is_untold = isinstance(event.data, VesselPosition) and event.data.sog_kn is None
        state.is_under_way = (place.is_under_way or (is_untold and state.is_under_way)) and place.scope == scope
        state.is_sheltered = place.is_sheltered
        is_moored = (
            not place.is_under_way and isinstance(event.data, VesselPosition) and event.data.nav_status == _MOORED
        )
        if place.scope != scope or state.is_sheltered or is_moored:
            state.out_since = None  # who lies at anchor out there is out: weighing it to go home is no departure
        elif state.out_since is None:
            state.out_since = event.observed_at
        is_late = event.received_at - event.observed_at > self.rule.lateness
        self._judge(memory, scope, key, state, event.observed_at, is_late=is_late)
        if place.scope != scope and state.last is None:
            memory.series[self._index].pop(key, None)

    def _judge_all(self, memory: PartitionMemory, scope: str) -> None:
        weather = weather_of(memory, self.rule, self._index, scope)
        if self._find_hazard(weather, memory.clock)[0] is None:
            weather.bad_since = None
        elif weather.bad_since is None:
            weather.bad_since = memory.clock
            memory.wake_at(memory.clock + self._condition.grace, self._index, scope)
        memory.dirty.add((self._index, scope))
        clock = memory.clock
        for key, state in vessels_of(memory, self._index, scope):
            if state.event is not None:
                at = max(clock, state.event.observed_at)
                if state.last is not None or at - state.event.observed_at <= _FRESH:
                    self._judge(memory, scope, key, state, at)

    def _judge(
        self, memory: PartitionMemory, scope: str, key: str, state: VesselState, at: datetime, *, is_late: bool = False
    ) -> None:
        """Judge a vessel; a position that is told too late, or looked at too late, begins nothing."""
        event = state.event
        if event is None:
            return
        is_late = is_late or memory.clock - event.received_at > self.rule.lateness
        if is_late and state.last is None:
            return
        weather = weather_of(memory, self.rule, self._index, scope)
        hazard, value, limit = self._find_hazard(weather, at)
        verdicts = _FAIR
        if hazard is not None:
            out_since, bad_since = state.out_since, weather.bad_since
            set_out = caught_out = False
            if state.is_under_way and out_since is not None and bad_since is not None:
                set_out = out_since > bad_since
                caught_out = not set_out and at - bad_since >= self._condition.grace
            verdicts = (Verdict(set_out, not set_out, value, limit), Verdict(caught_out, not caught_out, value, limit))
        # In fair weather there is nearly always nothing that could end.
        is_quiet = hazard is None and state.is_idle
        decision = None if is_quiet else evaluate(state, self._policy, verdicts, at)
        memory.dirty.add((self._index, key))
        if decision is not None:
            names = hazard or ("–", "–")
            asked = partial(self._ask, memory, scope, state, at)
            self._announcer.announce(memory, key, decision, replace(self._subject(scope, event, names), asked=asked))
        if state.keep_since == at:
            wake_to_end(memory, self.rule, self._index, key, state)
        if state.last is None and state.out_since is None:
            # A vessel that is not out is no longer watched here; it is sent again when it comes out.
            memory.series[self._index].pop(key, None)

    def _find_hazard(
        self, weather: ZoneWeather, at: datetime
    ) -> tuple[tuple[str, str] | None, float | None, float | None]:
        warning = active_warning(weather, at)
        if warning is not None:
            return _HAZARDS.get(warning.hazard, (warning.hazard, warning.hazard)), None, None
        for observed_at, wind, gust in weather.winds.values():
            if at - observed_at > _WIND_GOOD_FOR:
                continue
            if wind >= self._condition.wind_m_s:
                return _HAZARDS["wind"], wind, self._condition.wind_m_s
            if gust >= self._condition.gust_m_s:
                return _HAZARDS["wind"], gust, self._condition.gust_m_s
        return None, None, None

    def approaches(self, memory: PartitionMemory, place: str, asset_id: str | None) -> Iterator[Approach]:
        """Say of a vessel whether it is under way outside harbours; of those in a water, what its weather lacks."""
        own = memory.readings("", VesselPosition).get(place)
        if own is not None:
            zones = zones_of(memory, self._world, own)
            harbour, here = self._places.harbour_of(zones), self._places.find(own, zones)
            parts = (Part("under_way", here.is_under_way), Part("outside_harbour", harbour is None))
            if not all(part.is_met for part in parts):
                water = here.scope.removeprefix("zone:")
                yield Approach(own.observed_at, parts, water if harbour is None else harbour, place)
        for scope, vessel in vessels_near(memory, self._index, place, asset_id):
            if vessel.event is not None:
                fit = tuple(self._ask(memory, scope, vessel, memory.clock))
                yield Approach(memory.clock, fit, scope.removeprefix("zone:"), vessel.event.asset_id)

    def _ask(self, memory: PartitionMemory, scope: str, vessel: VesselState, at: datetime) -> Iterator[Part]:
        yield Part("under_way", vessel.is_under_way)
        yield Part("outside_harbour", not vessel.is_sheltered)
        if vessel.is_under_way and vessel.out_since is not None:
            yield from self._compare(memory, scope, vessel, at)

    def _compare(self, memory: PartitionMemory, scope: str, vessel: VesselState, at: datetime) -> Iterator[Part]:
        """Say what the weather over a vessel that is out lacks, and where it is bad, since when that must be so."""
        weather = memory.series[self._index].get(scope)
        if not isinstance(weather, ZoneWeather):
            weather = ZoneWeather(shape=self.rule.condition_name)
        is_bad = self._find_hazard(weather, at)[0] is not None
        yield Part("warning", active_warning(weather, at) is not None, one_of="weather")
        fresh = [(wind, gust) for told_at, wind, gust in weather.winds.values() if at - told_at <= _WIND_GOOD_FOR]
        if fresh:
            limits = (("wind_m_s", self._condition.wind_m_s), ("gust_m_s", self._condition.gust_m_s))
            for number, (name, limit) in enumerate(limits):
                yield compare(name, max(winds[number] for winds in fresh), ">=", limit, one_of="weather")
        if is_bad and weather.bad_since is not None and vessel.out_since is not None:
            yield Part("set_out_against_it", vessel.out_since > weather.bad_since, one_of="exposure")
            limit_min = self._condition.grace / timedelta(minutes=1)
            bad_min = max(0.0, (at - weather.bad_since) / timedelta(minutes=1))
            yield compare("caught_out_min", bad_min, ">=", limit_min, one_of="exposure")

    def _subject(self, scope: str, event: Event, hazard: tuple[str, str]) -> Subject:
        zone_id = scope.removeprefix("zone:") if scope != OPEN_SEA else None
        speed = event.data.sog_kn if isinstance(event.data, VesselPosition) else None
        return Subject(
            labels=(("asset", event.asset_id), ("zone", zone_id or OPEN_SEA)), event=event, asset_id=event.asset_id,
            zone_id=zone_id, lon_deg=event.lon_deg, lat_deg=event.lat_deg, input_ids=(bytes(event.event_id),),
            facts={"hazard_vi": hazard[0], "hazard_en": hazard[1], "speed": speed or 0.0},
        )  # fmt: skip
