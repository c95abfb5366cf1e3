"""Boats with AIS: they follow the province's routes, rest in port between trips, and report as AIS does."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from shapely.geometry import LineString

from geo.catalogue import load_places
from simulators.message import Message, WireTime
from simulators.province import Process
from simulators.scenario import Scenario
from simulators.wire.nmea import encode_name, encode_position

FLEET = 180
UNDER_WAY = timedelta(seconds=10)
MOORED = timedelta(minutes=3)
_NAME_EVERY = 20
_METRES_A_DEGREE = 111_320.0
_KN_M_S = 0.514444
_NAMES = (
    "HA LONG",
    "BAI TU LONG",
    "PARADISE",
    "HUONG HAI",
    "VINH XANH",
    "SONG BIEN",
    "HOANG GIA",
    "BIEN NGOC",
    "CO TO",
)


@dataclass(slots=True)
class Boat:
    """One boat: its route and where on it, its state, its habits."""

    mmsi: int
    name: str
    line: LineString
    speed_kn: float
    rest: timedelta
    moved_at: datetime
    leaves_at: datetime
    along_m: float = 0.0
    is_moored: bool = True
    reports_count: int = 0

    @property
    def length_m(self) -> float:
        """Length of the route."""
        return float(self.line.length) * _METRES_A_DEGREE


class Boats(Process):
    """The fleet. A round trip of a tour ends where it began; a ferry turns round."""

    feed_id = "vessels"

    def __init__(
        self, scenario: Scenario, start_at: datetime, random: Random, wire_time: WireTime, scale: float
    ) -> None:
        super().__init__(scenario, start_at, random, wire_time)
        routes = [place.geometry for place in load_places() if place.kind == "route"]
        for number in range(max(1, round(FLEET * scale))):
            boat = self._make(number, routes[number % len(routes)])
            self.schedule(start_at + random.random() * UNDER_WAY, boat)

    def _make(self, number: int, line: LineString) -> Boat:
        boat = Boat(
            mmsi=574_000_000 + number + 1,
            name=f"{_NAMES[number % len(_NAMES)]} {number + 1:02d}",
            line=line,
            speed_kn=self.random.uniform(6.5, 11.0),
            rest=self.in_(600, 5_400),
            moved_at=self.start_at,
            leaves_at=self.start_at,
        )
        if self.random.random() < 0.55:
            boat.is_moored = False
            boat.along_m = self.random.random() * boat.length_m
        else:
            boat.leaves_at = self.start_at + self.random.random() * boat.rest
        return boat

    def act(self, at: datetime, item: Boat) -> Iterator[Message]:
        """Move a boat to now, report it, and come again when AIS would."""
        self._move(item, at)
        again = min(at + MOORED, max(item.leaves_at, at + UNDER_WAY)) if item.is_moored else at + UNDER_WAY
        self.schedule(again, item)
        if not self._is_silent(item, at):
            yield from self._report(item, at)

    def _move(self, boat: Boat, at: datetime) -> None:
        passed_s = (at - boat.moved_at).total_seconds()
        boat.moved_at = at
        if boat.is_moored:
            if at >= boat.leaves_at and not self._should_shelter(boat, at):
                boat.is_moored, boat.along_m = False, 0.0
            return
        boat.along_m += boat.speed_kn * _KN_M_S * passed_s
        if boat.along_m >= boat.length_m:
            boat.is_moored, boat.along_m = True, 0.0
            boat.leaves_at = at + boat.rest
            if boat.line.coords[0] != boat.line.coords[-1]:
                boat.line = LineString(list(boat.line.coords)[::-1])

    def _should_shelter(self, boat: Boat, at: datetime) -> bool:
        return any(
            (boat.mmsi % 100) / 100 < float(effect.facts["share"])
            for effect, _ in self.acting("vessels.seek_shelter", at)
        )

    def _is_silent(self, boat: Boat, at: datetime) -> bool:
        number = boat.mmsi - 574_000_000
        return any(number in effect.facts["vessels"] for effect, _ in self.acting("vessels.silent", at))

    def _report(self, boat: Boat, at: datetime) -> Iterator[Message]:
        lon, lat, course = self._place(boat)
        wire_at = self.wire_time(at)
        speed = 0.0 if boat.is_moored else max(0.0, boat.speed_kn + self.random.gauss(0, 0.2))
        if boat.reports_count % _NAME_EVERY == 0:
            for line in encode_name(boat.mmsi, boat.name, wire_at):
                yield Message(at, self.feed_id, line)
        boat.reports_count += 1
        line = encode_position(
            boat.mmsi, lon_deg=lon, lat_deg=lat, sog_kn=speed, cog_deg=course, is_moored=boat.is_moored, at=wire_at
        )
        yield Message(at, self.feed_id, line)

    def _place(self, boat: Boat) -> tuple[float, float, float]:
        along = min(boat.along_m, boat.length_m) / _METRES_A_DEGREE
        here, ahead = boat.line.interpolate(along), boat.line.interpolate(along + 0.0005)
        if ahead.equals(here):
            back = boat.line.interpolate(max(0.0, along - 0.0005))
            here, ahead, point = back, here, here
        else:
            point = here
        east = (ahead.x - here.x) * math.cos(math.radians(point.y))
        course = math.degrees(math.atan2(east, ahead.y - here.y)) % 360
        return point.x, point.y, course
