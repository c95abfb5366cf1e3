"""Buses on the coast road and shuttles of the bay: every fifteen seconds where all of them are, as GTFS-realtime."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from google.transit import gtfs_realtime_pb2
from shapely.geometry import Point

from geo.catalogue import load_places
from geo.distance import bearing_deg, destination, distance_m
from geo.position import Position
from simulators.message import Message
from simulators.province import Process, World

PERIOD = timedelta(seconds=15)
_FIRST_H, _LAST_H = 5.0, 22.0
_STOP_S = (20.0, 60.0)
_ROUTES: tuple[tuple[str, int, float, tuple[str, ...]], ...] = (
    ("bus-01", 8, 9.0, ("site-bai-chay-beach", "bridge-bai-chay", "port-hon-gai", "ioc-quang-ninh", "port-cua-ong")),
    ("bus-02", 6, 11.0, ("port-cua-ong", "port-cai-rong", "airport-van-don")),
    ("bus-03", 6, 10.0, ("gate-bac-luan-2", "sight-tra-co")),
    ("bus-04", 6, 11.0, ("site-bai-chay-beach", "site-yen-tu", "mine-mao-khe")),
    ("shuttle-bay", 10, 6.0, ("port-tuan-chau", "port-ha-long", "site-sun-world", "site-bai-chay-beach")),
)
"""Route, vehicles, speed in m/s, stops. Lines between known places, straight and not surveyed: they follow no road."""


@dataclass(slots=True)
class _Vehicle:
    vehicle_id: str
    route: str
    speed_m_s: float
    stops: tuple[Position, ...]
    place: Position
    goal: int
    heading_deg: float = 0.0
    load_pct: float = 30.0
    now_m_s: float = 0.0
    waits_until: datetime | None = None


class Vehicles(Process):
    """All vehicles in one message, as an operator's server shows them; a scale adds vehicles."""

    feed_id = "transit"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        places = {
            place.place_id: Position(lon_deg=place.geometry.x, lat_deg=place.geometry.y)
            for place in load_places()
            if isinstance(place.geometry, Point)
        }
        self._vehicles: list[_Vehicle] = []
        for route, count, speed, names in _ROUTES:
            stops = tuple(places[name] for name in (*names, *names[-2:0:-1]))
            for number in range(max(1, round(count * world.scale))):
                goal = self.random.randrange(len(stops))
                vehicle = _Vehicle(
                    f"{route}-{number + 1}", route, speed * self.random.uniform(0.85, 1.1), stops, stops[goal], goal
                )
                # Spread over the line: each begins somewhere on its way.
                self._drive(vehicle, world.start_at, self.random.uniform(0, 1_800))
                self._vehicles.append(vehicle)
        self.schedule(world.start_at + self.random.random() * PERIOD, None)

    def act(self, at: datetime, item: None) -> Iterator[Message]:
        """Move everybody, and show where they are; at night they stand empty, and their sets go on reporting."""
        self.schedule(at + PERIOD, item)
        feed = gtfs_realtime_pb2.FeedMessage()
        feed.header.gtfs_realtime_version = "2.0"
        feed.header.timestamp = stamp = int(self.world.wire_time(at).timestamp())
        is_service = _FIRST_H <= self.world.hour(at) < _LAST_H
        for vehicle in self._vehicles:
            if is_service:
                self._drive(vehicle, at, PERIOD.total_seconds())
            else:
                vehicle.now_m_s, vehicle.load_pct, vehicle.waits_until = 0.0, 0.0, at + PERIOD
            self._show(vehicle, feed.entity.add(), stamp)
        yield Message(at, self.feed_id, feed.SerializeToString(deterministic=True))

    def _drive(self, vehicle: _Vehicle, at: datetime, seconds: float) -> None:
        if vehicle.waits_until is not None and at < vehicle.waits_until:
            return
        vehicle.waits_until = None
        vehicle.now_m_s = vehicle.speed_m_s * self.random.uniform(0.6, 1.1)
        left_m = vehicle.now_m_s * seconds
        while True:
            goal = vehicle.stops[vehicle.goal]
            ahead_m = distance_m(vehicle.place, goal)
            if ahead_m > left_m:
                vehicle.heading_deg = bearing_deg(vehicle.place, goal)
                vehicle.place = destination(vehicle.place, vehicle.heading_deg, left_m)
                return
            vehicle.place, vehicle.goal = goal, (vehicle.goal + 1) % len(vehicle.stops)
            vehicle.load_pct = min(120.0, max(0.0, vehicle.load_pct + self.random.gauss(0, 18)))
            left_m -= ahead_m
            if seconds <= PERIOD.total_seconds():
                vehicle.now_m_s, vehicle.waits_until = 0.0, at + self.in_(*_STOP_S)
                return

    def _show(self, vehicle: _Vehicle, entity: gtfs_realtime_pb2.FeedEntity, stamp: int) -> None:
        entity.id = vehicle.vehicle_id
        shown = entity.vehicle
        shown.vehicle.id = vehicle.vehicle_id
        shown.trip.route_id = vehicle.route
        shown.position.longitude = vehicle.place.lon_deg
        shown.position.latitude = vehicle.place.lat_deg
        shown.position.speed = round(vehicle.now_m_s, 1)
        shown.position.bearing = round(vehicle.heading_deg, 1) % 360
        shown.occupancy_percentage = round(vehicle.load_pct)
        shown.current_status = shown.STOPPED_AT if vehicle.waits_until is not None else shown.IN_TRANSIT_TO
        shown.timestamp = stamp
