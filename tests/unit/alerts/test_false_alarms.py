"""The traps in which alarm systems ring for nothing, or stay silent: one named test for each, numbered as designed."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from pathlib import Path

import pytest
from pyais import encode_dict

from alerts.engine.stepping import Engine
from alerts.language.expressions import Expression, ExpressionError
from alerts.language.rule import Comparison, Limit
from alerts.notification.inhibition import Inhibitors
from alerts.notification.suppression import Holds, Why, why_suppressed
from alerts.rulebook.book import Rulebook
from connectors.feed import Form
from connectors.inventory import load_inventory
from connectors.registry import open_feed
from ioc.bootstrap.knowledge import load_world
from ioc.domain.alerts import Alert, ChangeType, OperatorState, ResolveReason
from ioc.domain.kinds import (
    AirReading,
    CaseStep,
    Crowd,
    Directive,
    Outage,
    Rain,
    TruckStep,
    VesselPosition,
    WeatherObservation,
    WeatherWarning,
)
from ioc.domain.quantities import Quality
from tests.support.engine_runs import Lives, make_event, run
from tests.support.golden import make_settings

START = datetime(2026, 11, 23, 2, tzinfo=UTC)
RULES = Path(str(resources.files("alerts").joinpath("rules")))
WORLD = load_world()
SITE = "site.bai-chay-beach"
FIRED, RESOLVED = ChangeType.FIRED, ChangeType.RESOLVED


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def book(*names: str) -> Rulebook:
    return Rulebook.load([RULES / f"{name}.yaml" for name in names])


def crowd(minute: float, density: float | None, *, delay_min: float = 0.0):
    return make_event(SITE, Crowd(density_p_m2=density), at(minute), delay_s=60 * delay_min)


def types(changes) -> list[ChangeType]:
    return [change.type for change in changes if change.type is not ChangeType.UPDATED]


def parse(feed_id: str, *records: object, received_at: datetime = START):
    feed = open_feed(feed_id, stations=load_inventory(None), pseudonym_key=b"k" * 32)
    return feed.parse(json.dumps(records).encode(), received_at=received_at)


EXPRESSION = """\
rule: test.rule
condition: expression
on: directive.update
levels:
  - {severity: major, when: timestamp(title) < timestamp("2030-01-01T00:00:00Z")}
title: {vi: a, en: a}
detail: {vi: b, en: b}
runbook: {vi: c, en: c}
"""


def test_trap_01_an_expression_that_fails_is_a_fault_of_its_rule_and_never_true(tmp_path):
    (tmp_path / "rule.yaml").write_text(EXPRESSION, encoding="utf-8")
    directive = Directive(owner="Sở X", status="open", due_on=date(2026, 12, 1), title="no instant")
    step = Engine(Rulebook.load([tmp_path]), WORLD).step("events", [make_event("directive.1", directive, START)])
    assert step.changes == []
    assert [fault.rule_id for fault in step.rule_errors] == ["test.rule"]
    formula = Expression("a > 1.0", {"a": float})
    assert (formula.holds({"a": 2.0}), formula.holds({"a": 0.5}), formula.holds({})) == (True, False, None)


def test_trap_02_infinity_and_nan_are_over_no_limit_and_hide_none():
    engine, faults = Engine(book("28-crowd"), WORLD), []
    for minute, value in enumerate((math.inf, math.nan, math.inf) * 5):
        step = engine.step("events", [make_event(SITE, Crowd(density_p_m2=value), at(minute))])
        assert step.changes == []
        faults += step.rule_errors
    assert {fault.rule_id for fault in faults} == {"crowd.density"}
    assert types(engine.step("events", [make_event(SITE, Crowd(density_p_m2=5.0), at(16))]).changes) == []
    broken = [make_event("air.bai-chay", AirReading(pm25_ug_m3=math.nan), at(10 * number)) for number in range(60)]
    assert run(book("06-dust-calm", "07-stuck", "08-spike"), WORLD, broken).changes == []
    with pytest.raises(ExpressionError, match="divide"):
        Expression("a / b > 1.0", {"a": float, "b": float})


def test_trap_03_a_sensor_silent_while_it_fires_stays_firing_and_a_gap_is_no_time_over_the_limit():
    firing = [crowd(minute, 3.0) for minute in range(6)]
    lives = run(book("28-crowd"), WORLD, firing)
    for minute in range(6, 180):  # a jump would be a silence of ours
        lives.wait(at(minute))
    assert types(lives.changes) == [FIRED, ChangeType.NO_DATA]
    assert types(run(book("28-crowd"), WORLD, [crowd(0, 3.0), crowd(30, 3.0)]).changes) == []


def test_trap_04_readings_kept_back_by_an_outage_fire_nothing_for_the_past():
    kept_back = [crowd(minute, 5.0, delay_min=240 - minute) for minute in range(60)]
    assert run(book("28-crowd"), WORLD, kept_back).changes == []


def test_trap_04_a_truck_of_yesterday_that_is_told_late_is_judged_with_what_followed():
    def step(truck: str, name: str, hours: float):
        data = TruckStep(step=name, gate="km3-4", direction="export")
        return make_event(f"truck.{truck}", data, at(60 * hours), delay_s=3_600 * (20 - hours))

    lives = run(book("30-truck-dwell"), WORLD, [step("gone", "arrive_yard", 0), step("there", "arrive_yard", 0)])
    lives.take(step("gone", "cross", 3))
    lives.wait(at(60 * 20 + 5))
    assert [(change.type, change.asset_id) for change in lives.changes] == [(FIRED, "truck.there")]


def test_trap_05_repeated_and_out_of_order_readings_move_no_timer():
    readings = [crowd(0, 3.0), crowd(2, 3.0), crowd(0, 3.0, delay_min=3), crowd(1, 0.1, delay_min=3)]
    lives = run(book("28-crowd"), WORLD, readings)
    assert lives.changes == []
    lives.take(crowd(5, 3.0))
    assert types(lives.changes) == [FIRED]


def test_trap_06_a_value_that_swings_across_a_limit_is_one_alert_that_says_that_it_flaps():
    swinging = [crowd(minute, 3.0 if minute % 3 else 1.0) for minute in range(90)]
    steady = [crowd(minute - 6, 3.0) for minute in range(6)]
    lives = run(book("28-crowd"), WORLD, [*steady, *swinging])
    assert types(lives.changes).count(FIRED) == 1
    assert RESOLVED not in types(lives.changes)
    assert types(lives.changes).count(ChangeType.FLAPPING) == 1
    assert lives.changes[-1].flapping


def test_trap_07_a_boat_on_the_edge_of_a_harbour_has_not_left_it_because_its_fix_jitters():
    warning = WeatherWarning(
        warning_key="W", hazard="typhoon", severity="extreme", zone_id="ha-long-bay", status="actual",
        onset_at=at(10), expires_at=at(600),
    )  # fmt: skip
    events = [make_event("area.ha-long-bay", warning, START)]
    for number in range(60):  # on the outline of Tuần Châu's basin, 30 m in, 30 m out
        lon_deg = 106.99764 + (0.0003 if number % 2 else -0.0003)
        position = VesselPosition(sog_kn=0.3)
        events.append(make_event("vessel.574000001", position, at(5 + number), lon_deg=lon_deg, lat_deg=20.9265))
    assert run(book("22-unsheltered", "21-vessel-warned"), WORLD, events).changes == []
    outside = [
        make_event("vessel.574000001", VesselPosition(sog_kn=speed), at(minute), lon_deg=107.12, lat_deg=20.86)
        for minute, speed in ((90, 8.0), (100, 0.3))
    ]
    assert types(run(book("22-unsheltered"), WORLD, [*events, *outside]).changes) == [FIRED]


def test_trap_08_what_ais_calls_not_available_is_no_value():
    nothing = {"type": 1, "mmsi": 574000001, "status": 15, "lon": 181, "lat": 91, "speed": 102.3, "course": 360}
    feed = open_feed("vessels", stations=load_inventory(None), pseudonym_key=b"k" * 32)
    (nowhere,) = encode_dict({**nothing, "heading": 511}, talker_id="AI")
    (somewhere,) = encode_dict({**nothing, "heading": 511, "lon": 107.1, "lat": 20.9}, talker_id="AI")
    parsed = feed.parse(f"{nowhere}\r\n{somewhere}\r\n".encode(), received_at=START, form=Form.NMEA)
    assert all(event.position is None or event.position.is_valid for event in parsed.events)
    (event,) = [event for event in parsed.events if event.position is not None]
    assert (event.data.sog_kn, event.data.cog_deg, event.data.heading_deg) == (None, None, None)
    assert run(Rulebook.load([RULES]), WORLD, parsed.events).changes == []


def test_trap_09_zero_a_dash_an_error_code_and_a_stuck_value_are_four_things():
    stamp = "2026-11-23T09:00:00+07:00"
    parsed = parse("air", {"station": "air.bai-chay", "time": stamp, "pm25": 0, "no2": "-", "o3": -9999, "co": 999.9})
    (event,) = parsed.events
    assert event.data.pm25_ug_m3 == 0.0
    assert (event.data.no2_ug_m3, event.data.o3_ug_m3, event.data.co_ug_m3) == (None, None, None)
    stuck = [make_event("air.bai-chay", AirReading(pm25_ug_m3=31.5), at(10 * number)) for number in range(37)]
    (told,) = run(book("07-stuck"), WORLD, stuck).changes
    assert (told.rule_id, told.type) == ("sensor.stuck", FIRED)
    calm = [make_event("met.bai-chay", WeatherObservation(wind_m_s=0.0), at(10 * number)) for number in range(80)]
    assert run(book("07-stuck"), WORLD, calm).changes == []


def test_trap_10_a_neighbours_clock_of_another_zone_is_neither_the_future_nor_late():
    ours = {"station": "air.mong-cai-1", "time": "2026-11-23T09:00:00+07:00", "pm25": 20}
    theirs = {"station": "air.mong-cai-1", "time": "2026-11-23T10:00:00+08:00", "pm25": 20}
    first, second = (parse("air", record).events[0] for record in (ours, theirs))
    assert first.observed_at == second.observed_at == START
    wrong = parse("air", {**ours, "time": "2026-11-23T10:00:00+07:00"})
    assert (wrong.events, len(wrong.rejected)) == ([], 1)


def test_trap_11_a_day_ends_at_midnight_of_the_province_wherever_it_is_read():
    directive = Directive(owner="Sở X", status="open", due_on=date(2026, 11, 23), title="A")
    lives = run(book("36-directives"), WORLD, [make_event("directive.1", directive, START)])
    midnight = datetime(2026, 11, 23, 17, tzinfo=UTC)
    lives.wait(midnight - timedelta(seconds=1))
    assert lives.changes == []
    lives.wait(midnight)
    assert types(lives.changes) == [FIRED]


def test_trap_12_a_restart_a_rebalance_and_a_reload_fire_nothing_again_and_forget_nothing():
    lives = run(book("28-crowd"), WORLD, [crowd(minute, 3.0) for minute in range(6)])
    assert types(lives.changes) == [FIRED]
    for minute in range(6, 10):
        lives.die()
        lives.take(crowd(minute, 3.0))
    assert types(lives.changes) == [FIRED]
    lives.die()
    for minute in range(10, 13):
        lives.take(crowd(minute, 0.1))
    assert types(lives.changes) == [FIRED, ChangeType.RECOVERING, RESOLVED]


def rain(minute: float, rain_mm: float):
    return make_event("rain.ba-che", Rain(rain_mm=rain_mm, period_min=10), at(minute))


def a_morning_of_everything():
    """What has something under way at nearly every moment: holds, windows, due times, an open alert."""
    case = CaseStep(procedure="1.001", status="received", filed_at=at(0), due_at=at(40))
    events = [make_event("case.a", case, at(0))]
    events += [crowd(minute, 3.0 if minute < 20 else 0.5) for minute in range(40)]
    events += [rain(minute, 8.0 if minute < 60 else 0.0) for minute in range(0, 180, 10)]
    return sorted(events, key=lambda event: event.received_at)


DISTURBED = ("28-crowd", "10-rain", "34-cases")


def undisturbed():
    lives = run(book(*DISTURBED), WORLD, a_morning_of_everything())
    lives.wait(at(181))
    assert len({change.rule_id for change in lives.changes}) == len(DISTURBED)
    assert {change.type for change in lives.changes} >= {FIRED, ChangeType.SEVERITY, ChangeType.RECOVERING, RESOLVED}
    return lives.changes


def test_trap_12_a_partition_that_goes_to_another_and_comes_back_fires_nothing_again_and_forgets_nothing():
    engines = [Engine(book(*DISTURBED), WORLD) for _ in range(2)]
    kept, seen, changes = {}, {}, []
    for number, event in enumerate(a_morning_of_everything()):
        owner, other = engines[number // 3 % 2], engines[1 - number // 3 % 2]
        if number % 3 == 0:
            other.forget("events")
            owner.restore("events", kept, list(seen.values()))
        step = owner.step("events", [event])
        kept = {key: value for key, value in (kept | step.state).items() if value is not None}
        seen[type(event.data), event.asset_id] = event
        changes += step.changes
    changes += owner.advance("events", at(181)).changes
    assert changes == undisturbed()


def test_trap_12_rules_that_are_read_anew_between_any_two_readings_fire_nothing_again_and_forget_nothing():
    engine, kept, changes = Engine(book(*DISTURBED), WORLD), {}, []
    for event in a_morning_of_everything():
        before, engine = engine, Engine(book(*DISTURBED), WORLD)
        engine.inherit("events", kept, before)
        step = engine.step("events", [event])
        kept = {key: value for key, value in (kept | step.state).items() if value is not None}
        changes += step.changes
    changes += engine.advance("events", at(181)).changes
    assert changes == undisturbed()


@pytest.mark.parametrize(
    ("edit", "ends"),
    [
        (("Xem camera điểm đông", "Xem camera"), False),
        (("rule: crowd.density", "rule: crowd.other"), True),
    ],
    ids=["a text is edited", "another identity"],
)
def test_trap_13_an_edit_of_texts_keeps_an_alert_and_another_identity_ends_it(tmp_path, edit, ends):
    lives = run(book("28-crowd"), WORLD, [crowd(minute, 3.0) for minute in range(6)])
    path = tmp_path / "rule.yaml"
    path.write_text((RULES / "28-crowd.yaml").read_text(encoding="utf-8").replace(*edit), encoding="utf-8")
    edited = Lives(Rulebook.load([path]), WORLD)
    edited.state = lives.state
    edited.die()
    edited.wait(at(7))
    assert [change.reason for change in edited.changes] == ([ResolveReason.RULE_DELETED] if ends else [])


def test_trap_14_a_unit_that_is_silent_as_a_whole_is_one_suspected_blackout():
    stations = [f"air.{number}" for number in range(12)]
    lives = run(
        book("09-station-silent"),
        WORLD,
        [
            make_event(name, AirReading(pm25_ug_m3=20.0), at(minute) + timedelta(seconds=place), unit_code="06652")
            for minute in range(5)
            for place, name in enumerate(stations)
        ],
    )
    for minute in range(6, 30):
        lives.wait(at(minute))
    # Not even one that is suppressed: it would stand three hundred times on the list of what was suppressed.
    told = [change for change in lives.changes if change.type is FIRED]
    assert [dict(change.labels).get("blackout") for change in told] == ["unit:06652"]


def test_trap_15_what_cannot_be_a_value_in_the_unit_is_refused_at_parse_and_reaches_no_rule():
    stamp = "2026-11-23T09:00:00+07:00"
    in_kelvin = parse("air", {"station": "air.bai-chay", "time": stamp, "pm25": 20, "temp": 297.5})
    in_km_h = parse("weather", {"station": "met.bai-chay", "time": stamp, "wind_ms": 130})
    for parsed in (in_kelvin, in_km_h):
        assert (len(parsed.events), len(parsed.rejected)) == (0, 1)
    assert "outside" in in_kelvin.rejected[0].reason


def test_trap_16_a_window_that_has_not_filled_has_no_value_and_is_not_zero():
    few = [make_event("air.hong-gai", AirReading(pm25_ug_m3=400.0), at(60 * hour)) for hour in range(10)]
    assert run(book("04-pm25-day"), WORLD, few).changes == []
    low_again = [*few, make_event("air.hong-gai", AirReading(pm25_ug_m3=0.0), at(660))]
    assert run(book("04-pm25-day"), WORLD, low_again).changes == []


def test_trap_17_a_limit_is_that_of_the_readings_own_day():
    limit = Limit(values=(50.0, 45.0), from_on=(date(2023, 9, 12), date(2026, 1, 1)))
    assert (limit.on(date(2020, 1, 1)), limit.on(date(2025, 12, 31)), limit.on(date(2026, 1, 1))) == (None, 50.0, 45.0)
    assert Comparison(quantity="pm25_24h", operator=">", limit=limit).is_over(48.0, 45.0)
    for year, fires in ((2025, False), (2026, True)):
        begin = datetime(year, 3, 1, tzinfo=UTC)
        day = [
            make_event("air.hong-gai", AirReading(pm25_ug_m3=48.0), begin + timedelta(hours=hour)) for hour in range(24)
        ]
        assert (types(run(book("04-pm25-day"), WORLD, day).changes) == [FIRED]) is fires


def test_trap_18_what_is_played_back_has_topics_and_a_schema_of_its_own_and_shadow_rules_reach_nobody(tmp_path):
    from ioc.bootstrap.scratch import _to_scratch

    dense = [crowd(minute, 3.0) for minute in range(6)]
    live = make_settings(tmp_path, "postgresql://127.0.0.1/ioc")
    own = _to_scratch(live, "scratch_1")
    assert own.store.schema_name == "scratch_1" != live.store.schema_name
    assert own.log.topic_prefix == "scratch_1." != live.log.topic_prefix
    case = CaseStep(procedure="1.001", status="received", filed_at=at(0), due_at=at(60))
    lives = run(book("34-cases"), WORLD, [make_event("case.a", case, START)])
    lives.wait(at(61))
    for changes, is_told in ((lives.changes, False), (run(book("28-crowd"), WORLD, dense).changes, True)):
        (fired,) = [change for change in changes if change.type is FIRED]
        known = {name: getattr(fired, name) for name in Alert.__slots__ if hasattr(fired, name)}
        alert = Alert(
            revision=1, operator=OperatorState.UNACKNOWLEDGED, ended_at=None, resolve_reason=None, acked_by=None,
            acked_at=None, shelved_until=None, **known,
        )  # fmt: skip
        held = why_suppressed(alert, Holds(silences=(), windows=(), inhibitors=Inhibitors((), [])), at(61))
        assert (held is None) is is_told
        assert held is None or held.why is Why.SHADOW


def test_a_reading_that_its_source_calls_bad_fires_nothing_about_sensors():
    bad = [
        make_event("air.bai-chay", AirReading(pm25_ug_m3=31.5), at(10 * number), quality=Quality.BAD)
        for number in range(60)
    ]
    assert run(book("07-stuck", "08-spike"), WORLD, bad).changes == []


def test_one_unit_in_the_dark_is_not_the_province():
    dark = [
        make_event("unit.06652", Outage(customers_off_count=9_000, customers_count=10_000), at(minute))
        for minute in range(20)
    ]
    told = {change.rule_id for change in run(book("35-outage"), WORLD, dark).changes}
    assert told == {"power.outage"}
