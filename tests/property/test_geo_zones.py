"""The zone index against the plain question, one zone and one place at a time."""

from __future__ import annotations

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Point, Polygon

from geo.catalogue import load_units, load_zone_index, load_zones
from geo.plane import PROVINCE_PLANE
from geo.position import PROVINCE_BOX_DEG, Position
from geo.zones import Zone, ZoneIndex, ZoneKind

WEST, SOUTH, EAST, NORTH = PROVINCE_BOX_DEG
LON = st.floats(WEST, EAST) | st.floats(106.9, 107.3)
LAT = st.floats(SOUTH, NORTH) | st.floats(20.8, 21.0)
PLACES = st.lists(st.tuples(LON, LAT), max_size=60)
TRIANGLES = st.lists(st.tuples(LON, LAT), min_size=3, max_size=3).map(Polygon).filter(lambda area: area.area > 1e-9)


def zone(number: int, polygon: Polygon) -> Zone:
    return Zone(
        zone_id=f"z-{number:02d}", name_vi="z", name_en="z", kind=ZoneKind.WATER, polygon=polygon, surveyed=False
    )


def brute_force(zones: list[Zone], places: list[tuple[float, float]]) -> list[tuple[str, ...]]:
    return [tuple(sorted(zone.zone_id for zone in zones if zone.polygon.contains(Point(place)))) for place in places]


def to_arrays(places: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    points = np.array(places, dtype=float).reshape(-1, 2)
    return points[:, 0], points[:, 1]


@given(PLACES)
def test_the_shipped_zones_are_found_as_by_brute_force(places: list[tuple[float, float]]) -> None:
    assert load_zone_index().locate(*to_arrays(places)) == brute_force(list(load_zones()), places)


@given(st.lists(TRIANGLES, max_size=12), PLACES)
def test_any_zones_are_found_as_by_brute_force(triangles: list[Polygon], places: list[tuple[float, float]]) -> None:
    zones = [zone(number, triangle) for number, triangle in enumerate(triangles)]
    corners = [corner for triangle in triangles for corner in triangle.exterior.coords]
    assert ZoneIndex(zones).locate(*to_arrays(places + corners)) == brute_force(zones, places + corners)


@given(TRIANGLES, LON, LAT)
def test_no_place_inside_a_zone_is_any_distance_outside_it(triangle: Polygon, lon: float, lat: float) -> None:
    index = ZoneIndex([zone(0, triangle)])
    outside_m = index.distance_outside_m("z-00", Position(lon_deg=lon, lat_deg=lat))
    if index.locate(np.array([lon]), np.array([lat])) == [("z-00",)]:
        assert outside_m < 1e-3
    elif outside_m == 0.0:
        assert triangle.distance(Point(lon, lat)) < 1e-9


@settings(max_examples=25)
@given(st.lists(st.tuples(LON, LAT), min_size=1, max_size=8))
def test_the_nearest_unit_is_no_further_than_any_other(places: list[tuple[float, float]]) -> None:
    areas = {unit.code: PROVINCE_PLANE.to_metres(unit.area) for unit in load_units()}
    for place, code in zip(places, load_zone_index().nearest_unit(*to_arrays(places)), strict=True):
        point = PROVINCE_PLANE.to_metres(Point(place))
        shortest_m = min(shapely.distance(list(areas.values()), point))
        assert areas[code].distance(point) <= shortest_m + 1e-6


@given(st.data())
def test_two_unit_areas_share_no_land_and_each_covers_its_label_point(data: st.DataObject) -> None:
    units = load_units()
    first, second = data.draw(st.permutations(units).map(lambda some: some[:2]))
    assert first.area.covers(Point(first.position.lon_deg, first.position.lat_deg))
    assert PROVINCE_PLANE.to_metres(first.area.intersection(second.area)).area < 1.0
