"""Where a vessel will be, and how much of where it was has to be kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import shapely
from shapely.geometry import LineString

from geo.distance import destination
from geo.plane import PROVINCE_PLANE
from geo.position import Position

METRES_PER_NAUTICAL_MILE = 1852.0


def project_track(
    start: Position, *, cog_deg: float, sog_kn: float, ahead: timedelta, step: timedelta = timedelta(minutes=1)
) -> list[Position]:
    """Positions a vessel passes if it keeps course and speed, one each `step`, from `start` to `ahead` inclusive.

    Raises:
        ValueError: `step` is not positive, or `ahead` is negative.
    """
    if step <= timedelta(0) or ahead < timedelta(0):
        raise ValueError(f"a track needs a positive step and no negative length, not {step} and {ahead}")
    speed_m_s = sog_kn * METRES_PER_NAUTICAL_MILE / 3600
    moments = [step * number for number in range(ahead // step + 1)]
    if moments[-1] < ahead:
        moments.append(ahead)
    return [destination(start, cog_deg, speed_m_s * moment.total_seconds()) for moment in moments]


def simplify_track(track: Sequence[Position], tolerance_m: float) -> list[Position]:
    """The track with points left out that stray less than `tolerance_m` from the line without them.

    First and last stay (Douglas and Peucker, 1973).
    """
    if len(track) < 3:
        return list(track)
    line = PROVINCE_PLANE.to_metres(LineString([(point.lon_deg, point.lat_deg) for point in track]))
    kept = shapely.get_coordinates(
        PROVINCE_PLANE.to_degrees(shapely.simplify(line, tolerance_m, preserve_topology=False))
    )
    return [Position(lon_deg=float(lon), lat_deg=float(lat)) for lon, lat in kept]
