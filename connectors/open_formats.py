"""What feeds of open formats share: anybody's server speaks them, each with a clock and an order of axes of its own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, field_validator

from connectors.feed import FeedConfig
from connectors.values import RefusedRecordError
from geo.position import Position

Region = tuple[float, float, float, float]
"""West, south, east and north, in degrees."""


class OpenFormatConfig(FeedConfig):
    """How servers are listened to that nobody here has set up."""

    expected_period: timedelta = Field(timedelta(minutes=15), description="how often the feed as a whole should speak")
    zone: str = Field("Asia/Ho_Chi_Minh", description="time zone of instants that are written without one")
    region: Region = Field(
        (102.0, 7.0, 118.0, 24.0), description="west, south, east, north: where things can be, to notice swapped axes"
    )

    @field_validator("zone")
    @classmethod
    def _check_zone(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError("no such time zone")
        return name

    @property
    def time_zone(self) -> ZoneInfo:
        """The zone itself."""
        return ZoneInfo(self.zone)


def find_first_point(geometry: Any) -> tuple[float, float] | None:
    """Give the point of a GeoJSON geometry (RFC 7946), the first one of a line or an area; None where there is none.

    Raises:
        RefusedRecordError: it is no geometry.
    """
    inside = geometry.get("coordinates") if isinstance(geometry, dict) else None
    if inside is None:
        return None
    for _ in range(4):
        if isinstance(inside, list) and inside and isinstance(inside[0], list):
            inside = inside[0]
    if not isinstance(inside, list) or len(inside) < 2 or not all(_is_degree(item) for item in inside[:2]):
        raise RefusedRecordError("location: not a geometry")
    return float(inside[0]), float(inside[1])


def to_place(point: tuple[float, float] | None, region: Region) -> tuple[Position | None, bool]:
    """Give where a point of (longitude, latitude) lies, and whether that is to be doubted: it lies outside the region.

    Raises:
        RefusedRecordError: the axes are swapped, or it is no place on the Earth.
    """
    if point is None:
        return None, False
    lon, lat = point
    is_doubtful = not _is_inside(lon, lat, region)
    if is_doubtful and _is_inside(lat, lon, region):
        raise RefusedRecordError("location: longitude and latitude are swapped")
    position = Position(lon_deg=lon, lat_deg=lat)
    if not position.is_valid:
        raise RefusedRecordError("location: not on the Earth")
    return position, is_doubtful


def _is_inside(lon: float, lat: float, region: Region) -> bool:
    west, south, east, north = region
    return west <= lon <= east and south <= lat <= north


def _is_degree(item: Any) -> bool:
    return isinstance(item, int | float) and not isinstance(item, bool) and abs(item) <= 360
