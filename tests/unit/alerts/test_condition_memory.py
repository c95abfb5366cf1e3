"""However long a stream runs, what conditions remember of it stays within the bounds that the README names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

from alerts.memory.readings import PART_READINGS
from alerts.rulebook.book import Rulebook
from ioc.bootstrap.knowledge import load_world
from ioc.domain.kinds import AirReading, NowcastCell, TruckStep, VesselArrival, VesselDeparture, VesselManifest
from tests.support.engine_runs import EVENTS, SIGNALS, Lives, make_event

START = datetime(2026, 11, 23, 2, tzinfo=UTC)
RULES = Path(str(resources.files("alerts").joinpath("rules")))
WORLD = load_world()


def lives_of(name: str) -> Lives:
    return Lives(Rulebook.load([RULES / f"{name}.yaml"]), WORLD)


def kept_bytes(lives: Lives) -> int:
    return sum(len(value) for partition in lives.state.values() for value in partition.values())


def feed_air(lives: Lives, first: int, last: int) -> int:
    for number in range(first, last):
        reading = AirReading(pm25_ug_m3=30.0 + number % 7, pm10_ug_m3=50.0 + number % 5, temp_celsius=20.0 + number % 3)
        lives.take(make_event("air.hong-gai", reading, START + timedelta(minutes=number)))
    return kept_bytes(lives)


def test_what_a_spike_is_compared_with_does_not_grow():
    lives = lives_of("08-spike")
    feed_air(lives, 0, 100)
    most = max(feed_air(lives, number, number + 10) for number in range(100, 200, 10))
    assert max(feed_air(lives, number, number + 10) for number in range(200, 600, 10)) <= 1.5 * most
    (readings,) = lives.engine._memories[EVENTS].windows[0].values()
    assert 30 <= len(readings.times) <= 30 + PART_READINGS


def test_a_stuck_rule_keeps_one_value_for_each_quantity():
    lives = lives_of("07-stuck")
    assert feed_air(lives, 0, 50) == feed_air(lives, 50, 1_000)


def test_trips_that_are_over_leave_nothing_when_no_departure_of_theirs_can_come_any_more():
    lives = lives_of("26-manifest")
    for number in range(300):
        at, trip = START + timedelta(hours=number), {"trip": f"T{number}", "port": "tuan-chau"}
        lives.take(make_event("vessel.574000001", VesselDeparture(pax_count=9, **trip), at))
        lives.take(make_event("vessel.574000001", VesselManifest(pax_count=9, **trip), at + timedelta(minutes=1)))
        lives.take(make_event("vessel.574000001", VesselArrival(**trip), at + timedelta(minutes=50)))
        assert len([key for key in lives.state[EVENTS] if key.rule_id]) == 1
    lives.wait(at + timedelta(minutes=80))
    assert lives.changes == []
    assert not [key for key in lives.state[EVENTS] if key.rule_id]


def test_trips_of_which_no_arrival_is_told_are_forgotten_after_four_days():
    lives = lives_of("26-manifest")
    for number in range(300):
        at = START + timedelta(hours=number)
        lives.take(make_event("vessel.574000001", VesselDeparture(trip=f"T{number}", port="tuan-chau"), at))
    assert len([key for key in lives.state[EVENTS] if key.rule_id]) <= 97


def test_trucks_that_never_leave_are_forgotten_after_a_week_and_times_of_those_that_do_after_the_span():
    lives = lives_of("30-truck-dwell")
    for number in range(400):
        at = START + timedelta(hours=number)
        step = {"gate": "km3-4", "direction": "export"}
        lives.take(make_event(f"truck.lost-{number}", TruckStep(step="arrive_yard", **step), at))
        lives.take(make_event(f"truck.{number}", TruckStep(step="arrive_yard", **step), at + timedelta(minutes=1)))
        lives.take(make_event(f"truck.{number}", TruckStep(step="exit", **step), at + timedelta(minutes=41)))
    inside = [key for key in lives.state[EVENTS] if key.rule_id == "gate.truck_dwell"]
    assert len(inside) <= 7 * 24 + 1
    (place,) = [value for key, value in lives.state[SIGNALS].items() if key.rule_id == "gate.truck_dwell"]
    assert len(place) < 400


def test_cells_of_a_long_storm_are_forgotten_when_they_are_over():
    lives = lives_of("20-squall")
    for number in range(300):
        at = START + timedelta(minutes=5 * number)
        cell = NowcastCell(
            polygon_wkt="POLYGON ((107.1 20.8, 107.2 20.8, 107.2 20.9, 107.1 20.9, 107.1 20.8))",
            valid_until=at + timedelta(minutes=30),
        )
        lives.take(make_event(f"cell.{number}", cell, at, lon_deg=107.15, lat_deg=20.85))
    waters = [state for state in lives.engine._memories[SIGNALS].series[0].values() if hasattr(state, "cells")]
    assert waters
    assert max(len(state.cells) for state in waters) <= 8
