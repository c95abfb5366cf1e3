"""Which zones and which unit a place lies in, looked up for a whole batch at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, Point, Polygon

from geo.geojson import code_of, features_of, geometry_of, properties_of, to_area
from geo.plane import PROVINCE_PLANE
from geo.position import Position


class ZoneKind(StrEnum):
    """What a zone is for."""

    WATER = "water"
    PORT = "port"
    SHELTER = "shelter"
    ANCHORAGE = "anchorage"
    BORDER_YARD = "border_yard"
    COVERAGE_HOLE = "coverage_hole"
    ROUTE_AREA = "route_area"
    CROWD_SITE = "crowd_site"


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A named area that rules speak of; `polygon` in degrees."""

    zone_id: str
    name_vi: str
    name_en: str
    kind: ZoneKind
    polygon: Polygon | MultiPolygon
    surveyed: bool


class UnknownZoneError(LookupError):
    """A rule or a caller names a zone that is not on the map."""

    def __init__(self, zone_id: str) -> None:
        """Keep the id that was asked for."""
        super().__init__(f"no zone {zone_id!r}")
        self.zone_id = zone_id


def to_zones(collection: Mapping[str, object]) -> tuple[Zone, ...]:
    """The zones of a feature collection, ordered by id.

    Raises:
        GeoJsonError: a geometry is missing or cannot be read.
        KeyError: a property is missing.
        ValueError: a kind is unknown.
    """
    zones = []
    for item in features_of(collection):
        facts = properties_of(item)
        zones.append(
            Zone(
                zone_id=str(facts["id"]),
                name_vi=str(facts["name_vi"]),
                name_en=str(facts["name_en"]),
                kind=ZoneKind(str(facts["kind"])),
                polygon=to_area(geometry_of(item)),
                surveyed=facts["surveyed"] is True,
            )
        )
    return tuple(sorted(zones, key=lambda zone: zone.zone_id))


class ZoneIndex:
    """Zones and units, ready to be asked about thousands of positions a second; never changes once built."""

    def __init__(self, zones: Sequence[Zone], units: Mapping[str, Polygon | MultiPolygon] | None = None) -> None:
        """Index the zones, and the units' areas in degrees by code where the nearest unit will be asked for."""
        # In the order of the ids, so that each answer comes out sorted.
        ordered = sorted(zones, key=lambda zone: zone.zone_id)
        self.zones: dict[str, Zone] = {zone.zone_id: zone for zone in ordered}
        self._zone_ids = list(self.zones)
        self._scale = PROVINCE_PLANE.metres_per_degree
        self._areas = np.array([zone.polygon for zone in ordered], dtype=object)
        shapely.prepare(self._areas)
        self._tree = shapely.STRtree(self._areas)
        self._areas_m = {zone.zone_id: PROVINCE_PLANE.to_metres(zone.polygon) for zone in ordered}
        pieces = [
            (code, PROVINCE_PLANE.to_metres(piece))
            for code, area in sorted((units or {}).items())
            for piece in (area.geoms if isinstance(area, MultiPolygon) else [area])
        ]
        # Islands stand in the tree one by one: a box around a whole archipelago would tell little.
        self._unit_codes = [code for code, _ in pieces]
        self._unit_areas = np.array([piece for _, piece in pieces], dtype=object)
        shapely.prepare(self._unit_areas)
        self._unit_tree = shapely.STRtree(self._unit_areas)

    @classmethod
    def from_features(cls, zones: Mapping[str, object], units: Mapping[str, object] | None = None) -> ZoneIndex:
        """Index zones, and units where given, from GeoJSON feature collections."""
        areas = {code_of(item): to_area(geometry_of(item)) for item in features_of(units)} if units else None
        return cls(to_zones(zones), areas)

    def locate(self, lon_deg: NDArray[np.float64], lat_deg: NDArray[np.float64]) -> list[tuple[str, ...]]:
        """For each place the ids of the zones it lies in, sorted; both arrays of shape (n,), NaN lies nowhere.

        A place exactly on a zone's edge is outside.
        """
        found: list[tuple[str, ...]] = [()] * len(lon_deg)
        at, zone = self._tree.query(shapely.points(np.column_stack((lon_deg, lat_deg))))
        if not len(at):
            return found
        is_inside = shapely.contains_xy(self._areas[zone], lon_deg[at], lat_deg[at])
        at, zone = at[is_inside], zone[is_inside]
        order = np.lexsort((zone, at))
        for index, zone_number in zip(at[order].tolist(), zone[order].tolist(), strict=True):
            found[index] += (self._zone_ids[zone_number],)
        return found

    def distance_outside_m(self, zone_id: str, position: Position) -> float:
        """How far the position lies outside the zone, 0 inside: a boat with a jittering fix has not left at 20 m.

        Raises:
            UnknownZoneError: there is no such zone.
        """
        area = self._areas_m.get(zone_id)
        if area is None:
            raise UnknownZoneError(zone_id)
        east, north = self._scale
        return float(shapely.distance(area, Point(position.lon_deg * east, position.lat_deg * north)))

    def nearest_unit(self, lon_deg: NDArray[np.float64], lat_deg: NDArray[np.float64]) -> list[str]:
        """For each place the code of the unit it lies in, or else of the nearest one; "" for NaN and without units.

        Bay water belongs to no unit. Both arrays of shape (n,).
        """
        found = [""] * len(lon_deg)
        at = np.flatnonzero(np.isfinite(lon_deg) & np.isfinite(lat_deg))
        if not len(at) or not self._unit_codes:
            return found
        places = np.column_stack((lon_deg[at], lat_deg[at])) * self._scale
        points = shapely.points(places)
        nearest = np.full(len(at), -1)
        # To lie inside is cheap to see; only what is out on the water needs the search for the nearest shore.
        which, piece = self._unit_tree.query(points)
        is_inside = shapely.contains_xy(self._unit_areas[piece], places[which, 0], places[which, 1])
        nearest[which[is_inside]] = piece[is_inside]
        outside = np.flatnonzero(nearest < 0)
        if len(outside):
            nearest[outside] = self._unit_tree.nearest(points[outside])
        for index, number in zip(at.tolist(), nearest.tolist(), strict=True):
            found[index] = self._unit_codes[number]
        return found
