"""The local flat plane in which metres are measured: geographic degrees to metres around one latitude."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar, cast

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

Geometry = TypeVar("Geometry", bound=BaseGeometry)

EARTH_RADIUS_M = 6_371_008.8
"""Mean radius of the Earth (IUGG)."""

PROVINCE_LATITUDE_DEG = 21.1
"""Middle latitude of Quảng Ninh: over its 1.5 degrees the east-west scale errs by less than 0.6 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalPlane:
    """An equirectangular plane: good to 1 % across the province, and exact enough for a zone's edge."""

    latitude_deg: float = PROVINCE_LATITUDE_DEG

    @property
    def metres_per_degree(self) -> NDArray[np.float64]:
        """Metres in one degree of longitude and of latitude; shape (2,)."""
        north = math.radians(1.0) * EARTH_RADIUS_M
        return np.array([north * math.cos(math.radians(self.latitude_deg)), north])

    def to_metres(self, geometry: Geometry) -> Geometry:
        """The same shape with coordinates in metres instead of degrees."""
        return cast("Geometry", shapely.transform(geometry, lambda points: points * self.metres_per_degree))

    def to_degrees(self, geometry: Geometry) -> Geometry:
        """The same shape with coordinates in degrees instead of metres."""
        return cast("Geometry", shapely.transform(geometry, lambda points: points / self.metres_per_degree))


PROVINCE_PLANE = LocalPlane()
"""The plane used for every length inside the province."""
