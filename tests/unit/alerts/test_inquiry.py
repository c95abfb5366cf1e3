"""Why nobody was told: each reason from the events that make it, by the engine that runs live."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alerts.inquiry.asking import Answer, Inquiry, Question, Reason
from alerts.inquiry.course import MOST_POINTS, thin_out
from ioc.domain.kinds import AirReading, Crowd, LaneStatus, Rain, StationStatus, VesselPosition, WeatherObservation
from ioc.domain.quantities import Quality
from tests.support.engine_runs import make_event
from tests.support.inquiries import START, WORLD, Asker, at, facts_of, leading, read_rule

SITE = "site.bai-chay-beach"
CROWD = """
rule: test.crowd
condition: threshold
on: tourism.crowd
levels:
  - {severity: minor, when: density_p_m2 >= 2, for: 5m}
  - {severity: major, when: density_p_m2 >= 4, for: 2m}
gap: 3m
lateness: 10m
"""


def crowd(minute: float, density: float | None, *, delay: float = 0.0, asset_id: str = SITE):
    return make_event(asset_id, Crowd(density_p_m2=density, people_count=9), at(minute), delay_s=60 * delay)


@pytest.fixture
def why(tmp_path):
    def ask(rule: str, events, *, asset_id: str | None = SITE, until: float = 60.0, sends=()) -> Answer:
        return Asker(tmp_path).ask(rule, events, asset_id=asset_id, until=until, sends=sends)

    return ask


def test_nothing_came(why):
    found = why(CROWD, [crowd(-30, 1.0)])
    assert leading(found) == (Reason.NO_READINGS, True)
    assert facts_of(found, Reason.NO_READINGS) == {"last_before_at": at(-30)}


def test_the_level_was_never_reached_and_the_nearest_value_is_told(why):
    found = why(CROWD, [crowd(minute, 1.9 if minute == 20 else 0.5) for minute in range(60)])
    assert leading(found) == (Reason.LEVEL_NOT_REACHED, True)
    minor, major = facts_of(found, Reason.LEVEL_NOT_REACHED)["levels"]
    assert (minor["severity"], minor["value"], minor["limit"], minor["at"]) == ("minor", 1.9, 2.0, at(20))
    assert minor["distance"] == pytest.approx(0.1)
    assert (major["severity"], major["limit"]) == ("major", 4.0)
    assert (found.quantity, len(found.course), found.course[20].value, found.course[20].limit) == (
        "density_p_m2", 60, 1.9, 2.0,
    )  # fmt: skip


def test_an_index_that_is_far_from_its_limits_is_told_though_the_engine_need_not_work_it_out(why):
    events = [make_event("air.hong-gai", AirReading(pm25_ug_m3=8.0), at(minute)) for minute in range(120)]
    found = why("air.vn_aqi_hour", events, asset_id="air.hong-gai", until=120)
    assert leading(found) == (Reason.LEVEL_NOT_REACHED, True)
    nearest = facts_of(found, Reason.LEVEL_NOT_REACHED)["levels"][0]
    assert (nearest["limit"], 0 < nearest["value"] < 50) == (150.0, True)
    assert (found.quantity, found.is_explained) == ("vn_aqi", True)


def test_an_index_of_which_too_few_hours_are_known_yet_is_said_to_be_missing(why):
    events = [make_event("air.hong-gai", AirReading(pm25_ug_m3=500.0), at(minute)) for minute in range(16)]
    found = why("air.vn_aqi_hour", events, asset_id="air.hong-gai", until=16)
    assert leading(found) == (Reason.QUANTITY_MISSING, True)
    facts = facts_of(found, Reason.QUANTITY_MISSING)
    assert (facts["missing"], facts["of_count"], facts["is_made_by_rule"]) == (
        [{"quantity": "vn_aqi", "count": 16}], 16, True,
    )  # fmt: skip


def test_it_held_but_not_for_long_enough(why):
    found = why(CROWD, [crowd(minute, 3.0 if 10 <= minute <= 14 else 0.5) for minute in range(60)])
    assert leading(found) == (Reason.PENDING, True)
    facts = facts_of(found, Reason.PENDING)
    assert (facts["held"], facts["needed"]) == (timedelta(minutes=4), timedelta(minutes=5))
    assert (facts["severity"], facts["since"], facts["until"], facts["value"]) == ("minor", at(10), at(14), 3.0)
    assert [(span.since, span.until, span.fired) for span in found.spans] == [(at(10), at(14), False)]


def test_the_hold_that_came_nearest_to_its_for_is_told_whatever_its_level(why):
    found = why(CROWD, [crowd(10, 4.5), crowd(11, 4.5), crowd(11.9, 4.5), crowd(12, 0.5), crowd(20, 2.5), crowd(21, 0)])
    assert facts_of(found, Reason.PENDING)["severity"] == "major"
    assert facts_of(found, Reason.PENDING)["held"] == timedelta(minutes=1.9)


def test_readings_came_too_late(why):
    found = why(CROWD, [crowd(minute, 5.0, delay=45) for minute in range(20)])
    assert leading(found) == (Reason.TOO_LATE, True)
    facts = facts_of(found, Reason.TOO_LATE)
    assert (facts["count"], facts["of_count"], facts["over_limit_count"]) == (20, 20, 20)
    assert (facts["longest_delay"], facts["lateness"]) == (timedelta(minutes=45), timedelta(minutes=10))


def test_what_was_over_the_limit_came_too_late_and_the_rest_was_below(why):
    events = [crowd(minute, 0.5) for minute in range(10)]
    events += [crowd(minute, 5.0, delay=30) for minute in range(10, 20)]
    found = why(CROWD, [*events, crowd(50, 0.5)])
    assert leading(found) == (Reason.TOO_LATE, True)
    assert facts_of(found, Reason.TOO_LATE)["over_limit_count"] == 10


def test_a_few_late_readings_below_the_limit_are_told_beside(why):
    found = why(CROWD, [*(crowd(minute, 0.5) for minute in range(20)), crowd(21, 0.6, delay=30)])
    assert leading(found) == (Reason.LEVEL_NOT_REACHED, True)
    assert not next(item for item in found.findings if item.reason is Reason.TOO_LATE).is_decisive


def test_readings_came_out_of_order(why):
    found = why(CROWD, [crowd(minute, 5.0, delay=5) for minute in range(3)] + [crowd(61, 0.1, delay=-60)])
    assert leading(found) == (Reason.OUT_OF_ORDER, True)
    assert facts_of(found, Reason.OUT_OF_ORDER)["count"] == 3


def test_a_pause_between_readings_began_the_for_anew(why):
    found = why(CROWD, [crowd(minute, 3.0) for minute in (10, 12, 14, 18, 20, 22)] + [crowd(23, 0.5)])
    assert leading(found) == (Reason.GAP_RESTARTED, True)
    facts = facts_of(found, Reason.GAP_RESTARTED)
    assert (facts["pause"], facts["gap"], facts["at"]) == (timedelta(minutes=4), timedelta(minutes=3), at(18))
    assert (facts["would_have_held"], facts["needed"]) == (timedelta(minutes=12), timedelta(minutes=5))
    assert not next(item for item in found.findings if item.reason is Reason.PENDING).is_decisive


def test_a_pause_that_changed_nothing_is_told_beside(why):
    found = why(CROWD, [crowd(10, 3.0), crowd(14, 3.0), crowd(15, 0.5)])
    assert leading(found) == (Reason.PENDING, True)
    assert not next(item for item in found.findings if item.reason is Reason.GAP_RESTARTED).is_decisive


def test_the_quantity_was_missing(why):
    found = why(CROWD, [crowd(minute, None) for minute in range(10)])
    assert leading(found) == (Reason.QUANTITY_MISSING, True)
    assert facts_of(found, Reason.QUANTITY_MISSING)["missing"] == [{"quantity": "density_p_m2", "count": 10}]


def test_the_rule_fires_on_what_came_as_it_is_now(why):
    found = why(CROWD, [crowd(minute, 3.0) for minute in range(10)])
    assert leading(found) == (Reason.FIRES_NOW, True)
    assert facts_of(found, Reason.FIRES_NOW)["at"] == at(5)
    assert {item.reason for item in found.findings} == {Reason.FIRES_NOW}


def test_what_fired_before_the_period_and_goes_on_in_it_is_no_silence(why):
    found = why(CROWD, [crowd(minute, 3.0) for minute in range(-20, 60)])
    assert leading(found) == (Reason.FIRES_NOW, True)
    assert facts_of(found, Reason.FIRES_NOW)["at"] == at(-15)
    over = why(CROWD, [crowd(minute, 3.0 if minute < -5 else 0.5) for minute in range(-20, 60)])
    assert leading(over) == (Reason.LEVEL_NOT_REACHED, True)


def test_a_rule_in_shadow_tells_nobody(why):
    found = why(CROWD + "shadow: true\n", [crowd(minute, 3.0) for minute in range(10)])
    assert [item.reason for item in found.findings] == [Reason.SHADOW, Reason.FIRES_NOW]


def test_the_limit_was_not_yet_in_force(why):
    rule = """
rule: test.pm
condition: threshold
on: env.air.reading
levels:
  - severity: minor
    when: {quantity: pm25_ug_m3, operator: ">", limits: {2027-01-01: 45}}
"""
    events = [make_event("air.hong-gai", AirReading(pm25_ug_m3=80.0), at(minute)) for minute in range(0, 60, 5)]
    found = why(rule, events, asset_id="air.hong-gai")
    assert leading(found) == (Reason.LIMIT_NOT_EFFECTIVE, True)
    [limit] = facts_of(found, Reason.LIMIT_NOT_EFFECTIVE)["limits"]
    assert limit["in_force_from"] == ["2027-01-01"]


WINDOW = """
rule: test.rain
condition: window
on: env.rain
windows: {rain_mean: {of: rain_mm, mean: 1h}}
levels:
  - {severity: minor, when: rain_mean >= 5}
"""


def rain(minute: float, rain_mm: float, **others):
    return make_event("rain.ba-che", Rain(rain_mm=rain_mm), at(minute), **others)


def test_of_a_tumbling_window_that_asks_for_no_filling_one_reading_is_what_it_needs(why):
    rule = WINDOW.replace("mean: 1h}", "sum: 1h, tumbling: true}")
    found = why(rule, [rain(minute, 9.0) for minute in (5, 10, 50, 55)], asset_id="rain.ba-che")
    [window] = facts_of(found, Reason.WINDOW_NOT_FILLED)["windows"]
    assert (window["needs_ratio"], window["best_ratio"]) == (0.1, 0.0)


def test_the_window_was_never_filled(why):
    found = why(WINDOW, [rain(minute, 9.0) for minute in (0, 5, 10, 50, 55)], asset_id="rain.ba-che")
    assert leading(found) == (Reason.WINDOW_NOT_FILLED, True)
    [window] = facts_of(found, Reason.WINDOW_NOT_FILLED)["windows"]
    assert (window["name"], window["span"], window["needs_ratio"]) == ("rain_mean", timedelta(hours=1), 0.7)
    assert 0 < window["best_ratio"] < 0.7


def test_a_window_that_is_filled_from_before_the_period_is_judged_in_it(why):
    found = why(WINDOW, [rain(minute, 3.0) for minute in range(-60, 60, 5)], asset_id="rain.ba-che")
    assert leading(found) == (Reason.LEVEL_NOT_REACHED, True)
    [level] = facts_of(found, Reason.LEVEL_NOT_REACHED)["levels"]
    assert (level["quantity"], level["value"], level["distance"]) == ("rain_mean", 3.0, 2.0)


def test_readings_were_of_bad_quality(why):
    events = [
        make_event("rain.ba-che", Rain(rain_mm=9.0), at(minute), quality=Quality.BAD) for minute in range(0, 60, 5)
    ]
    assert leading(why(WINDOW, events, asset_id="rain.ba-che")) == (Reason.BAD_QUALITY, True)


def test_the_asset_is_of_another_kind(why):
    found = why(CROWD, [], asset_id="air.hong-gai", sends=[AirReading.KIND, StationStatus.KIND])
    assert {item.reason for item in found.findings if item.is_decisive} == {Reason.OUTSIDE, Reason.NO_READINGS}
    facts = facts_of(found, Reason.OUTSIDE)
    assert (facts["what"], facts["asset_class"], facts["rule_classes"]) == ("kind", "sensor", ["site"])


@pytest.mark.parametrize("sends", [(), (WeatherObservation.KIND,), (AirReading.KIND, WeatherObservation.KIND)])
def test_a_station_that_is_silent_is_not_called_one_of_another_kind(why, sends):
    before = make_event("met.bai-chay", WeatherObservation(wind_m_s=5.0), at(-90))
    found = why("wind.suspension", [before], asset_id="met.bai-chay", sends=sends)
    assert [item.reason for item in found.findings] == [Reason.NO_READINGS]
    assert leading(found) == (Reason.NO_READINGS, True)


def test_the_station_stands_for_no_zone_of_the_rule(why):
    rule = """
rule: test.wind
condition: threshold
on: met.obs
serving: [water]
levels:
  - {severity: minor, when: wind_m_s >= 10}
"""
    events = [make_event("met.nowhere", WeatherObservation(wind_m_s=20.0), at(minute)) for minute in range(5)]
    found = why(rule, events, asset_id="met.nowhere")
    assert facts_of(found, Reason.OUTSIDE)["what"] == "serving"
    assert next(item for item in found.findings if item.reason is Reason.OUTSIDE).is_decisive


def test_the_asset_has_no_limits_in_the_rule(why):
    rule = """
rule: test.level
condition: asset_limits
on: tourism.crowd
quantity: density_p_m2
limits: {site.other: {minor: 2}}
back: 0.1
"""
    found = why(rule, [crowd(minute, 5.0) for minute in range(5)])
    assert leading(found) == (Reason.OUTSIDE, True)
    assert facts_of(found, Reason.OUTSIDE)["what"] == "no_limits"


def test_the_rule_failed_on_every_reading(why):
    rule = """
rule: test.broken
condition: expression
on: vessel.position
levels:
  - {severity: minor, when: "double(timestamp(name).getHours()) > 5.0"}
"""
    events = [make_event("vessel.1", VesselPosition(sog_kn=1.0, name="HẠ LONG"), at(minute)) for minute in range(5)]
    found = why(rule, events, asset_id="vessel.1")
    assert leading(found) == (Reason.RULE_FAILED, True)
    facts = facts_of(found, Reason.RULE_FAILED)
    assert facts["count"] == 5
    assert "conversion failed" in facts["reason"]


def test_a_formula_that_never_held_is_told_as_it_stands(why):
    rule = """
rule: test.formula
condition: expression
on: tourism.crowd
shows: density_p_m2
levels:
  - {severity: minor, when: "density_p_m2 > 2 && people_count > 100"}
"""
    found = why(rule, [crowd(minute, 3.0) for minute in range(5)])
    assert leading(found) == (Reason.LEVEL_NOT_REACHED, True)
    assert facts_of(found, Reason.LEVEL_NOT_REACHED)["formulas"] == ["density_p_m2 > 2 && people_count > 100"]
    assert [point.value for point in found.course] == [3.0] * 5


def test_silence_was_not_long_enough_to_be_judged(why):
    events = [
        make_event("air.hong-gai", AirReading(pm25_ug_m3=8.0), at(minute), unit_code="06652")
        for minute in (*range(-30, 20), 22, *range(23, 61))
    ]
    found = why("station.silent", events, asset_id="air.hong-gai")
    assert leading(found) == (Reason.PENDING, True)
    facts = facts_of(found, Reason.PENDING)
    assert (facts["held"], facts["needed"]) == (timedelta(minutes=3), timedelta(minutes=4))


def test_silence_that_lasts_to_the_end_of_the_period_fires_without_another_event(why):
    events = [
        make_event("air.hong-gai", AirReading(pm25_ug_m3=8.0), at(minute), unit_code="06652") for minute in range(20)
    ]  # fmt: skip
    found = why("station.silent", events, asset_id="air.hong-gai")
    assert leading(found) == (Reason.FIRES_NOW, True)


def lane(minute: float, status: str, *, opens: float = -60):
    data = LaneStatus(gate="bac-luan-2", status=status, opens_at=at(opens), closes_at=at(opens + 600))
    return make_event("lane.bac-luan-2.1", data, at(minute))


def test_a_state_that_stood_from_before_the_period_did_not_stand_for_long_enough(why):
    found = why("border.lane_closed", [lane(-5, "closed")], asset_id="lane.bac-luan-2.1", until=3)
    assert leading(found) == (Reason.PENDING, True)
    facts = facts_of(found, Reason.PENDING)
    assert (facts["what"], facts["since"]) == ("state", at(-5))
    assert (facts["held"], facts["needed"]) == (timedelta(minutes=8), timedelta(minutes=10))
    assert not next(item for item in found.findings if item.reason is Reason.NO_READINGS).is_decisive


def test_a_state_that_stood_outside_of_published_hours_is_told_as_that(why):
    found = why("border.lane_closed", [lane(5, "closed", opens=120)], asset_id="lane.bac-luan-2.1")
    assert leading(found) == (Reason.OUTSIDE, True)
    assert facts_of(found, Reason.OUTSIDE)["what"] == "hours"


def test_a_state_that_outlasts_its_time_in_the_period_fires_on_a_report_from_before(why):
    found = why("border.lane_closed", [lane(-5, "closed")], asset_id="lane.bac-luan-2.1", until=10)
    assert leading(found) == (Reason.FIRES_NOW, True)


def test_a_state_that_never_stood_is_told_of_with_the_reports(why):
    found = why("border.lane_closed", [lane(minute, "open") for minute in range(5)], asset_id="lane.bac-luan-2.1")
    assert leading(found) == (Reason.NOT_MET, True)
    assert facts_of(found, Reason.NOT_MET)["looked_count"] == 5


def test_a_value_that_stood_still_moved_in_time(why):
    events = [
        make_event("air.hong-gai", AirReading(pm25_ug_m3=30.0 if minute <= 120 else 31.0 + minute % 7), at(minute))
        for minute in range(0, 180, 5)
    ]
    found = why("sensor.stuck", events, asset_id="air.hong-gai", until=180)
    assert leading(found) == (Reason.PENDING, True)
    facts = facts_of(found, Reason.PENDING)
    assert (facts["what"], facts["held"]) == ("pm25_ug_m3", timedelta(hours=2))


def test_a_window_over_a_quantity_that_never_came_is_told_as_that(why):
    rule = """
rule: test.pm
condition: window
on: env.air.reading
windows: {pm_mean: {of: pm25_ug_m3, mean: 1h}}
levels:
  - {severity: minor, when: pm_mean >= 50}
"""
    events = [make_event("air.hong-gai", AirReading(pm10_ug_m3=30.0), at(minute)) for minute in range(0, 60, 5)]
    found = why(rule, events, asset_id="air.hong-gai")
    assert leading(found) == (Reason.QUANTITY_MISSING, True)
    assert facts_of(found, Reason.QUANTITY_MISSING)["missing"] == [{"quantity": "pm25_ug_m3", "count": 12}]


def test_a_boat_that_was_in_no_zone_is_outside_a_rule_about_zones(why):
    inland = {"lon_deg": 105.0, "lat_deg": 21.5}
    events = [make_event("vessel.1", VesselPosition(sog_kn=8.0), at(minute), **inland) for minute in range(30)]
    found = why("vessel.under_warning", events, asset_id="vessel.1")
    assert leading(found) == (Reason.OUTSIDE, True)
    assert facts_of(found, Reason.OUTSIDE)["what"] == "zone"


def test_a_boat_in_calm_water_is_told_of_with_the_zones_that_it_was_in(why):
    bay = {"lon_deg": 107.1, "lat_deg": 20.9}
    events = [make_event("vessel.1", VesselPosition(sog_kn=8.0), at(minute), **bay) for minute in range(30)]
    found = why("vessel.under_warning", events, asset_id="vessel.1")
    assert leading(found) == (Reason.NOT_MET, True)
    assert facts_of(found, Reason.NOT_MET)["zones"]


def test_a_course_is_thinned_out_without_losing_its_peak():
    samples = [(at(minute), float(minute % 97)) for minute in range(10_000)]
    assert len(thin_out(samples, rises=True)) <= MOST_POINTS
    samples[5_003] = (samples[5_003][0], 500.0)
    assert (samples[5_003]) in thin_out(samples, rises=True)


def test_what_the_inquiry_reads_reaches_back_over_windows_and_for(tmp_path):
    rule = read_rule(tmp_path, WINDOW.replace("mean: 1h", "mean: 72h"))
    asked = Inquiry(rule, Question(rule_id="test.rain", asset_id="rain.x", start=START, end=at(60)), WORLD)
    assert asked.reads_from <= START - timedelta(hours=72)
    [need] = asked.needs
    assert (need.kinds, need.asset_ids) == (("env.rain",), ("rain.x",))
