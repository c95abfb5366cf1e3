"""What the engine tells of its rules: what was put to them, what that cost, what failed, what they hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

import pytest

from alerts.engine.health import TIMED_EVERY, RuleHealth
from alerts.engine.stepping import Engine
from alerts.memory.readings import PART_READINGS
from alerts.rulebook.book import Rulebook
from ioc.bootstrap.knowledge import load_world
from ioc.domain.kinds import BorderQueue, Crowd, PassengerCount, Rain, WeatherObservation
from tests.support.engine_runs import make_event

START = datetime(2026, 11, 23, 2, tzinfo=UTC)
RULES = Path(str(resources.files("alerts").joinpath("rules")))
WORLD = load_world()


class FakeClock:
    """Each look at it finds it one second later."""

    def __init__(self) -> None:
        self.looks_count = 0

    def __call__(self) -> float:
        self.looks_count += 1
        return float(self.looks_count)


def engine_of(*names: str, clock: FakeClock | None = None) -> Engine:
    return Engine(Rulebook.load([RULES / f"{name}.yaml" for name in names]), WORLD, clock=clock)


def health_of(engine: Engine, rule_id: str) -> RuleHealth:
    (found,) = (item for item in engine.health() if item.rule_id == rule_id)
    return found


def crowd(number: int, density: float = 3.0):
    return make_event("site.x", Crowd(density_p_m2=density), START + timedelta(minutes=number))


def test_every_rule_is_told_of_in_the_order_of_the_rulebook():
    rulebook = Rulebook.load([RULES])
    told = Engine(rulebook, WORLD).health()
    assert [(item.rule_id, item.version) for item in told] == [(rule.rule_id, rule.version) for rule in rulebook.rules]
    assert {(item.evaluations_count, item.cost_s, item.faults_count, item.last_fault) for item in told} == {
        (0, 0.0, 0, None)
    }


def test_what_is_put_to_a_rule_is_counted_and_what_is_not_is_not():
    engine = engine_of("28-crowd", "31-gate-queue")
    engine.step("events/0", [crowd(number) for number in range(5)])
    engine.step("events/1", [make_event("gate.x", BorderQueue(vehicles_count=10), START)])
    assert health_of(engine, "crowd.density").evaluations_count == 5
    assert health_of(engine, "gate.queue").evaluations_count == 1


def test_timers_count_as_evaluations():
    engine = engine_of("09-station-silent")
    engine.step("events", [make_event("met.x", WeatherObservation(wind_m_s=1.0), START)])
    engine.advance("events", START + timedelta(hours=1))
    assert health_of(engine, "station.silent").evaluations_count == 2


def test_series_and_open_alerts_are_those_of_all_partitions():
    engine = engine_of("28-crowd")
    for partition in ("events/0", "events/1"):
        engine.step(partition, [crowd(number) for number in range(7)])
    engine.step("events/2", [crowd(0, 2.5)])
    found = health_of(engine, "crowd.density")
    assert (found.series_count, found.open_count) == (3, 2)
    engine.forget("events/1")
    assert health_of(engine, "crowd.density").open_count == 1


def test_one_step_of_sixteen_is_timed_and_stands_for_the_others():
    clock = FakeClock()
    engine = engine_of("28-crowd", clock=clock)
    for number in range(TIMED_EVERY):
        engine.step("events", [crowd(number)])
    assert health_of(engine, "crowd.density").evaluations_count == TIMED_EVERY
    assert health_of(engine, "crowd.density").cost_s == pytest.approx(TIMED_EVERY)
    assert 0 < clock.looks_count <= 6


def test_timing_changes_nothing_that_is_decided():
    events = [crowd(number, 3.0 if number % 9 else 0.0) for number in range(80)]
    plain, timed = engine_of("28-crowd", "29-site-load"), engine_of("28-crowd", "29-site-load", clock=FakeClock())
    for event in events:
        assert plain.step("events", [event]) == timed.step("events", [event])


def test_without_a_clock_nothing_seems_to_cost():
    engine = engine_of("28-crowd")
    engine.step("events", [crowd(0)])
    assert health_of(engine, "crowd.density").cost_s == 0.0


def test_faults_are_counted_and_the_newest_is_shown():
    engine = engine_of("28-crowd")
    for number in range(3):
        engine.step("events", [make_event(f"site.{number}", Crowd(density_p_m2=float("inf")), START)])
    found = health_of(engine, "crowd.density")
    assert found.faults_count == 3
    assert found.last_fault is not None
    assert found.last_fault.asset_id == "site.2"


def test_readings_that_windows_hold_are_counted():
    engine = engine_of("10-rain")
    for number in range(4):
        engine.step("events", [make_event("rain.x", Rain(rain_mm=1.0), START + timedelta(minutes=number))])
    assert health_of(engine, "rain.sums").readings_count == 4


def test_a_rule_that_looks_back_says_how_much_it_may_hold():
    engine = Engine(Rulebook.load([RULES / "10-rain.yaml", RULES / "28-crowd.yaml"]), WORLD, readings_limit=500)
    assert health_of(engine, "rain.sums").readings_limit == 500
    assert health_of(engine, "crowd.density").readings_limit is None
    for partition in ("events/0", "events/1"):
        engine.step(partition, [make_event("rain.x", Rain(rain_mm=1.0), START)])
    assert health_of(engine, "rain.sums").readings_limit == 1_000


def rain(place: int, second: float):
    return make_event(f"rain.{place}", Rain(rain_mm=1.0), START + timedelta(seconds=second))


def test_readings_of_countless_things_stay_within_the_bound_and_the_loss_is_a_fault():
    engine, kept = Engine(Rulebook.load([RULES / "10-rain.yaml"]), WORLD, readings_limit=80), {}
    most, faults = 0, []
    for place in range(1_000):
        step = engine.step("events", [rain(place, place)])
        faults += step.rule_errors
        kept |= step.state
        most = max(most, health_of(engine, "rain.sums").readings_count)
    found = health_of(engine, "rain.sums")
    assert most == 80
    assert found.readings_count == sum(len(held) for held in engine._memories["events"].windows[0].values())
    assert found.faults_count == len(faults) == (1_000 - 80) // 11 + 1
    assert "more than 80 readings" in faults[0].reason
    assert len([key for key, value in kept.items() if value is not None and key.rule_id]) == found.readings_count


def test_the_things_that_were_heard_least_recently_are_let_go_whatever_a_restart_does_between():
    rules = Rulebook.load([RULES / "10-rain.yaml"])
    whole, cut, kept = Engine(rules, WORLD, readings_limit=80), Engine(rules, WORLD, readings_limit=80), {}
    for number in range(300):
        event = rain((number * number) % 97, number)
        step = whole.step("events", [event])
        if number % 40 == 39:
            cut = Engine(rules, WORLD, readings_limit=80)
            cut.restore("events", {key: value for key, value in kept.items() if value is not None}, [])
        again = cut.step("events", [event])
        assert again == step
        kept |= again.state
    held = whole._memories["events"].windows[0]
    assert min(readings.times[-1] for readings in held.values()) > (START + timedelta(seconds=180)).timestamp()


def test_the_hours_that_a_baseline_holds_count_as_well_and_those_of_countless_gates_are_let_go():
    rules = Rulebook.load([RULES / "33-passengers.yaml"])
    engine, kept, faults = Engine(rules, WORLD, readings_limit=60), {}, []
    for number in range(400):
        if number % 150 == 149:
            engine = Engine(rules, WORLD, readings_limit=60)
            engine.restore("events", {key: value for key, value in kept.items() if value is not None}, [])
        at = START + timedelta(seconds=number)
        step = engine.step("events", [make_event(f"gate.{number % 90}", PassengerCount(in_count=3), at)])
        faults += step.rule_errors
        kept |= step.state
        assert 0 < health_of(engine, "border.passengers").readings_count <= 60
    assert "more than 60 readings" in faults[0].reason


def test_a_flood_of_readings_of_one_thing_is_a_fault_once_and_not_at_each():
    engine, faults = engine_of("10-rain"), []
    for first in range(0, 6_000, 1_000):
        faults += engine.step("events", [rain(1, 0.5 * number) for number in range(first, first + 1_000)]).rule_errors
    assert health_of(engine, "rain.sums").readings_count == 4_096
    assert [fault.asset_id for fault in faults] == ["rain.1"]
    assert "more than 4096 readings within a window" in faults[0].reason


def test_a_spike_looks_at_the_last_readings_only_and_misses_none():
    engine = engine_of("08-spike")
    events = [
        make_event("met.x", WeatherObservation(wind_m_s=number % 5.0), START + timedelta(minutes=number))
        for number in range(200)
    ]
    assert engine.step("events", events).rule_errors == []
    assert 30 <= health_of(engine, "sensor.spike").readings_count <= 30 + PART_READINGS
