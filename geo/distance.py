"""Lengths and directions on the sphere."""

from __future__ import annotations

import math

from geo.plane import EARTH_RADIUS_M
from geo.position import Position


def distance_m(a: Position, b: Position) -> float:
    """Great-circle distance by the haversine formula; within 0.5 % of the ellipsoid."""
    lat_a, lat_b = math.radians(a.lat_deg), math.radians(b.lat_deg)
    half_lat = math.sin((lat_b - lat_a) / 2)
    half_lon = math.sin(math.radians(b.lon_deg - a.lon_deg) / 2)
    chord = half_lat * half_lat + math.cos(lat_a) * math.cos(lat_b) * half_lon * half_lon
    return 2 * EARTH_RADIUS_M * math.asin(math.sqrt(min(1.0, chord)))


def bearing_deg(a: Position, b: Position) -> float:
    """Initial course from `a` to `b`, clockwise from true north, in [0, 360); 0 where the two are one place."""
    lat_a, lat_b = math.radians(a.lat_deg), math.radians(b.lat_deg)
    turn = math.radians(b.lon_deg - a.lon_deg)
    east = math.sin(turn) * math.cos(lat_b)
    north = math.cos(lat_a) * math.sin(lat_b) - math.sin(lat_a) * math.cos(lat_b) * math.cos(turn)
    course = math.degrees(math.atan2(east, north)) % 360.0
    # A course a hair west of north is rounded up to 360.0 by the modulo.
    return 0.0 if course == 360.0 else course


def destination(position: Position, bearing_deg: float, distance_m: float) -> Position:
    """The place reached from `position` on the great circle that starts with the given course."""
    course, arc = math.radians(bearing_deg), distance_m / EARTH_RADIUS_M
    lat, lon = math.radians(position.lat_deg), math.radians(position.lon_deg)
    sin_lat = math.sin(lat) * math.cos(arc) + math.cos(lat) * math.sin(arc) * math.cos(course)
    lat_end = math.asin(max(-1.0, min(1.0, sin_lat)))
    east = math.sin(course) * math.sin(arc) * math.cos(lat)
    lon_end = math.degrees(lon + math.atan2(east, math.cos(arc) - math.sin(lat) * sin_lat))
    return Position(lon_deg=(lon_end + 180.0) % 360.0 - 180.0, lat_deg=math.degrees(lat_end))
