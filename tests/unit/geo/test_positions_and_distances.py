from __future__ import annotations

from datetime import timedelta
from math import inf, nan

import pytest

from geo.distance import bearing_deg, destination, distance_m
from geo.position import Position, is_in_province_box, looks_swapped
from geo.tracks import project_track, simplify_track

TUAN_CHAU = Position(lon_deg=106.988, lat_deg=20.9265)
CO_TO = Position(lon_deg=107.76328, lat_deg=20.97331)


@pytest.mark.parametrize(("lon", "lat"), [(181.0, 91.0), (181.0, 21.0), (107.0, 91.0), (nan, 21.0), (107.0, inf)])
def test_a_place_that_ais_calls_not_available_is_not_valid(lon: float, lat: float) -> None:
    assert not Position(lon_deg=lon, lat_deg=lat).is_valid


def test_a_port_is_valid_and_in_the_province() -> None:
    assert TUAN_CHAU.is_valid
    assert is_in_province_box(TUAN_CHAU)


def test_a_position_with_latitude_first_looks_swapped_and_one_in_order_does_not() -> None:
    assert looks_swapped(Position(lon_deg=20.9265, lat_deg=106.988))
    assert not looks_swapped(TUAN_CHAU)


def test_a_ship_in_another_ocean_is_outside_but_not_swapped() -> None:
    away = Position(lon_deg=-70.0, lat_deg=40.0)
    assert not is_in_province_box(away)
    assert not looks_swapped(away)


def test_one_degree_of_latitude_is_a_hundred_and_eleven_kilometres() -> None:
    south, north = Position(lon_deg=107.0, lat_deg=20.5), Position(lon_deg=107.0, lat_deg=21.5)
    assert distance_m(south, north) == pytest.approx(111_195, abs=1)
    assert bearing_deg(south, north) == 0.0
    assert bearing_deg(north, south) == pytest.approx(180.0)


def test_the_distance_over_the_date_line_is_the_short_one() -> None:
    west, east = Position(lon_deg=179.9, lat_deg=0.0), Position(lon_deg=-179.9, lat_deg=0.0)
    assert distance_m(west, east) == pytest.approx(22_239, abs=1)


def test_the_destination_lies_at_the_distance_and_bearing_asked_for() -> None:
    end = destination(TUAN_CHAU, bearing_deg(TUAN_CHAU, CO_TO), distance_m(TUAN_CHAU, CO_TO))
    assert distance_m(end, CO_TO) < 0.01


def test_a_boat_at_ten_knots_is_five_miles_on_after_half_an_hour() -> None:
    track = project_track(TUAN_CHAU, cog_deg=135.0, sog_kn=10.0, ahead=timedelta(minutes=30))
    assert len(track) == 31
    assert distance_m(TUAN_CHAU, track[-1]) == pytest.approx(5 * 1852)
    assert distance_m(TUAN_CHAU, track[0]) == pytest.approx(0.0, abs=1e-6)


def test_a_track_ends_at_the_moment_asked_for_even_between_two_steps() -> None:
    track = project_track(TUAN_CHAU, cog_deg=90.0, sog_kn=6.0, ahead=timedelta(seconds=90), step=timedelta(minutes=1))
    assert len(track) == 3
    assert distance_m(TUAN_CHAU, track[-1]) == pytest.approx(6 * 1852 / 40)


def test_a_track_without_a_step_is_refused() -> None:
    with pytest.raises(ValueError, match="positive step"):
        project_track(TUAN_CHAU, cog_deg=0.0, sog_kn=1.0, ahead=timedelta(minutes=1), step=timedelta(0))


def test_a_straight_track_keeps_its_ends_and_a_corner_stays() -> None:
    corner = destination(TUAN_CHAU, 90.0, 2000.0)
    middle = destination(TUAN_CHAU, 90.0, 1000.0)
    end = destination(corner, 0.0, 2000.0)
    kept = simplify_track([TUAN_CHAU, middle, corner, end], tolerance_m=20.0)
    assert [round(distance_m(point, TUAN_CHAU)) for point in kept] == pytest.approx([0, 2000, 2828], abs=2)


def test_a_boat_at_anchor_leaves_a_track_that_can_be_simplified() -> None:
    assert len(simplify_track([TUAN_CHAU, TUAN_CHAU, TUAN_CHAU], tolerance_m=20.0)) >= 2
