"""What the shore station hears of the fleet: positions as often as AIS sends them, and now and then a name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import shapely

from geo.catalogue import load_zones
from geo.zones import ZoneKind
from simulators.feeds.fleet import Boat, Timetable, Trade, build_fleet
from simulators.feeds.port_office import PortOffice
from simulators.message import Message
from simulators.province import Process, World
from simulators.scenario import Effect
from simulators.waterways import to_track
from simulators.wire.nmea import Voyage, encode_class_b, encode_name, encode_position, encode_voyage

UNDER_WAY = timedelta(seconds=10)
MOORED = timedelta(minutes=3)
CLASS_B = timedelta(seconds=30)
BEFORE = timedelta(hours=9)
"""How long the fleet sails unheard before the start, so that boats are where the hour of the day has them."""
TRIP_KN = 9.0
_NAME_EVERY = 20
_LIES_IN = frozenset({ZoneKind.PORT, ZoneKind.SHELTER, ZoneKind.ANCHORAGE})

_FIRST_FIX_AGE = timedelta(seconds=5)
_UNSEEN_STEP_S = 60.0
"""Nobody sees the hours before the start: a minute is fine enough to find where boats are by then."""


class Boats(Process):
    """The fleet as AIS: every 10 s under way, every 3 min where it lies, every 30 s from class B sets."""

    feed_id = "vessels"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._table = Timetable(world.hour, world.scenario.busy)
        before_at = world.start_at - BEFORE
        self.fleet = build_fleet(world.seed, world.scale, before_at, self._table)
        zones = load_zones()
        self._holes = shapely.union_all([zone.polygon for zone in zones if zone.kind is ZoneKind.COVERAGE_HOLE])
        shapely.prepare(self._holes)
        self._harbours = shapely.union_all([zone.polygon for zone in zones if zone.kind in _LIES_IN])
        self._areas = {zone.zone_id: zone.polygon for zone in zones}
        self._silenced: dict[Effect, frozenset[int]] = {}
        self._turned: dict[Effect, set[int]] = {}
        self._office = PortOffice(world)
        for boat in self.fleet:
            boat.advance(world.start_at, self._table.next_leave, may_leave=True, step_s=_UNSEEN_STEP_S)
            self.schedule(world.start_at + self.random.random() * UNDER_WAY, boat)
        for effect in world.scenario.effects:
            if effect.name in ("vessels.silent", "vessels.trip", "vessels.sos"):
                self.schedule(world.start_at + effect.at, effect)

    def beginning(self) -> Iterator[Message]:
        """Give where every boat is at the start, so that its next report already shows it moving.

        The fix is dated a little back: two fixes within one second of AIS would be one.
        """
        at = self.world.start_at - _FIRST_FIX_AGE
        for boat in self.fleet:
            if not boat.is_moored:
                yield from self._office.clear(boat, at)
            lon_deg, lat_deg, course_deg = boat.place()
            if not self._holes.contains(shapely.Point(lon_deg, lat_deg)):
                yield from self._report(boat, at, lon_deg, lat_deg, course_deg)

    def act(self, at: datetime, item: Boat | Effect) -> Iterator[Message]:
        """Move a boat to now, report it, and come again when AIS would; or let an effect begin."""
        if isinstance(item, Effect):
            yield from self._begin(at, item)
            return
        told_back = self._heed_warnings(item, at)
        was_moored = item.is_moored
        item.advance(at, self._table.next_leave, may_leave=not told_back)
        self.schedule(self._next_report_at(item, at), item)
        if item.is_moored is not was_moored:
            yield from self._office.receive(item, at) if item.is_moored else self._office.clear(item, at)
        lon_deg, lat_deg, course_deg = item.place()
        if any(item.number in silent for effect, silent in self._silenced.items() if self._acts(effect, at)):
            return
        if not self._holes.contains(shapely.Point(lon_deg, lat_deg)):
            yield from self._report(item, at, lon_deg, lat_deg, course_deg)

    def _next_report_at(self, boat: Boat, at: datetime) -> datetime:
        if boat.speed_kn > 0:
            return at + (CLASS_B if boat.trade is Trade.FISHER else UNDER_WAY)
        leaves_at = boat.leaves_at if boat.is_moored else boat.resumes_at
        return min(at + MOORED, max(leaves_at or at, at + UNDER_WAY))

    def _acts(self, effect: Effect, at: datetime) -> bool:
        return effect.strength(at - self.world.start_at) > 0

    def _heed_warnings(self, boat: Boat, at: datetime) -> bool:
        """Turn a boat back that heeds the call to seek shelter, once; say whether it must stay in."""
        is_called = False
        for effect, _ in self.world.acting("vessels.seek_shelter", at):
            if boat.obeys >= float(effect.facts["share"]):
                continue
            is_called = True
            turned = self._turned.setdefault(effect, set())
            delay = timedelta(seconds=20 + 220 * boat.obeys)
            if boat.number not in turned and at >= self.world.start_at + effect.at + delay:
                turned.add(boat.number)
                boat.turn_back()
        return is_called

    def _begin(self, at: datetime, effect: Effect) -> Iterator[Message]:
        facts = effect.facts
        if effect.name == "vessels.sos":
            yield self._office.call(self._boat(facts), at, str(facts["cause"]))
            return
        if effect.name == "vessels.trip":
            boat = self._boat(facts)
            boat.leaves_at, boat.is_moored, boat.obeys = at, True, 1.0
            boat.moved_at, boat.along_m = at, 0.0
            # It sails through without landing, at a pace of its own, so that a scenario knows where it is and when.
            boat.track, boat.cruise_kn = to_track(boat.track.points), TRIP_KN
            return
        if "vessels" in facts:
            self._silenced[effect] = frozenset(int(number) for number in facts["vessels"])
            return
        found = [boat for boat in self.fleet if self._is_far_out(boat, str(facts["area"]), at)]
        # Those that stay out come first: a boat on its way home is missed less.
        found.sort(key=lambda boat: (-boat.obeys, boat.number))
        self._silenced[effect] = frozenset(boat.number for boat in found[: int(facts["count"])])

    def _boat(self, facts: Mapping[str, Any]) -> Boat:
        return self.fleet[(int(facts["vessel"]) - 1) % len(self.fleet)]

    def _is_far_out(self, boat: Boat, area: str, at: datetime) -> bool:
        """Say whether a boat sails in an area where it should be heard, with a good way before it."""
        if boat.speed_kn < 3.0 or boat.track.length_m - boat.along_m < 6_000:
            return False
        point = shapely.Point(*boat.place()[:2])
        near = point.buffer(0.01)
        return bool(self._areas[area].contains(point)) and not (
            near.intersects(self._holes) or near.intersects(self._harbours)
        )

    def _report(self, boat: Boat, at: datetime, lon: float, lat: float, course: float) -> Iterator[Message]:
        wire_at = self.world.wire_time(at)
        if boat.reports_count % _NAME_EVERY == 0:
            for line in self._name(boat, wire_at):
                yield Message(at, self.feed_id, line)
        boat.reports_count += 1
        sog = boat.speed_kn
        heading = course if sog > 0 else (course + 40) % 360
        facts: dict[str, Any] = {"lon_deg": lon, "lat_deg": lat, "sog_kn": sog, "cog_deg": course, "at": wire_at}
        if boat.trade is Trade.FISHER:
            yield Message(at, self.feed_id, encode_class_b(boat.mmsi, heading_deg=heading, **facts))
            return
        status = 0 if sog > 0 else 5 if boat.is_moored and boat.trade is not Trade.FREIGHTER else 1
        yield Message(at, self.feed_id, encode_position(boat.mmsi, heading_deg=heading, nav_status=status, **facts))

    def _name(self, boat: Boat, wire_at: datetime) -> list[bytes]:
        if boat.trade is Trade.FISHER:
            return encode_name(boat.mmsi, boat.name, wire_at)
        voyage = Voyage(name=boat.name, ship_type=boat.trade.ship_type, sequence=boat.number % 10)
        return encode_voyage(boat.mmsi, voyage, wire_at)
