from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from geo.catalogue import import_units, load_units, read_layer
from geo.geojson import GeoJsonError, check_units, parse_feature_collection

OFFICIAL = Path(__file__).resolve().parents[4] / "shared" / "data" / "geo" / "quang_ninh_communes_simplified.geojson"


@pytest.fixture
def units() -> dict[str, Any]:
    return deepcopy(json.loads(read_layer("units")))


def test_the_shipped_units_have_no_fault(units: dict[str, Any]) -> None:
    assert check_units(units) == []


def test_a_missing_unit_is_named(units: dict[str, Any]) -> None:
    code = units["features"].pop(3)["properties"]["code"]
    assert check_units(units) == ["54 features wanted, 53 found", f"without area: {code}"]


def test_an_unknown_code_and_a_code_that_stands_twice_are_told(units: dict[str, Any]) -> None:
    units["features"][0]["properties"]["code"] = "99999"
    units["features"][1]["properties"]["code"] = units["features"][2]["properties"]["code"]
    faults = check_units(units)
    assert "feature 0: code '99999' is not one of the 54 units" in faults
    assert any("stands twice" in fault for fault in faults)


def test_a_code_that_a_spreadsheet_has_turned_into_a_number_is_understood(units: dict[str, Any]) -> None:
    for item in units["features"]:
        item["properties"]["code"] = int(item["properties"]["code"])
    assert check_units(units) == []


def test_the_misprinted_code_of_ba_che_is_put_right(units: dict[str, Any]) -> None:
    for item in units["features"]:
        if item["properties"]["code"] == "06970":
            item["properties"]["code"] = "06978"
    assert check_units(units) == []


def test_a_polygon_that_crosses_itself_is_told_with_the_place(units: dict[str, Any]) -> None:
    west, south = 106.5, 21.1
    bow = [[west, south], [west + 0.1, south + 0.1], [west + 0.1, south], [west, south + 0.1], [west, south]]
    units["features"][0]["geometry"] = {"type": "Polygon", "coordinates": [bow]}
    assert any("Self-intersection[" in fault for fault in check_units(units))


def test_latitude_before_longitude_is_told(units: dict[str, Any]) -> None:
    ring = [[21.1, 106.5], [21.2, 106.5], [21.2, 106.6], [21.1, 106.5]]
    units["features"][0]["geometry"] = {"type": "Polygon", "coordinates": [ring]}
    assert any("outside the province's box" in fault for fault in check_units(units))


@pytest.mark.parametrize(
    "geometry",
    [
        None,
        {},
        {"type": "Point", "coordinates": [107.0, 21.0]},
        {"type": "Polygon", "coordinates": []},
        {"type": "Polygon", "coordinates": [[[107.0, 21.0]]]},
        {"type": "Polygon", "coordinates": "no"},
        {"type": "Sphere", "coordinates": []},
    ],
)
def test_what_is_no_polygon_is_a_fault_of_its_unit(units: dict[str, Any], geometry: object) -> None:
    units["features"][0]["geometry"] = geometry
    code = units["features"][0]["properties"]["code"]
    assert any(fault.startswith(f"unit {code}: ") for fault in check_units(units))


def test_two_units_on_one_piece_of_land_overlap(units: dict[str, Any]) -> None:
    units["features"][1]["geometry"] = units["features"][0]["geometry"]
    assert any("overlap by" in fault for fault in check_units(units))


def test_two_swapped_codes_are_found_by_the_label_points(units: dict[str, Any]) -> None:
    first, last = units["features"][0]["properties"], units["features"][-1]["properties"]
    first["code"], last["code"] = last["code"], first["code"]
    assert sum("from the unit's label point" in fault for fault in check_units(units)) == 2


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "[]",
        '{"type":"Feature"}',
        '{"type":"FeatureCollection"}',
        b"\xff",
        '{"type":"FeatureCollection","features":[1]}',
        '{"type":"FeatureCollection","features":[{"type":"Feature"}]}',
    ],
)
def test_a_file_that_is_no_feature_collection_is_refused(raw: str | bytes) -> None:
    with pytest.raises(GeoJsonError):
        parse_feature_collection(raw)


def test_a_file_with_faults_is_not_written(tmp_path: Path, units: dict[str, Any]) -> None:
    units["features"].pop()
    assert import_units(json.dumps(units).encode(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_imported_boundaries_take_the_place_of_the_approximate_ones(tmp_path: Path, units: dict[str, Any]) -> None:
    for item in units["features"]:
        item["properties"] = {"code": item["properties"]["code"]}
    assert import_units(json.dumps(units).encode(), tmp_path) == []
    imported = load_units(tmp_path)
    assert [unit.code for unit in imported] == [unit.code for unit in load_units()]
    assert not any(unit.approximate for unit in imported)
    assert json.loads(read_layer("units", tmp_path))["features"][0]["properties"]["name_vi"]


@pytest.mark.skipif(not OFFICIAL.is_file(), reason="the recorded boundaries are not beside the checkout")
def test_recorded_boundaries_pass_the_check() -> None:
    assert check_units(parse_feature_collection(OFFICIAL.read_bytes())) == []
