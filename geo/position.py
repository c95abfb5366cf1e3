"""Where something is: one place on the Earth, and whether the place can be believed."""

from __future__ import annotations

import math
from dataclasses import dataclass

PROVINCE_BOX_DEG = (106.2, 20.4, 108.8, 21.9)
"""West, south, east, north of a generous box around the province, its islands and its sea."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A place in WGS 84 degrees, longitude first as GeoJSON has it."""

    lon_deg: float
    lat_deg: float

    @property
    def is_valid(self) -> bool:
        """Whether the numbers can be a place at all: AIS sends 181 and 91 degrees for "not available"."""
        return (
            math.isfinite(self.lon_deg)
            and math.isfinite(self.lat_deg)
            and -180.0 <= self.lon_deg <= 180.0
            and -90.0 <= self.lat_deg <= 90.0
        )


def is_in_province_box(position: Position) -> bool:
    """Whether the place lies in the generous box 106.2–108.8 E, 20.4–21.9 N; edges count as inside."""
    west, south, east, north = PROVINCE_BOX_DEG
    return west <= position.lon_deg <= east and south <= position.lat_deg <= north


def looks_swapped(position: Position) -> bool:
    """Whether a sender has put latitude into longitude: outside the box as sent, inside it when turned round."""
    turned = Position(lon_deg=position.lat_deg, lat_deg=position.lon_deg)
    return not is_in_province_box(position) and is_in_province_box(turned)
