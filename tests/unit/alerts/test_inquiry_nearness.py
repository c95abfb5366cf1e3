"""How near a rule came that looks past one asset, or at places and times: told by its condition, never guessed."""

from __future__ import annotations

from pathlib import Path

import pytest

import alerts
from alerts.approaches import Approach, compare
from alerts.inquiry.asking import Answer, Inquiry, Question, Reason
from ioc.domain.grounds import Part
from ioc.domain.kinds import (
    AirReading,
    BorderQueue,
    NowcastCell,
    Outage,
    PassengerCount,
    Rain,
    TruckStep,
    VesselDeparture,
    VesselManifest,
    VesselPosition,
    WeatherObservation,
    WeatherWarning,
)
from tests.support.engine_runs import make_event
from tests.support.inquiries import WORLD, Asker, at, facts_of, leading, read_rule

GATE = "gate.bac-luan-1"
BOAT = "vessel.574000001"
OUT, IN_PORT = (107.12, 20.86), (106.988, 20.9265)
UNITS = ("06652", "06655", "06657", "06660", "06667")


@pytest.fixture
def why(tmp_path):
    return Asker(tmp_path).ask


def event(asset_id: str, data, minute: float, place=(None, None), **others):
    return make_event(asset_id, data, at(minute), lon_deg=place[0], lat_deg=place[1], **others)


def boat(minute: float, sog_kn: float = 0.2, place=OUT, asset_id: str = BOAT):
    return event(asset_id, VesselPosition(sog_kn=sog_kn), minute, place)


def boats(*, sog_kn: float = 0.2, place=OUT):
    return [boat(half / 2, sog_kn, place) for half in range(-60, 120)]


def wind(minute: float, wind_m_s: float, gust_m_s: float | None = None):
    data = WeatherObservation(wind_m_s=wind_m_s, gust_m_s=gust_m_s)
    return event("met.bai-chay", data, minute, (107.04, 20.955))


def warning(minute: float, onset: float, expires: float, hazard: str = "squall"):
    data = WeatherWarning(
        warning_key="W-1", hazard=hazard, severity="severe", zone_id="ha-long-bay", status="actual",
        onset_at=at(onset), expires_at=at(expires),
    )  # fmt: skip
    return event("area.ha-long-bay", data, minute)


def dust(asset_id: str, pm10: float, first: float):
    place = {"air.hong-gai": (107.078, 20.954), "air.bai-chay": (107.032, 20.962)}[asset_id]
    return [event(asset_id, AirReading(pm10_ug_m3=pm10), first + minute, place) for minute in range(0, 56, 5)]


def nearest(found: Answer):
    return facts_of(found, Reason.NOT_MET)["nearest"]


def lacked(found: Answer) -> dict:
    return {part["what"]: (part["value"], part["limit"]) for part in nearest(found)["parts"] if not part["is_met"]}


def met(found: Answer) -> set[str]:
    return {part["what"] for part in nearest(found)["parts"] if part["is_met"]}


# Approaches


def test_what_more_is_met_of_is_nearer_whatever_the_rest_lacks():
    one_met = Approach(at(0), (compare("a", 3.0, ">", 2.0), compare("b", 0.0, ">", 9.0)))
    nearly = Approach(at(1), (compare("a", 1.99, ">", 2.0), compare("b", 8.9, ">", 9.0)))
    assert one_met.weigh().nearness > nearly.weigh().nearness


def test_of_two_that_lack_the_same_part_the_smaller_lack_is_nearer():
    far, near = (Approach(at(0), (compare("share_pct", value, ">=", 30.0),)) for value in (12.0, 22.0))
    assert near.weigh().nearness > far.weigh().nearness
    assert not near.is_met


def test_what_is_just_at_a_limit_that_must_be_passed_lacks_nothing_and_is_not_met():
    weight = Approach(at(0), (compare("pm10_ug_m3", 250.0, ">", 250.0),)).weigh()
    assert (weight.shortfall, weight.is_all) == (0.0, False)


def test_one_of_several_ways_is_enough():
    ways = (Part("warning", False, one_of="weather"), compare("wind_m_s", 11.0, ">=", 10.8, one_of="weather"))
    assert Approach(at(0), (Part("under_way", True), *ways)).is_met
    assert not Approach(at(0), (Part("under_way", False), *ways)).is_met


def test_what_lacks_against_a_limit_of_zero_is_compared_too():
    early, late = (compare("to_stop_time_min", minutes, "<=", 0.0).shortfall for minutes in (80.0, 30.0))
    assert 0 < late < early < 1


# Rule 9


def stations(silent: str, *, unit: str = UNITS[0], letters: str = "abcdefghij"):
    return [
        event(f"air.{letter}", AirReading(pm25_ug_m3=8.0), minute + place / 60, unit_code=unit)
        for place, letter in enumerate(letters)
        for minute in range(-30, 70)
        if not (letter in silent and 10 <= minute < 20)
    ]


def test_the_share_of_a_units_silent_stations_is_told_with_its_limit(why):
    found = why(SILENT, stations("ab"), asset_id=None)
    assert leading(found) == (Reason.NOT_MET, True)
    assert lacked(found) == {"silent_share_pct": (20.0, 30.0), "silent_count": (2.0, 3.0)}
    near = nearest(found)
    assert (near["place"], near["place_en"], at(12) <= near["at"] <= at(13)) == (UNITS[0], "Ha Tu Ward", True)


def test_single_stations_that_fire_do_not_hide_how_near_their_unit_came(why):
    found = why("station.silent", stations("ab"), asset_id=None)
    assert [item.reason for item in found.findings] == [Reason.FIRES_NOW, Reason.NOT_MET]
    assert not found.findings[1].is_decisive
    assert lacked(found)["silent_share_pct"] == (20.0, 30.0)


SILENT = """
rule: test.silent
condition: absence
after: {env.air.reading: 3m}
severity: minor
settle: 20m
blackout:
  severity: major
  share: 0.3
  least: 3
  title: {vi: "d", en: "d"}
  detail: {vi: "e", en: "e"}
"""


def test_of_one_station_its_own_silence_leads_and_its_units_share_stands_beside(why):
    others = stations("klm", unit=UNITS[1], letters="klm")
    found = why("station.silent", [*stations("ab"), *others], asset_id="air.c")
    assert leading(found) == (Reason.PENDING, True)
    assert lacked(found)["silent_share_pct"] == (20.0, 30.0), "the blackout of another unit is another matter"


# Rule 6


def test_one_station_over_the_limit_is_not_two(why):
    calm = [wind(minute, 1.2) for minute in range(-30, 60, 10)]
    events = [*calm, *dust("air.hong-gai", 300.0, 1), *dust("air.bai-chay", 240.0, 2)]
    found = why("air.dust_calm", events, asset_id=None)
    assert lacked(found) == {"stations_near_count": (1.0, 2.0)}
    assert met(found) == {"pm10_ug_m3", "wind_m_s"}
    assert (nearest(found)["place"], nearest(found)["at"]) == ("air.hong-gai", at(1))
    own = why("air.dust_calm", events, asset_id="air.bai-chay")
    assert lacked(own) == {"pm10_ug_m3": (240.0, 250.0)}


@pytest.mark.parametrize(("winds", "wanted"), [([2.4], {"wind_m_s": (2.4, 2.0)}), ([], {"wind_known": (None, None)})])
def test_two_stations_over_the_limit_are_none_in_a_wind_or_in_one_that_is_not_known(why, winds, wanted):
    blowing = [wind(minute, speed) for speed in winds for minute in range(-30, 60, 10)]
    found = why(
        "air.dust_calm", [*blowing, *dust("air.hong-gai", 300.0, 1), *dust("air.bai-chay", 260.0, 2)], asset_id=None
    )
    assert lacked(found) == wanted


# Rules 20 to 23


def cell(minute: float, *, towards: float = 225.0):
    data = NowcastCell(
        polygon_wkt="POLYGON ((106.96 20.71, 107.02 20.71, 107.02 20.77, 106.96 20.77, 106.96 20.71))",
        status="actual", valid_until=at(65), gust_m_s=25.0, move_dir_deg=towards, move_m_s=10.0,
    )  # fmt: skip
    return event("cell.1", data, minute, (106.99, 20.74))


def test_how_far_from_a_boat_a_squall_passes_is_told(why):
    found = why("vessel.squall", [*boats(), cell(5)], asset_id=BOAT)
    [(what, (passes_m, margin_m))] = lacked(found).items()
    assert (what, margin_m) == ("passes_m", 500.0)
    assert 10_000 < passes_m < 20_000
    assert met(found) == {"outside_harbour", "squall_cell"}


def test_without_a_squall_that_is_said_of_a_boat_outside_and_the_harbour_of_one_inside(why):
    assert lacked(why("vessel.squall", boats(), asset_id=BOAT)) == {"squall_cell": (None, None)}
    found = why("vessel.squall", [*boats(place=IN_PORT), cell(5)], asset_id=BOAT)
    assert (lacked(found), nearest(found)["place"]) == ({"outside_harbour": (None, None)}, "port-tuan-chau")


def test_no_warning_over_the_waters_is_told_with_the_wind_that_there_was(why):
    found = why(
        "vessel.under_warning",
        [*boats(sog_kn=8.0), *(wind(m, 9.5 if m == 30 else 5.0, 9.0) for m in range(0, 60, 10))],
        asset_id=BOAT,
    )
    assert leading(found) == (Reason.NOT_MET, True)
    assert lacked(found) == {"warning": (None, None), "wind_m_s": (9.5, 10.8), "gust_m_s": (9.0, 17.2)}
    assert (nearest(found)["at"], nearest(found)["place"]) == (at(30), "ha-long-bay")


def test_a_boat_that_turned_back_in_time_was_out_for_less_than_its_grace(why):
    events = [item for item in boats(sog_kn=8.0) if item.observed_at < at(18)]
    home = [boat(minute, 8.0, IN_PORT) for minute in range(18, 60)]
    found = why("vessel.under_warning", [*events, warning(10, 10, 120), *home], asset_id=BOAT)
    assert lacked(found) == {"set_out_against_it": (None, None), "caught_out_min": (pytest.approx(7, abs=1), 10.0)}


def test_a_boat_at_rest_under_a_warning_was_not_under_way(why):
    found = why("vessel.under_warning", [*boats(), warning(10, 10, 120)], asset_id=BOAT)
    assert lacked(found) == {"under_way": (None, None)}


def test_the_stop_time_that_has_not_come_is_told(why):
    found = why("vessel.unsheltered", [*boats(), warning(10, 90, 300, "typhoon")], asset_id=BOAT)
    assert (lacked(found), nearest(found)["at"]) == ({"to_stop_time_min": (30.0, 0.0)}, at(60))
    assert lacked(why("vessel.unsheltered", boats(), asset_id=BOAT)) == {"storm_warning": (None, None)}


def test_a_boat_in_a_harbour_at_the_stop_time_was_inside(why):
    found = why("vessel.unsheltered", [*boats(place=IN_PORT), warning(10, 30, 300, "typhoon")], asset_id=BOAT)
    assert lacked(found) == {"outside_harbour": (None, None)}


def test_the_longest_silence_of_a_boat_is_told_with_its_patience(why):
    events = [item for item in boats(sog_kn=8.0) if not at(20) < item.observed_at < at(24)]
    found = why("vessel.signal_lost", events, asset_id=BOAT)
    assert lacked(found) == {"silent_min": (4.0, 5.0)}
    assert nearest(found)["at"] == at(24)


def test_a_silence_that_goes_on_at_the_end_of_the_period_counts(why):
    events = [item for item in boats(sog_kn=8.0) if item.observed_at <= at(57)]
    found = why("vessel.signal_lost", events, asset_id=BOAT)
    assert (lacked(found), nearest(found)["at"]) == ({"silent_min": (3.0, 5.0)}, at(60))


def test_a_question_about_no_boat_in_particular_names_the_one_that_came_nearest(why):
    far = [boat(minute, 8.0, asset_id="vessel.2") for minute in (0, 1, 2, 3, 4.5, 6, 7)]
    events = [*(item for item in boats(sog_kn=8.0) if item.observed_at <= at(7)), *far]
    found = why("vessel.signal_lost", events, asset_id=None, until=7)
    assert (nearest(found)["asset_id"], lacked(found)["silent_min"][0]) == ("vessel.2", pytest.approx(1.5))


@pytest.mark.parametrize(("place", "reason"), [(OUT, Reason.FIRES_NOW), ((107.435, 20.99), Reason.NOT_MET)])
def test_a_fleet_that_falls_silent_in_another_water_is_another_matter(why, place, reason):
    fleet = [
        boat(minute / 2 + number / 20, 8.0, asset_id=f"vessel.57400010{number}")
        for number in range(6) for minute in range(40)
    ]  # fmt: skip
    own = [boat(half / 2, 8.0, place) for half in range(-60, 40 if place == OUT else 120)]
    clock = [boat(minute, 8.0, (108.05, 21.45), "vessel.99") for minute in range(60)]
    assert why("vessel.signal_lost", [*fleet, *own, *clock], asset_id=BOAT).findings[0].reason is reason


# Rules 30, 31, 35, 17, 25


def trucks(count: int, hours: float = 5.2):
    came = [event(f"truck.{number}", truck("arrive_yard"), 60 - 60 * hours) for number in range(7)]
    left = [event(f"truck.{number}", truck("cross"), 10 + 5 * number) for number in range(count)]
    return [*came, *left]


def truck(step: str) -> TruckStep:
    return TruckStep(step=step, gate="bac-luan-2", direction="export")


def test_the_time_through_a_gate_is_told_of_the_gate_that_reports_nothing_itself(why):
    found = why("gate.truck_dwell", trucks(7), asset_id="gate.bac-luan-2")
    assert leading(found) == (Reason.LEVEL_NOT_REACHED, True)
    [level] = facts_of(found, Reason.LEVEL_NOT_REACHED)["levels"]
    assert (level["quantity"], level["limit"], level["place"]) == ("passage_h", 6.0, "gate.bac-luan-2")
    assert level["value"] == pytest.approx(5.2 - 20 / 60)
    assert [round(point.value, 2) for point in found.course] == [4.7, 4.78, 4.87]
    assert {item.reason for item in found.findings} == {Reason.LEVEL_NOT_REACHED}


def test_three_trucks_say_little_of_a_gate(why):
    found = why("gate.truck_dwell", trucks(3), asset_id="gate.bac-luan-2")
    assert (leading(found), lacked(found)) == ((Reason.NOT_MET, True), {"left_count": (3.0, 5.0)})


def test_the_hour_in_which_a_queue_grew_least_is_told(why):
    sizes = {-5: 60, -4: 75, -3: 90, -2: 112, -1: 120, 0: 130}
    events = [
        event("gate.x", BorderQueue(vehicles_count=size), 60 * hour + minute)
        for hour, size in sizes.items()
        for minute in range(0, 60, 10)
    ]
    found = why("gate.queue_growth", events, asset_id="gate.x")
    assert lacked(found) == {"least_rise_pct": (pytest.approx(100 * (120 / 112 - 1)), 20.0)}
    assert {"spans_count", "vehicles_count"} == met(found)


def outages(units, most: int):
    return [
        event(f"grid.{unit}", Outage(customers_off_count=most if minute == 20 else 1_000, customers_count=10_000),
              minute, unit_code=unit)
        for unit in units
        for minute in range(0, 60, 10)
    ]  # fmt: skip


def test_the_largest_share_of_the_province_is_told_with_its_course(why):
    found = why("power.outage_province", outages(UNITS, 3_000), asset_id=None)
    assert leading(found) == (Reason.LEVEL_NOT_REACHED, True)
    [level] = facts_of(found, Reason.LEVEL_NOT_REACHED)["levels"]
    assert (level["value"], level["limit"], level["distance"], level["at"]) == (30.0, 40.0, 10.0, at(20))
    assert found.quantity == "share_pct"
    assert max(point.value for point in found.course) == 30.0


def test_a_share_of_too_few_units_is_none(why):
    found = why("power.outage_province", outages(UNITS[:3], 9_000), asset_id=None)
    assert lacked(found) == {"reporting_count": (3.0, 5.0)}


def test_a_formula_tells_the_comparison_that_lacked_least_with_its_sides_worked_out(why):
    found = why("power.outage", outages(UNITS[:1], 1_500), asset_id=f"grid.{UNITS[0]}")
    [part] = facts_of(found, Reason.LEVEL_NOT_REACHED)["nearest"]["parts"]
    assert (part["what"], part["value"], part["operator"], part["limit"]) == (
        "customers_off_count", 1_500.0, ">", 2_000.0,
    )  # fmt: skip


def test_a_formula_of_several_comparisons_tells_which_of_them_were_met(why):
    """120 mm in 24 hours, and 40 of the 50 mm in the two days before."""
    events = [
        event("rain.ba-che", Rain(rain_mm=120 / 144 if minute > -23 * 60 else 40 / 288), minute)
        for minute in range(-71 * 60, 61, 10)
    ]
    found = facts_of(why("rain.flash_flood", events, asset_id="rain.ba-che"), Reason.LEVEL_NOT_REACHED)
    before, day = sorted(found["nearest"]["parts"], key=lambda part: part["limit"])
    assert (day["what"], day["is_met"], day["limit"]) == ("rain_24h", True, 100.0)
    assert (before["what"], before["is_met"], before["limit"]) == ("rain_72h - rain_24h", False, 50.0)
    assert 35 < before["value"] < 45


def test_hazards_that_are_far_apart_tell_how_far(why):
    rain = [event("rain.ba-che", Rain(rain_mm=8.0), minute, (107.28, 21.27)) for minute in range(-120, 60, 10)]
    found = why("hazards.coincident", [*rain, *(wind(minute, 20.0) for minute in range(0, 60, 10))], asset_id=None)
    [(what, (far_km, near_km))] = lacked(found).items()
    assert (what, near_km) == ("apart_km", 30.0)
    assert 40 < far_km < 50
    alone = why("hazards.coincident", rain, asset_id=None)
    assert lacked(alone) == {"hazards_count": (1.0, 2.0)}


def test_a_boat_that_dragged_a_little_and_one_in_no_gale(why):
    moored = [boat(minute, 0.2) for minute in range(-30, 20)]
    dragged = [boat(minute, 0.4, (107.1206, 20.86)) for minute in range(20, 60)]
    found = why("vessel.adrift", [*moored, *dragged], asset_id=BOAT)
    assert lacked(found) == {"moved_m": (pytest.approx(62.4, abs=0.5), 100.0)}
    gone = [boat(minute, 0.4, (107.122, 20.86)) for minute in range(20, 60)]
    found = why("vessel.adrift", [*moored, *gone, *(wind(m, 12.0) for m in range(-30, 60, 10))], asset_id=BOAT)
    assert lacked(found) == {"wind_m_s": (12.0, 17.2)}


ZONE = """
rule: test.zone
condition: zone
on: vessel.position
when: count
zones: [ha-long-bay]
levels:
  - {severity: minor, when: inside_count >= 5}
"""


def test_the_most_that_were_in_a_zone_at_once_are_told(why):
    events = [boat(minute, 5.0, asset_id=f"vessel.{number}") for number in range(3) for minute in range(-10, 60, 5)]
    [level] = facts_of(why(ZONE, events, asset_id=None), Reason.LEVEL_NOT_REACHED)["levels"]
    assert (level["value"], level["limit"], level["place"]) == (3.0, 5.0, "ha-long-bay")


def test_nothing_is_asked_of_conditions_while_the_engine_runs_live(tmp_path):
    """What tells how near a rule came belongs to inquiries alone: no other module calls it."""
    root = Path(alerts.__file__).parent
    called = [path.name for path in root.rglob("*.py") if ".approaches(" in path.read_text("utf-8")]
    named = [path.name for path in root.rglob("*.py") if '"approaches"' in path.read_text("utf-8")]
    assert (called, named) == ([], ["spy.py"])


# Rules 8, 26, 27


def readings_of(asset_id: str, *, peak: float, place):
    values = [(minute, 20.0 + minute % 3) for minute in range(-120, 60, 5)]
    return [event(asset_id, AirReading(pm25_ug_m3=peak if minute == 30 else value), minute, place)
            for minute, value in values]  # fmt: skip


def test_a_reading_that_was_not_far_enough_from_those_before_tells_how_far(why):
    found = why(
        "sensor.spike", readings_of("air.hong-gai", peak=90.0, place=(107.078, 20.954)), asset_id="air.hong-gai"
    )
    [(what, (off, limit))] = lacked(found).items()
    assert (what, off, nearest(found)["at"]) == ("deviation", 69.0, at(30))
    assert limit > off
    assert nearest(found)["facts"] == {"quantity": "pm25_ug_m3"}


def test_a_leap_that_a_neighbour_shows_as_well_is_told_with_the_neighbour(why):
    one, other = (
        readings_of(name, peak=400.0, place=place)
        for name, place in (("air.hong-gai", (107.078, 20.954)), ("air.bai-chay", (107.032, 20.962)))
    )
    found = why("sensor.spike", [*one, *other], asset_id="air.hong-gai")
    assert (lacked(found), nearest(found)["facts"]) == ({"alone": (None, None)}, {"neighbours": "air.bai-chay"})


def departure(minute: float, pax_count: int | None = 40):
    data = VesselDeparture(trip="T-1", port="tuan-chau", pax_count=pax_count)
    return event(BOAT, data, minute)


def manifest(minute: float, pax_count: int):
    return event(BOAT, VesselManifest(trip="T-1", port="tuan-chau", pax_count=pax_count), minute)


def test_how_long_a_boat_that_left_showed_no_position_is_told(why):
    others = [boat(minute, 8.0, asset_id="vessel.2") for minute in range(60)]
    found = why("trip.unseen", [*others, departure(10), boat(12, 8.0)], asset_id=BOAT)
    assert lacked(found) == {"unseen_min": (pytest.approx(2.0), 3.0)}
    assert lacked(why("trip.unseen", [boat(12, 8.0)], asset_id=BOAT)) == {"departed": (None, None)}


def test_how_long_a_list_was_missing_and_that_it_gives_the_people_who_left(why):
    missing = why("trip.manifest", [departure(10), manifest(14, 40)], asset_id=BOAT, until=20)
    assert lacked(missing) == {"list_missing_min": (pytest.approx(4.0), 5.0)}
    same = why("trip.manifest", [manifest(5, 40), departure(10)], asset_id=BOAT, until=20)
    assert lacked(same) == {"declared_count": (40.0, 40.0)}


# Rule 33


def passengers(days: int, people_of_hour):
    """Counts every ten minutes of the hour from 9:00 in the province on each of the days, and of the one before."""
    return [
        event(GATE, PassengerCount(group="all", in_count=people_of_hour(day) // 6, out_count=0), minute - day * 24 * 60)
        for day in range(days, -1, -1)
        for minute in range(-60, 60, 10)
    ]


def test_an_hour_below_twice_what_is_usual_tells_both(why):
    found = why("border.passengers", passengers(28, lambda day: 600 if day == 0 else 420), asset_id=GATE)
    assert leading(found) == (Reason.NOT_MET, True)
    near = nearest(found)
    assert [(part["value"], part["limit"]) for part in near["parts"]] == [(600.0, 840.0), (600.0, 2500.0)]
    assert (near["facts"]["expected"], near["facts"]["hour"]) == (420.0, "09:00–10:00")


def test_an_hour_with_few_usual_ones_says_so(why):
    found = why("border.passengers", passengers(5, lambda day: 600), asset_id=GATE)
    assert lacked(found) == {"hour_value": (600.0, 2500.0), "usual_known": (None, None)}
    assert nearest(found)["facts"]["usual_hours_count"] == 5.0


def test_a_count_in_a_zone_needs_all_that_may_be_in_it_though_one_is_asked_about(tmp_path):
    rule = read_rule(tmp_path, ZONE)
    [need] = Inquiry(rule, Question(rule_id="test.zone", asset_id=BOAT, start=at(0), end=at(60)), WORLD).needs
    assert need.asset_ids is None
