"""Distances and courses hold what geometry promises, anywhere on the Earth."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from geo.distance import bearing_deg, destination, distance_m
from geo.position import Position

ANYWHERE = st.builds(Position, lon_deg=st.floats(-180, 180), lat_deg=st.floats(-90, 90))
IN_THE_PROVINCE = st.builds(Position, lon_deg=st.floats(106.2, 108.8), lat_deg=st.floats(20.4, 21.9))
HALF_ROUND_M = 20_015_115


@given(ANYWHERE, ANYWHERE)
def test_the_way_back_is_as_long_as_the_way_there(a: Position, b: Position) -> None:
    assert distance_m(a, b) == pytest.approx(distance_m(b, a), abs=1e-6)
    assert 0.0 <= distance_m(a, b) <= HALF_ROUND_M


@given(IN_THE_PROVINCE, IN_THE_PROVINCE, IN_THE_PROVINCE)
def test_a_detour_is_never_shorter(a: Position, b: Position, c: Position) -> None:
    assert distance_m(a, c) <= distance_m(a, b) + distance_m(b, c) + 1e-6


@given(ANYWHERE, ANYWHERE)
def test_a_bearing_is_at_least_0_and_less_than_360_degrees(a: Position, b: Position) -> None:
    assert 0.0 <= bearing_deg(a, b) < 360.0


@given(IN_THE_PROVINCE, st.floats(0, 359.9), st.floats(1.0, 200_000))
def test_going_somewhere_takes_one_there(start: Position, course_deg: float, length_m: float) -> None:
    end = destination(start, course_deg, length_m)
    assert end.is_valid
    assert distance_m(start, end) == pytest.approx(length_m, rel=1e-6, abs=1e-3)
    assume(length_m > 100)
    turn = (bearing_deg(start, end) - course_deg + 180) % 360 - 180
    assert abs(turn) < 1e-3
