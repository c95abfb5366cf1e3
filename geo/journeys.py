"""A journey as stretches: where fixes follow each other closely enough to be joined by a line."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import shapely
from shapely.geometry import LineString

from geo.distance import distance_m
from geo.plane import PROVINCE_PLANE
from geo.position import Position

FASTEST_M_S = 60.0
"""Nothing that we follow is faster; a leap beyond it is two things under one name, or a wrong fix."""


class Fix(NamedTuple):
    """Where something was, when."""

    at: datetime
    position: Position


def split_journey(fixes: Sequence[Fix], *, longest_gap: timedelta = timedelta(minutes=10)) -> list[list[Fix]]:
    """Cut a journey where nothing was heard for longer than ``longest_gap``, and where it leaps.

    ``fixes`` are in the order of time; of several at one instant the first counts.
    """
    stretches: list[list[Fix]] = []
    for fix in fixes:
        last = stretches[-1][-1] if stretches else None
        if last is not None and fix.at <= last.at:
            continue
        if last is None or fix.at - last.at > longest_gap or _leaps(last, fix):
            stretches.append([fix])
        else:
            stretches[-1].append(fix)
    return stretches


def simplify_stretch(stretch: Sequence[Fix], tolerance_m: float) -> list[Fix]:
    """Leave out fixes that stray less than ``tolerance_m`` from the line without them (Douglas and Peucker, 1973)."""
    if len(stretch) < 3 or tolerance_m <= 0:
        return list(stretch)
    line = PROVINCE_PLANE.to_metres(LineString([(fix.position.lon_deg, fix.position.lat_deg) for fix in stretch]))
    # Simplification keeps some of the very points, in their order: walking along finds which.
    kept = [
        tuple(point) for point in shapely.get_coordinates(shapely.simplify(line, tolerance_m, preserve_topology=False))
    ]
    found: list[Fix] = []
    for fix, point in zip(stretch, map(tuple, shapely.get_coordinates(line)), strict=True):
        if len(found) < len(kept) and point == kept[len(found)]:
            found.append(fix)
    return found


def _leaps(last: Fix, fix: Fix) -> bool:
    seconds = (fix.at - last.at).total_seconds()
    return distance_m(last.position, fix.position) > FASTEST_M_S * max(seconds, 1.0)
