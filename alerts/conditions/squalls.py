"""Squall cells as a place sees them: over it, or on their way to it."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import shapely
from shapely.affinity import translate

from geo.plane import PROVINCE_PLANE
from geo.position import Position
from ioc.domain.events import Event
from ioc.domain.kinds import NowcastCell

MOST_CELLS = 64
_AHEAD = timedelta(minutes=30)
_MARGIN_M = 500.0


def is_live(cell: Event, at: datetime) -> bool:
    """Say whether a cell is in force at an instant."""
    return isinstance(cell.data, NowcastCell) and cell.data.status == "actual" and at < cell.data.valid_until


def sweeps(cell: Event, position: Position, at: datetime) -> bool:
    """Say whether a cell is over a place, or comes over it within half an hour if it moves on as it does."""
    data = cell.data
    if not isinstance(data, NowcastCell) or not is_live(cell, at):
        return False
    east_m_s, north_m_s = _velocity(data)
    outline = PROVINCE_PLANE.to_metres(shapely.from_wkt(data.polygon_wkt))
    since_s = (at - cell.observed_at).total_seconds()
    until_s = since_s + min(_AHEAD, data.valid_until - at).total_seconds()
    now, later = (translate(outline, east_m_s * passed_s, north_m_s * passed_s) for passed_s in (since_s, until_s))
    east, north = PROVINCE_PLANE.metres_per_degree
    place = shapely.Point(position.lon_deg * east, position.lat_deg * north)
    return bool(now.union(later).convex_hull.distance(place) <= _MARGIN_M)


def _velocity(data: NowcastCell) -> tuple[float, float]:
    """East and north parts; nothing where course or speed is not known."""
    if data.move_dir_deg is None or data.move_m_s is None:
        return 0.0, 0.0
    course = math.radians(data.move_dir_deg)
    return data.move_m_s * math.sin(course), data.move_m_s * math.cos(course)
