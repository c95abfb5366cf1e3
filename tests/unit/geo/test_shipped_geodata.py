from __future__ import annotations

import json
from collections import Counter
from importlib.resources import files

import pytest
import shapely

from geo.build_units import build_units
from geo.build_zones import build_zones
from geo.catalogue import (
    LAYERS,
    load_land,
    load_places,
    load_stations,
    load_units,
    load_zone_index,
    load_zones,
    read_layer,
)
from geo.geojson import encode_feature_collection, features_of, geometry_of
from geo.plane import PROVINCE_PLANE
from geo.position import is_in_province_box
from geo.tables import read_raw
from geo.zones import ZoneKind

LARGEST_FILE_BYTES = 400_000


@pytest.fixture(scope="module")
def land() -> shapely.Geometry:
    return shapely.union_all([geometry_of(item) for item in features_of(load_land())])


def test_there_are_54_units_of_which_30_are_wards_22_communes_and_2_special_zones() -> None:
    assert Counter(unit.kind for unit in load_units()) == {"phuong": 30, "xa": 22, "dac_khu": 2}


def test_the_units_carry_the_codes_and_names_of_the_official_list() -> None:
    official = pytest.importorskip("vietnam_provinces", reason="the list of units to compare with is not installed")
    wards = {
        f"{int(ward.code):05d}": ward.name
        for ward in official.Ward.iter_all()
        if ward.province_code == official.ProvinceCode.P_22
    }
    # Two spellings of the tone mark are both official usage: Hòa and Hoà.
    spelling = str.maketrans({"ò": "o", "à": "a"})
    ours = {unit.code: unit.name_vi.translate(spelling) for unit in load_units()}
    assert ours == {code: name.translate(spelling) for code, name in wards.items()}


def test_every_layer_the_api_gives_is_small_enough_for_a_wall_to_load() -> None:
    sizes = {name: len(read_layer(name)) for name in LAYERS}
    assert {name: size for name, size in sizes.items() if size > LARGEST_FILE_BYTES} == {}


def test_every_feature_says_what_it_is_in_both_languages() -> None:
    for layer in LAYERS:
        for item in json.loads(read_layer(layer))["features"]:
            facts = item["properties"]
            assert facts["name_vi"], (layer, facts)
            assert facts["name_en"], (layer, facts)
            assert facts["kind"], (layer, facts)
            assert facts["id"] == item["id"]


def test_the_islands_of_the_bay_are_there() -> None:
    islands = next(geometry_of(item) for item in features_of(load_land()) if item["id"] == "islands")
    in_the_bay = shapely.box(106.95, 20.72, 107.25, 20.94)
    assert sum(island.intersects(in_the_bay) for island in islands.geoms) > 300
    assert islands.is_valid


def test_unit_areas_are_valid_disjoint_and_say_that_they_are_approximate() -> None:
    units = load_units()
    assert all(unit.approximate and unit.area.is_valid for unit in units)
    areas_m2 = [PROVINCE_PLANE.to_metres(unit.area).area for unit in units]
    union_m2 = PROVINCE_PLANE.to_metres(shapely.union_all([unit.area for unit in units])).area
    assert sum(areas_m2) == pytest.approx(union_m2, rel=1e-6)


def test_the_shipped_units_and_zones_are_what_the_scripts_draw_from_the_tables() -> None:
    assert encode_feature_collection(build_units()) == read_raw("units.geojson")
    assert encode_feature_collection(build_zones()) == read_raw("zones.geojson")


def test_every_kind_of_zone_is_there_and_none_claims_to_be_surveyed() -> None:
    assert {zone.kind for zone in load_zones()} == set(ZoneKind)
    assert not any(zone.surveyed for zone in load_zones())
    assert all(zone.polygon.is_valid for zone in load_zones())


@pytest.mark.parametrize(
    "zone_id",
    ["ha-long-bay", "bai-tu-long-bay", "port-tuan-chau", "yard-bac-luan-2", "hole-ha-long-1", "route-co-to"],
)
def test_the_zones_that_rules_name_are_there(zone_id: str) -> None:
    assert zone_id in load_zone_index().zones


def test_every_port_shelter_and_anchorage_touches_water(land: shapely.Geometry) -> None:
    afloat = {ZoneKind.PORT, ZoneKind.SHELTER, ZoneKind.ANCHORAGE}
    for zone in load_zones():
        if zone.kind in afloat:
            assert zone.polygon.difference(land).area > 0.1 * zone.polygon.area, zone.zone_id


def test_border_yards_lie_within_three_kilometres_of_the_border() -> None:
    border = shapely.union_all([geometry_of(item) for item in json.loads(read_layer("border"))["features"]])
    line = PROVINCE_PLANE.to_metres(border)
    for zone in load_zones():
        if zone.kind is ZoneKind.BORDER_YARD:
            assert PROVINCE_PLANE.to_metres(zone.polygon).distance(line) < 3000, zone.zone_id


def test_routes_stay_on_the_water(land: shapely.Geometry) -> None:
    for place in load_places():
        if place.kind == "route":
            ashore = place.geometry.intersection(land).length / place.geometry.length
            assert ashore < 0.02, (place.place_id, ashore)


def test_places_carry_accuracy_and_source_and_sites_say_that_their_figures_are_assumed() -> None:
    codes = {unit.code for unit in load_units()}
    for place in load_places():
        assert place.accuracy_m > 0
        assert place.source
        assert place.unit_code is None or place.unit_code in codes
        if place.kind == "crowd_site":
            assert place.assumed, place.place_id
            assert place.area_m2, place.place_id
            assert place.capacity_count, place.place_id


def test_route_stops_and_station_zones_exist() -> None:
    places = {place.place_id for place in load_places()}
    zones = load_zone_index().zones
    assert all(set(place.stops) <= places for place in load_places())
    assert all(station.serves_zone in {None, *zones} for station in load_stations())


def test_twenty_air_and_eight_weather_stations_stand_in_known_units_and_are_assumed() -> None:
    stations = load_stations()
    codes = {unit.code for unit in load_units()}
    assert Counter(station.kind for station in stations) == {"air": 20, "met": 8}
    assert len({station.asset_id for station in stations}) == 28
    assert all(station.assumed and station.unit_code in codes for station in stations)
    assert all(is_in_province_box(station.position) for station in stations)


def test_the_licence_of_the_coastline_is_shipped_with_it() -> None:
    text = files("geo").joinpath("data", "LICENCES.md").read_text(encoding="utf-8")
    assert "GNU Lesser General Public License" in text
    assert "land.geojson" in text


def test_a_layer_that_is_not_there_is_refused() -> None:
    with pytest.raises(KeyError):
        read_layer("../units")
