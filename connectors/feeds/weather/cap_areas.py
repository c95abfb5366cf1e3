"""Areas of CAP to ours: polygons and circles by overlap, codes and names by the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from xml.etree.ElementTree import Element

import shapely
from shapely.geometry import Point, Polygon
from shapely.geometry.base import BaseGeometry

from connectors.values import RefusedRecordError
from geo.catalogue import load_units, load_zones
from geo.plane import PROVINCE_PLANE
from geo.zones import ZoneKind

_LEAST_SHARE = 0.01
_LEAST_M2 = 1_000_000.0
_MOST_POINTS = 10_000
_MOST_RADIUS_KM = 2_000.0
_PROVINCE = frozenset({"quảng ninh", "tỉnh quảng ninh", "quang ninh", "quang ninh province", "vn-13"})
"""The province's names, and its code in ISO 3166-2."""


class AreaIndex:
    """Our zones and units, to be found by shape, code or name. Zones are areas by their id, units by their code."""

    def __init__(self) -> None:
        zones = [zone for zone in load_zones() if zone.kind is not ZoneKind.COVERAGE_HOLE]
        units = load_units()
        self.units = frozenset(unit.code for unit in units)
        self.area_ids = (*(zone.zone_id for zone in zones), *(unit.code for unit in units))
        shapes = [zone.polygon for zone in zones] + [unit.area for unit in units]
        self._shapes = [PROVINCE_PLANE.to_metres(shape) for shape in shapes]
        self._tree = shapely.STRtree(self._shapes)
        self._names: dict[str, set[str]] = {}
        named = [(zone.zone_id, zone.name_vi, zone.name_en) for zone in zones]
        named += [(unit.code, unit.name_vi, unit.name_en) for unit in units]
        for area_id, *names in named:
            for name in (area_id, *names):
                self._names.setdefault(name.casefold(), set()).add(area_id)

    def overlap(self, shape: BaseGeometry) -> set[str]:
        """Give the areas of which the shape (in degrees) covers 1 % or a square kilometre, or that hold a point."""
        plane = PROVINCE_PLANE.to_metres(shape)
        found: set[str] = set()
        for place in self._tree.query(plane, predicate="intersects"):
            whole = self._shapes[place]
            covered = shapely.intersection(whole, plane).area
            if plane.area == 0 or covered >= min(_LEAST_M2, _LEAST_SHARE * whole.area):
                found.add(self.area_ids[place])
        return found

    def find(self, name: str) -> set[str]:
        """Give the areas of a code or a name; the province's are all."""
        key = " ".join(name.split()).casefold()
        if key in _PROVINCE:
            return set(self.area_ids)
        return self._names.get(key, set())


@cache
def load_areas() -> AreaIndex:
    """Give the index of the shipped map, made once."""
    return AreaIndex()


def match_areas(areas: Sequence[Element], namespace: str) -> tuple[str, ...]:
    """Give the ids of our zones and units that the areas of an info block cover, sorted; none when they lie elsewhere.

    Raises:
        RefusedRecordError: a shape cannot be true, or an area is only described in words and codes unknown here.
    """
    index, found, unknown = load_areas(), set[str](), False
    for area in areas:
        shapes = [_to_polygon(_text(item)) for item in area.findall(f"{namespace}polygon")]
        shapes += [_to_circle(_text(item)) for item in area.findall(f"{namespace}circle")]
        matched = set[str]().union(*(index.overlap(shape) for shape in shapes))
        for code in area.findall(f"{namespace}geocode"):
            matched |= index.find(_text(code.find(f"{namespace}value")))
        if not shapes and not matched:
            described = _text(area.find(f"{namespace}areaDesc")).replace(";", ",").split(",")
            matched = set[str]().union(*(index.find(name) for name in described))
            unknown = unknown or not matched
        found |= matched
    if unknown and not found:
        raise RefusedRecordError("area: neither a shape, a code nor a name that is known here")
    return tuple(sorted(found))


def _to_polygon(text: str) -> Polygon:
    pairs = text.split()
    if not 4 <= len(pairs) <= _MOST_POINTS:
        raise RefusedRecordError("polygon: fewer than 4 points, or too many")
    points = [_to_point(pair) for pair in pairs]
    if points[0] != points[-1]:
        raise RefusedRecordError("polygon: not closed")
    polygon = Polygon(points)
    if not polygon.is_valid:
        raise RefusedRecordError("polygon: crosses itself, or has no area")
    return polygon


def _to_circle(text: str) -> BaseGeometry:
    place, _, radius = text.strip().partition(" ")
    radius_km = _to_number(radius)
    if not 0 <= radius_km <= _MOST_RADIUS_KM:
        raise RefusedRecordError("circle: a radius that cannot be true")
    centre = Point(_to_point(place))
    if radius_km == 0:
        return centre
    return PROVINCE_PLANE.to_degrees(PROVINCE_PLANE.to_metres(centre).buffer(radius_km * 1_000))


def _to_point(pair: str) -> tuple[float, float]:
    """Read ``lat,lon`` into (lon, lat)."""
    lat, comma, lon = pair.partition(",")
    lat_deg, lon_deg = _to_number(lat), _to_number(lon)
    if not comma or not -90 <= lat_deg <= 90 or not -180 <= lon_deg <= 180:
        raise RefusedRecordError("a place that is not on the Earth: latitude comes first")
    return lon_deg, lat_deg


def _to_number(text: str) -> float:
    try:
        return float(text) if text.strip().lower().lstrip("+-")[:1].isdecimal() else float("nan")
    except ValueError:
        return float("nan")


def _text(item: Element | None) -> str:
    return "" if item is None or item.text is None else item.text.strip()
