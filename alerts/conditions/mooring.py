"""A moored boat that moves in a gale: its anchor drags, or its lines have parted.

Where a boat's own positions are, it is known where it lay down and how far it is from there; where winds and boats that
move meet (one partition of ``signals``), the nearest weather station decides. Both are rare: few signals.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

import msgspec

from alerts.announcement import Announcer, Subject
from alerts.approaches import Approach, compare
from alerts.conditions.endings import is_to_end, timed_policy, wake_to_end
from alerts.conditions.sea_state import IN
from alerts.conditions.winds import Sent, nearest_wind, send_wind, wind_of
from alerts.language.files import Table
from alerts.language.rule import Level, Rule
from alerts.memory.partition import PartitionMemory
from alerts.memory.series import Series, Verdict, evaluate
from alerts.world import World
from geo.distance import distance_m
from geo.plane import EARTH_RADIUS_M
from geo.position import Position
from ioc.domain.events import Event, Signal
from ioc.domain.grounds import Part
from ioc.domain.kinds import Observation, Payload, VesselPosition, WeatherObservation

MOVED = "moved_m"
_AT_REST_KN = 1.0
_SAILS_KN = 3.0
"""A boat that makes more has its engine on; a dragging one makes one or two knots."""
_MOORED = frozenset({1, 5})
"""AIS navigational status: at anchor, moored (ITU-R M.1371)."""
_SETTLED = timedelta(hours=6)
_TELL_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mooring:
    """Further than ``moved_m`` from where it lay down and stayed for ``rest``, while the wind or the gusts at the
    nearest station within ``near_km`` reach ``wind_m_s``.
    """

    levels: tuple[Level, ...]
    moved_m: float
    rest: timedelta
    wind_m_s: float
    near_km: float
    kinds: tuple[type[Payload], ...] = (VesselPosition, WeatherObservation, Observation)
    facts: frozenset[str] = field(default=frozenset({"wind", "station_vi", "station_en"}))

    def bind(self, rule: Rule, index: int, world: World) -> MooringEvaluator:
        """Make the evaluator."""
        return MooringEvaluator(rule, index, world, self)


def read_mooring(table: Table) -> Mooring:
    """Read the keys of a mooring rule."""
    return Mooring(
        levels=(Level(severity=table.severity("severity")),),
        moved_m=table.number("moved_m"),
        rest=table.duration("rest", timedelta(minutes=10)),
        wind_m_s=table.number("wind_m_s"),
        near_km=table.number("near_km"),
    )


class Berth(Series, kw_only=True, omit_defaults=True, tag_field="is", tag="berth"):
    """Of a boat, among its own positions: where and since when it lies, whether it was told to have moved."""

    lon_deg: float = 0.0
    lat_deg: float = 0.0
    since: datetime | None = None
    off_since: datetime | None = None
    told_at: datetime | None = None


class Adrift(Series, kw_only=True, omit_defaults=True, tag_field="is", tag="adrift"):
    """Where winds and boats meet: the last that was told of a boat or of a station."""

    event: Event | None = None

    @property
    def heard_until(self) -> datetime | None:
        """The arrival of the last that it knows of."""
        return None if self.event is None else self.event.received_at


class MooringEvaluator:
    """Keeps berths where the boats are, and judges those that left them by the wind."""

    uses_zones = False
    state_type = Berth | Adrift | Sent

    def __init__(self, rule: Rule, index: int, world: World, condition: Mooring) -> None:
        self.rule, self._index, self._world, self._condition = rule, index, world, condition
        self._policy = timed_policy(rule)
        self._announcer = Announcer(rule, index, world)
        self._scope = f"mooring:{rule.rule_id}"
        # No way is longer than the sum of its parts along a meridian and the equator.
        self._surely_near_deg = 0.999 * math.degrees(condition.moved_m / EARTH_RADIUS_M)

    def resume(self, memory: PartitionMemory) -> None:
        """Set the timers of alerts that were about to end."""
        for key, state in memory.series[self._index].items():
            wake_to_end(memory, self.rule, self._index, key, state)

    def on_timer(self, memory: PartitionMemory, key: str, due: datetime) -> None:
        """End an alert that has been over for long enough, though nothing new is told."""
        state = memory.series[self._index].get(key)
        if isinstance(state, Adrift) and is_to_end(self.rule, state, due):
            self._judge(memory, key, state, due)
            wake_to_end(memory, self.rule, self._index, key, state)

    # Where the boat's own positions are

    def on_event(self, memory: PartitionMemory, event: Event, zones: tuple[str, ...]) -> None:
        """Follow a boat from lying down to sailing; send on where a gale blows, and when it is over."""
        data, lon_deg, lat_deg = event.data, event.lon_deg, event.lat_deg
        if not isinstance(data, VesselPosition):
            self._take_wind(memory, event)
            return
        if lon_deg is None or lat_deg is None:
            return
        mine, speed = memory.series[self._index], data.sog_kn or 0.0
        berth = mine.get(event.asset_id)
        if not isinstance(berth, Berth):
            if data.sog_kn is not None and speed < _AT_REST_KN:
                mine[event.asset_id] = Berth(
                    shape=self.rule.condition_name, lon_deg=lon_deg, lat_deg=lat_deg, since=event.observed_at
                )
                memory.dirty.add((self._index, event.asset_id))
            return
        moved_m = self._distance_m(berth, lon_deg, lat_deg)
        if moved_m == 0.0 and speed < _SAILS_KN and berth.off_since is None:
            return  # nearly always: it lies where it lay
        has_rested = berth.since is not None and event.observed_at - berth.since >= self._condition.rest
        is_off, at = berth.off_since is not None, event.observed_at
        sails = speed >= _SAILS_KN and data.nav_status not in _MOORED
        has_settled = berth.off_since is not None and at - berth.off_since >= _SETTLED and speed < _AT_REST_KN
        is_away = moved_m > self._condition.moved_m
        if sails or has_settled or (is_away and not has_rested and not is_off):
            self._leave(memory, berth, event)
        elif is_away and (berth.told_at is None or at - berth.told_at >= _TELL_EVERY):
            berth.off_since, berth.told_at = berth.off_since or at, at
            memory.dirty.add((self._index, event.asset_id))
            self._send(memory, event, moved_m)
        elif is_off and not is_away:
            # It was hauled back, or a single fix was wrong.
            berth.off_since = berth.told_at = None
            memory.dirty.add((self._index, event.asset_id))
            self._send(memory, event, 0.0)

    def _take_wind(self, memory: PartitionMemory, event: Event) -> None:
        if isinstance(event.data, WeatherObservation):
            limit = self._condition.wind_m_s
            send_wind(memory, self.rule, self._index, self._scope, event, lambda wind: wind >= limit, gusts=True)

    def _distance_m(self, berth: Berth, lon_deg: float, lat_deg: float) -> float:
        """Say how far a boat is from its berth; 0 where it is within reach anyway, as nearly always."""
        if abs(lon_deg - berth.lon_deg) + abs(lat_deg - berth.lat_deg) <= self._surely_near_deg:
            return 0.0
        return distance_m(
            Position(lon_deg=berth.lon_deg, lat_deg=berth.lat_deg), Position(lon_deg=lon_deg, lat_deg=lat_deg)
        )

    def _leave(self, memory: PartitionMemory, berth: Berth, event: Event) -> None:
        """Forget a berth: the boat sails, has long lain elsewhere, or only passed slowly."""
        if berth.off_since is not None:
            self._send(memory, event, 0.0)
        del memory.series[self._index][event.asset_id]
        memory.dirty.add((self._index, event.asset_id))

    def _send(self, memory: PartitionMemory, event: Event, moved_m: float) -> None:
        told = msgspec.structs.replace(event, data=Observation(quantity=MOVED, value=moved_m))
        memory.signals.append(Signal(scope=self._scope, event=told))

    # Where winds and boats meet

    def on_signal(self, memory: PartitionMemory, scope: str, event: Event) -> None:
        """Judge a boat, or all that are off their berths when the wind at a station changes."""
        if scope != self._scope:
            return
        mine, key = memory.series[self._index], f"{scope}{IN}{event.asset_id}"
        state = mine.get(key)
        known = state.event if isinstance(state, Adrift) else None
        if known is not None and event.observed_at <= known.observed_at:
            return
        if not isinstance(state, Adrift):
            state = mine[key] = Adrift(shape=self.rule.condition_name)
        state.event = event
        memory.dirty.add((self._index, key))
        if isinstance(event.data, Observation):
            self._judge(memory, key, state, event.observed_at)
            return
        for boat_key, boat in sorted(mine.items()):
            if isinstance(boat, Adrift) and boat.event is not None and isinstance(boat.event.data, Observation):
                self._judge(memory, boat_key, boat, max(event.observed_at, boat.event.observed_at))

    def _judge(self, memory: PartitionMemory, key: str, boat: Adrift, at: datetime) -> None:
        event = boat.event
        if event is None or not isinstance(event.data, Observation):
            return
        moved_m, station = event.data.value, self._nearest_wind(memory, event, at)
        wind = wind_of(station, gusts=True) if station is not None else None
        is_late = event.received_at - event.observed_at > self.rule.lateness
        holds = moved_m > 0 and wind is not None and wind >= self._condition.wind_m_s
        if is_late and boat.last is None:
            holds = False  # what comes too late begins nothing; that it goes on ends nothing either
        # Without a wind nothing is known: an alert that holds is not ended by that.
        clears = moved_m == 0 or wind is not None
        if holds or boat.last is not None:
            verdict = Verdict(holds, clears and not holds, moved_m, self._condition.moved_m)
            decision = evaluate(boat, self._policy, [verdict], at)
            memory.dirty.add((self._index, key))
            if decision is not None:
                subject = replace(self._subject(event, station, wind), asked=partial(self._ask, moved_m, wind))
                self._announcer.announce(memory, key, decision, subject)
            if boat.keep_since == at:
                wake_to_end(memory, self.rule, self._index, key, boat)
        if moved_m == 0 and boat.last is None:
            memory.series[self._index].pop(key, None)
            memory.dirty.add((self._index, key))

    def approaches(self, memory: PartitionMemory, place: str, asset_id: str | None) -> Iterator[Approach]:
        """Say how far a boat is from its berth; of one that is off it, what the wind is there."""
        mine = memory.series[self._index]
        own = memory.readings("", VesselPosition).get(place)
        if own is not None and own.position is not None:
            berth = mine.get(place)
            parts = [Part("at_berth", isinstance(berth, Berth))]
            if isinstance(berth, Berth):
                lay = Position(lon_deg=berth.lon_deg, lat_deg=berth.lat_deg)
                parts.append(compare(MOVED, distance_m(lay, own.position), ">", self._condition.moved_m))
            if not parts[-1].is_met:
                yield Approach(own.observed_at, tuple(parts), place, place)
        for boat in mine.values() if place == self._scope else ():
            event = boat.event if isinstance(boat, Adrift) else None
            if event is not None and isinstance(event.data, Observation) and asset_id in {None, event.asset_id}:
                station = self._nearest_wind(memory, event, memory.clock)
                wind = wind_of(station, gusts=True) if station is not None else None
                asked = tuple(self._ask(event.data.value, wind))
                yield Approach(memory.clock, asked, event.asset_id, event.asset_id)

    def _ask(self, moved_m: float, wind: float | None) -> Iterator[Part]:
        yield Part("at_berth", True)
        yield compare(MOVED, moved_m, ">", self._condition.moved_m)
        yield (Part("wind_known", False) if wind is None else compare("wind_m_s", wind, ">=", self._condition.wind_m_s))

    def _nearest_wind(self, memory: PartitionMemory, event: Event, at: datetime) -> Event | None:
        told = (state.event for state in memory.series[self._index].values() if isinstance(state, Adrift))
        return nearest_wind((item for item in told if item is not None), _place(event), at, self._condition.near_km)

    def _subject(self, event: Event, station: Event | None, wind: float | None) -> Subject:
        facts: dict[str, str | float] = {}
        inputs = [bytes(event.event_id)]
        if station is not None and wind is not None:
            names = self._world.name_of(station.asset_id)
            facts = {"wind": wind, "station_vi": names[0], "station_en": names[1]}
            inputs.append(bytes(station.event_id))
        zones = self._world.zones_at(_place(event))
        return Subject(
            labels=(("asset", event.asset_id),), event=event, asset_id=event.asset_id,
            zone_id=zones[0] if zones else None, lon_deg=event.lon_deg, lat_deg=event.lat_deg,
            input_ids=tuple(inputs), facts=facts,
        )  # fmt: skip


def _place(event: Event) -> Position:
    return Position(lon_deg=event.lon_deg or 0.0, lat_deg=event.lat_deg or 0.0)
