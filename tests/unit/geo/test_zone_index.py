from __future__ import annotations

import numpy as np
import pytest
from shapely.geometry import box

from geo.catalogue import load_units, load_zone_index
from geo.position import Position
from geo.zones import UnknownZoneError, Zone, ZoneIndex, ZoneKind


def square(zone_id: str, west: float, south: float, side: float) -> Zone:
    return Zone(
        zone_id=zone_id,
        name_vi=zone_id,
        name_en=zone_id,
        kind=ZoneKind.PORT,
        polygon=box(west, south, west + side, south + side),
        surveyed=False,
    )


def locate(index: ZoneIndex, *places: tuple[float, float]) -> list[tuple[str, ...]]:
    lon, lat = np.array(places, dtype=float).reshape(-1, 2).T
    return index.locate(lon, lat)


def test_a_place_in_two_zones_gets_both_in_the_order_of_their_ids() -> None:
    index = ZoneIndex([square("outer", 107.0, 20.8, 0.2), square("inner", 107.05, 20.85, 0.05)])
    assert locate(index, (107.06, 20.86), (107.01, 20.81), (108.0, 21.0)) == [("inner", "outer"), ("outer",), ()]


def test_an_empty_batch_and_an_index_without_zones_give_no_zone() -> None:
    assert locate(ZoneIndex([square("a", 107.0, 20.8, 0.2)])) == []
    assert locate(ZoneIndex([]), (107.0, 20.9)) == [()]


def test_a_position_that_is_not_a_number_lies_in_no_zone_and_no_unit() -> None:
    index = load_zone_index()
    lon, lat = np.array([np.nan, 106.98, 106.988]), np.array([20.9, np.inf, 20.9265])
    assert index.locate(lon, lat)[:2] == [(), ()]
    assert index.nearest_unit(lon, lat) == ["", "", "06706"]


def test_the_distance_outside_a_zone_is_zero_inside_and_metres_beyond_the_edge() -> None:
    index = ZoneIndex([square("a", 107.0, 20.8, 0.1)])
    assert index.distance_outside_m("a", Position(lon_deg=107.05, lat_deg=20.85)) == 0.0
    outside = index.distance_outside_m("a", Position(lon_deg=107.05, lat_deg=20.901))
    assert outside == pytest.approx(111.2, abs=0.5)


def test_asking_for_a_zone_that_is_not_there_names_it() -> None:
    with pytest.raises(UnknownZoneError, match="atlantis"):
        ZoneIndex([]).distance_outside_m("atlantis", Position(lon_deg=107.0, lat_deg=20.9))


def test_a_boat_off_co_to_belongs_to_co_to_and_one_off_mong_cai_to_mong_cai_or_vinh_thuc() -> None:
    codes = load_zone_index().nearest_unit(np.array([107.90, 108.0]), np.array([20.95, 21.33]))
    assert codes == ["07192", "06757"]


def test_each_label_point_is_nearest_to_its_own_unit() -> None:
    units = load_units()
    lon = np.array([unit.position.lon_deg for unit in units])
    lat = np.array([unit.position.lat_deg for unit in units])
    assert load_zone_index().nearest_unit(lon, lat) == [unit.code for unit in units]


def test_without_units_the_nearest_unit_is_unknown() -> None:
    assert ZoneIndex([]).nearest_unit(np.array([107.0]), np.array([20.9])) == [""]
