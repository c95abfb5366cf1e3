"""The indicators against what a person would count by hand, and against brute force over any order of events."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.rulebook.book import Rulebook
from ioc.bootstrap.edge import find_stale_after
from ioc.domain.alerts import Alert, ConditionState, OperatorState, Severity
from ioc.domain.events import Event
from ioc.domain.ids import event_id
from ioc.domain.kinds import AirReading, CaseStep, Crowd, DatabaseCalls, Directive, Outage, Payload, TruckStep
from ioc.domain.quantities import Quality
from ioc.indicators.board import Board, Surroundings, make_indicators
from ioc.indicators.flows import RollingShare
from ioc.indicators.indicator import Figure
from ioc.indicators.newest import FreshSum
from ioc.settings import Settings

START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
STALE_AFTER = {Crowd: timedelta(minutes=3), Outage: timedelta(minutes=30), AirReading: timedelta(minutes=15)}
WALL = Path(__file__).resolve().parents[3] / "ioc" / "wall"


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def event(asset_id: str, data: Payload, minute: float = 0) -> Event:
    return Event(
        event_id=event_id(data.KIND, asset_id, at(minute), data.KIND), feed_id="test", asset_id=asset_id,
        observed_at=at(minute), received_at=at(minute), data=data,
    )  # fmt: skip


@pytest.fixture
def board() -> Board:
    feeds = [{"state": "live"}, {"state": "live"}, {"state": "late"}, {"state": "never"}]
    around = Surroundings(
        feeds=lambda: feeds, vessels={"moving": 4, "sheltered": 2, "silent": 1}.__getitem__,
        vessels_heard=lambda _: (START, Quality.GOOD),
    )  # fmt: skip
    return Board(make_indicators(around, STALE_AFTER))


def figure_of(board: Board, name: str, minute: float = 0) -> Figure:
    return next(item.figure for item in board.show(at(minute)) if item.definition.indicator_id == f"kpi.{name}")


def value(board: Board, name: str, minute: float = 0) -> float | None:
    return figure_of(board, name, minute).value


def test_before_anything_was_heard_there_is_no_figure(board):
    told_by_others = {"alerts_open", "alerts_critical", "alerts_major", "feeds_fresh_pct"}
    told_by_others |= {"vessels_moving", "vessels_sheltered", "vessels_silent"}
    for item in board.show(at(0)):
        if item.definition.indicator_id.removeprefix("kpi.") not in told_by_others:
            assert item.figure.value is None, item.definition.indicator_id


def test_what_others_count_is_passed_on(board):
    assert value(board, "feeds_fresh_pct") == 50.0
    assert [value(board, f"vessels_{name}") for name in ("moving", "sheltered", "silent")] == [4, 2, 1]


def test_visitors_are_those_of_the_sites_that_speak_against_the_capacity_of_all(board):
    board.take(
        [event("site.a", Crowd(people_count=100, capacity_count=400)), event("site.b", Crowd(people_count=7), 2)]
    )
    shown = {item.definition.indicator_id: item.figure for item in board.show(at(2))}["kpi.visitors_now"]
    assert (shown.value, shown.limit, shown.quality) == (107, 400, Quality.GOOD)
    shown = {item.definition.indicator_id: item.figure for item in board.show(at(4))}["kpi.visitors_now"]
    assert (shown.value, shown.limit, shown.quality) == (7, 400, Quality.UNCERTAIN)
    shown = {item.definition.indicator_id: item.figure for item in board.show(at(9))}["kpi.visitors_now"]
    assert (shown.value, shown.quality) == (None, Quality.STALE)


def test_a_truck_s_clearance_runs_from_the_yard_to_the_crossing_in_any_order_of_steps(board):
    def step(name, trip, minute):
        return event(trip, TruckStep(step=name, gate="bac-luan-2", direction="export"), minute)

    steps = [step("arrive_yard", f"truck.{n}", 0) for n in range(10)]
    steps += [step("cross", f"truck.{n}", 60 * (n + 1)) for n in range(10)]
    steps += [step("exit", f"truck.{n}", 60 * (n + 1) + 30) for n in range(10)]
    board.take(steps)
    assert (value(board, "clearance_p50_h", 660), value(board, "clearance_p90_h", 660)) == (5, 9)
    board.take(reversed(steps))
    assert (value(board, "clearance_p50_h", 660), value(board, "clearance_p90_h", 660)) == (5, 9)
    assert value(board, "trucks_in_yard", 660) == 0
    # After a day only those count that crossed within it.
    assert value(board, "clearance_p50_h", 24 * 60 + 301) == 8


def test_cases_count_once_in_time_and_online(board):
    def case(name, done, due, *, online):
        return event(
            name,
            CaseStep(procedure="1", status="done", filed_at=at(0), due_at=at(due), done_at=at(done), is_online=online),
            done,
        )

    cases = [
        case("case.1", 10, 20, online=True),
        case("case.2", 30, 20, online=False),
        case("case.3", 9, 9, online=True),
    ]
    board.take([*cases, *cases])
    assert value(board, "cases_on_time_pct", 40) == pytest.approx(66.7)
    assert value(board, "cases_online_pct", 40) == pytest.approx(66.7)
    assert value(board, "cases_on_time_pct", 7 * 24 * 60 + 15) == 0.0
    assert value(board, "cases_on_time_pct", 8 * 24 * 60) is None


def test_registers_and_utilities_count_their_newest_word(board):
    board.take(
        [
            event("directive.1", Directive(owner="x", status="open", due_on=date(2026, 12, 1))),
            event("directive.1", Directive(owner="x", status="done", due_on=date(2026, 12, 1)), 5),
            event("ndb.1", DatabaseCalls(calls_count=100, errors_count=5)),
            event("ndb.2", DatabaseCalls(calls_count=100, errors_count=6)),
            event("ndb.3", DatabaseCalls(calls_count=4, errors_count=1)),
            event("unit.1", Outage(customers_off_count=300)),
            event("unit.2", Outage(customers_off_count=20)),
            event("unit.1", Outage(customers_off_count=100), 3),
        ]
    )
    wanted = {"tasks_done": 1, "databases_healthy": 2, "customers_off": 120}
    assert {name: value(board, name, 5) for name in wanted} == wanted


def test_an_outage_stands_between_two_reports_of_its_unit_though_the_feed_speaks_each_minute():
    stale_after = find_stale_after(Settings.model_validate({}))
    board = Board(make_indicators(Surroundings(lambda: (), lambda _: 0, lambda _: (None, Quality.GOOD)), stale_after))
    found = []
    for minute in range(20):
        if minute % 5 == 0:
            board.take([event("unit.1", Outage(customers_off_count=4906), minute)])
        if minute % 5 == 2:
            board.take([event("unit.2", Outage(customers_off_count=0), minute)])
        figure = figure_of(board, "customers_off", minute)
        found.append((figure.value, figure.quality))
    assert found == [(4906, Quality.GOOD)] * 20


def test_a_unit_that_fell_silent_has_not_got_its_power_back(board):
    board.take([event(f"unit.{number}", Outage(customers_off_count=4906 * number)) for number in range(2)])
    board.take([event("unit.0", Outage(customers_off_count=0), 20)])
    figure = figure_of(board, "customers_off", 40)
    assert (figure.value, figure.quality) == (4906, Quality.UNCERTAIN)
    figure = figure_of(board, "customers_off", 60)
    assert (figure.value, figure.quality) == (None, Quality.STALE)


def test_hours_of_bad_air_are_those_since_midnight_of_the_province(board):
    for hour in range(6):
        board.take([event("air.1", AirReading(pm25_ug_m3=240.0, pm10_ug_m3=300.0), 60 * hour)])
    hours = value(board, "air_hours_over_150", 300)
    # Two of the newest three hours make the first index.
    assert hours == 5
    assert value(board, "aqi_max", 300) > 150
    assert value(board, "air_hours_over_150", 16 * 60) == 0


def test_an_hour_of_bad_air_is_the_one_that_was_bad_not_the_one_that_runs(board):
    for minute in range(5 * 60 + 30):
        bad = 180 <= minute < 240
        reading = AirReading(pm25_ug_m3=400.0 if bad else 40.0, pm10_ug_m3=60.0)
        board.take([event("air.1", reading, minute)])
        if minute == 4 * 60 - 30:
            assert value(board, "air_hours_over_150", minute) == 0
    # The bad hour, and the one after it, whose Nowcast still carries half of it.
    assert value(board, "air_hours_over_150", 5 * 60 + 29) == 2


def test_alerts_count_by_level_until_they_leave_the_list_and_their_times_are_averaged(board):
    alert = Alert(
        alert_id=UUID(int=1), revision=1, fingerprint=b"f", rule_id="r", rule_version="1", labels=(),
        severity=Severity.CRITICAL, condition=ConditionState.FIRING, operator=OperatorState.UNACKNOWLEDGED,
        feed_id="air", asset_id="air.1", unit_code=None, zone_id=None, lon_deg=None, lat_deg=None, title_vi="",
        title_en="", detail_vi="", detail_en="", value=None, limit=None, quantity_unit="", observed_at=at(0),
        received_at=at(0), decided_at=at(0), started_at=at(0), ended_at=None, resolve_reason=None, acked_by=None,
        acked_at=None, shelved_until=None, shadow=False,
    )  # fmt: skip
    board.take_alert(alert)
    board.take_alert(replace(alert, alert_id=UUID(int=2), severity=Severity.MAJOR))
    board.take_alert(replace(alert, alert_id=UUID(int=3), shadow=True))
    assert [value(board, f"alerts_{name}") for name in ("open", "critical", "major")] == [2, 1, 1]
    taken = replace(alert, revision=2, acked_at=at(6), acked_by="a")
    board.take_alert(taken)
    board.take_alert(replace(taken, revision=3, ended_at=at(30)))
    assert (value(board, "mtta_min", 31), value(board, "mttr_min", 31)) == (6.0, 30.0)
    assert value(board, "mtta_min", 25 * 60) is None


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 60), st.none() | st.integers(0, 100), st.integers(0, 30)),
        min_size=1,
        max_size=40,
    )
)
def test_a_fresh_sum_is_what_brute_force_finds_at_any_time(steps):
    held, known, now = FreshSum(timedelta(minutes=10)), {}, 0
    for asset, minute, number, passes in steps:
        held.put(f"a{asset}", at(minute), None if number is None else float(number))
        if asset not in known or minute > known[asset][0]:
            known[asset] = (minute, number)
        now = max(now, minute) + passes
        quality = held.settle(at(now))
        fresh = [item for item in known.values() if now - item[0] <= 10]
        assert held.total == sum(item[1] or 0 for item in fresh)
        assert sorted(held.values()) == sorted(item[1] for item in fresh if item[1] is not None)
        silent = len(known) - len(fresh)
        assert quality == (0 if not silent else Quality.STALE if not fresh else Quality.UNCERTAIN)


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 300), st.booleans()), max_size=40), st.integers(0, 400))
def test_a_rolling_share_is_what_brute_force_finds(things, now):
    share, known = RollingShare(timedelta(minutes=100)), {}
    for key, minute, counts in things:
        share.put(str(key), at(minute), counts=counts)
        known.setdefault(key, (minute, counts))
    held = [counts for minute, counts in known.values() if minute > now - 100]
    found = share.share_pct(at(now))
    assert found is None if not held else math.isclose(found, 100 * sum(held) / len(held), abs_tol=0.06)


def test_every_unit_that_a_shipped_rule_writes_in_words_is_named_in_both_languages():
    rules = Rulebook.load([Path(str(resources.files("alerts").joinpath("rules")))]).rules
    words = {rule.quantity_unit for rule in rules if rule.quantity_unit} - {"%", "m", "mm", "m/s", "µg/m³"}
    assert words
    for language in ("vi", "en"):
        texts = json.loads((WALL / "i18n" / f"{language}.json").read_text(encoding="utf-8"))
        assert words <= {key.removeprefix("unit.") for key in texts if key.startswith("unit.")}


def test_every_indicator_has_its_name_on_the_wall_in_both_languages(board):
    for language, name_of in (("vi", "name_vi"), ("en", "name_en")):
        texts = json.loads((WALL / "i18n" / f"{language}.json").read_text(encoding="utf-8"))
        named = {key.removeprefix("kpi_name."): text for key, text in texts.items() if key.startswith("kpi_name.")}
        wanted = {item.indicator_id.removeprefix("kpi."): getattr(item, name_of) for item in board.definitions}
        assert named == wanted
