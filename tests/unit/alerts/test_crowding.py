"""A source that invents names fills no memory: those heard least recently go, and what is open stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

import pytest

from alerts.engine.stepping import Engine, Step
from alerts.rulebook.book import Rulebook
from ioc.bootstrap.knowledge import load_world
from ioc.domain.alerts import ChangeType
from ioc.domain.kinds import AirReading, Crowd, TruckStep
from tests.support.engine_runs import make_event

START = datetime(2026, 11, 23, 2, tzinfo=UTC)
RULES = Path(str(resources.files("alerts").joinpath("rules")))
WORLD = load_world()
LIMIT = 80


def book(*names: str) -> Rulebook:
    return Rulebook.load([RULES / f"{name}.yaml" for name in names])


def air(name: str, minute: float, pm25: float = 20.0):
    data = AirReading(pm25_ug_m3=pm25, pm10_ug_m3=pm25)
    return make_event(f"air.{name}", data, START + timedelta(minutes=minute))


def crowd(name: str, minute: float, density: float):
    return make_event(f"site.{name}", Crowd(density_p_m2=density), START + timedelta(minutes=minute))


def series_of(engine: Engine, place: int = 0) -> set[str]:
    return set(engine._memories["events"].series[place])


def invented(count: int) -> list[str]:
    return [f"x{number:04}" for number in range(count)]


def test_a_flood_of_invented_stations_is_held_within_the_bound_and_is_a_fault():
    engine, kept, faults = Engine(book("01-vn-aqi"), WORLD, things_limit=LIMIT), {}, []
    for minute, name in enumerate(invented(400)):
        step = engine.step("events", [air(name, minute / 10), air("hong-gai", minute / 10)])
        kept |= step.state
        faults += step.rule_errors
        assert len(series_of(engine)) <= LIMIT
    assert "air.hong-gai" in series_of(engine)
    assert series_of(engine) - {"air.hong-gai"} <= {f"air.{name}" for name in invented(400)[-LIMIT:]}
    held = {key.key for key, value in kept.items() if value is not None and key.rule_id == "air.vn_aqi_hour"}
    assert held == series_of(engine)
    assert {fault.rule_id for fault in faults} == {"air.vn_aqi_hour"}
    assert f"more than {LIMIT} things" in faults[0].reason
    [health] = engine.health()
    assert (health.series_limit, health.series_count, health.faults_count) == (LIMIT, len(held), len(faults))


def test_they_go_some_at_once_so_that_a_flood_pays_once_in_a_while():
    engine = Engine(book("01-vn-aqi"), WORLD, things_limit=LIMIT)
    steps = [engine.step("events", [air(name, minute / 10)]) for minute, name in enumerate(invented(400))]
    # Of the series and of the newest readings: each time an eighth of them goes.
    assert 0 < sum(len(step.rule_errors) for step in steps) <= 2 * 400 / (LIMIT / 8)


def test_what_is_open_is_never_let_go():
    engine, changes = Engine(book("28-crowd"), WORLD, things_limit=LIMIT), []

    def take(*events) -> Step:
        step = engine.step("events", list(events))
        changes.extend(step.changes)
        return step

    for minute in range(6):
        take(crowd("open", minute, 3.0))
    for number, name in enumerate(invented(400)):
        take(crowd(name, 6 + number / 100, 2.5))
    assert "site.open" in series_of(engine)
    assert len(series_of(engine)) <= LIMIT
    for minute in range(11, 14):
        take(crowd("open", minute, 0.1))
    assert [change.type for change in changes if change.asset_id == "site.open"] == [
        ChangeType.FIRED, ChangeType.RECOVERING, ChangeType.RESOLVED,
    ]  # fmt: skip


def test_where_all_are_open_all_are_kept_and_that_is_said_once_in_a_while():
    engine, faults = Engine(book("28-crowd"), WORLD, things_limit=LIMIT), 0
    names = invented(3 * LIMIT)
    for number, name in enumerate(names):
        for minute in range(3):
            faults += len(engine.step("events", [crowd(name, minute + number / 1_000, 5.0)]).rule_errors)
    [health] = engine.health()
    assert health.open_count == 3 * LIMIT
    assert 0 < faults < len(names) / 4


def test_the_newest_reading_of_what_was_heard_least_recently_goes_too():
    engine = Engine(book("28-crowd"), WORLD, things_limit=LIMIT)
    for number, name in enumerate(invented(400)):
        step = engine.step("events", [crowd(name, number / 100, 0.5)])
        assert len(engine._memories["events"].readings("", Crowd)) <= LIMIT
    assert step.changes == []
    assert engine.health()[0].last_fault is not None


@pytest.mark.parametrize("size", [LIMIT, 300])
def test_a_restart_lets_the_same_go(size):
    rules, names = book("01-vn-aqi", "28-crowd"), invented(size)
    events = [air(name, minute / 10, 180.0) for minute, name in enumerate(names)]
    whole, cut, kept, seen = Engine(rules, WORLD, things_limit=LIMIT), None, {}, {}
    for event in events:
        expected = whole.step("events", [event])
        cut = Engine(rules, WORLD, things_limit=LIMIT)
        cut.restore("events", kept, list(seen.values()))
        found = cut.step("events", [event])
        kept = {key: value for key, value in (kept | found.state).items() if value is not None}
        seen[event.asset_id] = event
        assert found.changes == expected.changes
        assert series_of(cut) == series_of(whole)


def test_below_the_bound_a_bound_changes_nothing():
    events = [air(name, minute, 180.0) for minute in range(0, 300, 30) for name in invented(20)]
    bounded, free = (Engine(book("01-vn-aqi"), WORLD, things_limit=limit) for limit in (20, 1_000))
    for event in events:
        here, there = (engine.step("events", [event]) for engine in (bounded, free))
        assert (here.changes, here.rule_errors, here.state) == (there.changes, there.rule_errors, there.state)


def test_the_sums_of_a_place_stay_while_things_come_and_go():
    engine = Engine(book("30-truck-dwell"), WORLD, things_limit=LIMIT)
    for number in range(300):
        at = START + timedelta(minutes=number)
        arrive = TruckStep(step="arrive_yard", gate="km3-4", direction="export")
        leave = TruckStep(step="cross", gate="km3-4", direction="export")
        step = engine.step("events", [make_event(f"truck.{number}", arrive, at)])
        engine.step("signals", step.signals)
        if number % 2:
            step = engine.step("events", [make_event(f"truck.{number}", leave, at + timedelta(seconds=30))])
            engine.step("signals", step.signals)
    shared = [
        (key, len(series.left))
        for held in engine._memories["signals"].series
        for key, series in held.items()
        if getattr(series, "left", None)
    ]
    assert [count for _, count in shared] == [60], "those of the last two hours"
    assert max(len(held) for held in engine._memories["events"].series) <= LIMIT
