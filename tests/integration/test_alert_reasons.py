"""Why an alert fired: told from the journal, the rule and the readings, by a real engine's decision on a real store."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from alerts.engine.stepping import Engine
from alerts.rulebook.book import Rulebook
from ioc.bootstrap.knowledge import load_world
from ioc.domain.events import Event
from ioc.domain.ids import event_id
from ioc.domain.kinds import (
    AirReading,
    Crowd,
    Outage,
    Payload,
    Rain,
    VesselPosition,
    WaterLevel,
    WeatherObservation,
    WeatherWarning,
)
from ioc.domain.quantities import Quality
from ioc.storage.decision_inputs import Cut
from tests.support.alerts import apply, at
from tests.support.engine_runs import run

FOLDER = Path(__file__).resolve().parents[2] / "alerts" / "rules"
RULES = Rulebook.load([FOLDER / "28-crowd.yaml"])
FEEDS = {
    "env.air.reading": "air",
    "vessel.position": "vessels",
    "met.warning": "weather",
    "met.obs": "weather",
    "tourism.crowd": "tourism",
    "env.rain": "rain",
    "energy.outage": "energy",
    "env.water.level": "water",
}


def reading(asset_id: str, data: Payload, when: datetime, *, delay: float = 1 / 60, **others: Any) -> Event:
    """What a source said; it came ``delay`` minutes later."""
    feed_id = FEEDS[data.KIND]
    return Event(
        event_id=event_id(feed_id, asset_id, when, data.KIND), feed_id=feed_id, asset_id=asset_id, observed_at=when,
        received_at=when + timedelta(minutes=delay), data=data, **others,
    )  # fmt: skip


async def live_through(store, name: str, events: list[Event], *, is_stored: bool = True) -> None:
    """Let the rules of a file see events in the order of their arrival, and keep what a worker keeps."""
    events = sorted(events, key=lambda event: event.received_at)
    if is_stored:
        async with store.begin("test") as transaction:
            await transaction.record(events)
    await apply(store, *run(Rulebook.load([FOLDER / name]), load_world(), events).changes)


async def ask_why(viewer, rule_id: str, decision: int | None = None) -> dict[str, Any]:
    [alert] = [item for item in (await viewer.get("/api/v1/alerts")).json()["items"] if item["rule_id"] == rule_id]
    asked = {} if decision is None else {"decision": decision}
    answer = await viewer.get(f"/api/v1/alerts/{alert['id']}/why", params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def to_ms(when: datetime) -> int:
    return round(when.timestamp() * 1000)


def rain(begin: datetime) -> list[Event]:
    """A cloudburst of 9 mm each ten minutes, some rain hours before it, one reading that came late and a bad one."""

    def fallen(minute: float, rain_mm: float, **others: Any) -> Event:
        data = Rain(rain_mm=rain_mm, period_min=10)
        return reading("rain.ba-che", data, begin + timedelta(minutes=minute), **others)

    return [
        fallen(-600, 2), *(fallen(minute, 9) for minute in range(0, 60, 10)),
        fallen(15, 5, delay=20), fallen(25, 20, quality=Quality.BAD),
    ]  # fmt: skip


def crowd(minute: float, density: float) -> Event:
    when = at(minute)
    return Event(
        event_id=event_id("tourism", "site.bai-chay-beach", when, "tourism.crowd"), feed_id="tourism",
        asset_id="site.bai-chay-beach", observed_at=when, received_at=when + timedelta(seconds=1),
        data=Crowd(density_p_m2=density, people_count=900), unit_code="06667",
    )  # fmt: skip


async def test_the_limit_the_rule_and_the_reading_that_tipped_it_are_told(store, viewer):
    readings = [crowd(minute, 1.2 if minute < 3 else 4.6) for minute in range(8)]
    async with store.begin("test") as transaction:
        await transaction.record(readings)
        await transaction.apply(Engine(RULES, load_world()).step("p", readings).changes)
    [alert] = (await viewer.get("/api/v1/alerts")).json()["items"]
    why = (await viewer.get(f"/api/v1/alerts/{alert['id']}/why")).json()
    assert (why["rule"]["id"], why["rule"]["is_same"]) == (alert["rule_id"], True)
    assert (why["rule"]["source"], why["rule"]["is_in_force"], why["rule"]["number"]) == ("file", True, None)
    fired = why["decisions"][0]
    assert (fired["type"], fired["value"]) == ("fired", 4.6)
    limits = [item["limit"] for level in why["rule"]["levels"] for item in level["when"]]
    assert fired["limit"] in limits
    [newest] = why["readings"]
    assert newest["is_tipping"]
    assert (why["inputs_missing"], why["window_state"]) == ([], None)
    assert all(
        (level["formula"], level["clear_formula"], level["compared"]) == (None, None, [])
        for level in why["rule"]["levels"]
    )
    assert newest["values"]["density_p_m2"] == 4.6
    tipped = next(item for item in readings if UUID(bytes=item.event_id).hex == fired["inputs"][-1])
    assert newest["observed_at"] == round(tipped.observed_at.timestamp() * 1000) == fired["observed_at"]


async def test_a_rule_with_formulas_tells_them(store, viewer):
    asset_id = "site.tuan-chau-hall"
    crowds = [reading(asset_id, Crowd(people_count=4801, capacity_count=4000), at(minute)) for minute in range(6)]
    await live_through(store, "29-site-load.yaml", crowds)
    why = await ask_why(viewer, "site.load")
    levels = [(level["severity"], level["formula"], level["clear_formula"]) for level in why["rule"]["levels"]]
    assert levels == [
        ("minor", "people_count > 1.2 * capacity_count", "people_count <= 1.1 * capacity_count"),
        ("major", "people_count > 1.5 * capacity_count", "people_count <= 1.4 * capacity_count"),
    ]
    assert all(level["when"] == level["clear"] == [] for level in why["rule"]["levels"])
    [newest] = why["readings"]
    assert newest["is_tipping"]
    assert (newest["values"]["people_count"], newest["values"]["capacity_count"]) == (4801, 4000)


async def test_a_formula_tells_what_it_compared_both_sides_worked_out(store, viewer):
    reports = [
        reading("unit.06652", Outage(customers_off_count=3000, customers_count=14_017), at(minute))
        for minute in range(0, 10, 5)
    ]
    await live_through(store, "35-outage.yaml", reports)
    why = await ask_why(viewer, "power.outage")
    assert (why["decisions"][0]["value"], why["decisions"][0]["limit"]) == (3000.0, None)
    compared = [[(part["what"], part["value"], part["operator"], part["limit"], part["is_met"], part["way"])
                 for part in level["compared"]] for level in why["rule"]["levels"]]  # fmt: skip
    assert compared == [
        [("customers_off_count", 3000.0, ">", 5000.0, False, 0)],
        [("customers_off_count", 3000.0, ">", pytest.approx(2803.4), True, 0)],
    ]


async def test_a_gauge_tells_its_own_limits(store, viewer):
    levels_m = [reading("water.yen-lap", WaterLevel(level_m=29.2), at(10 * number)) for number in range(2)]
    await live_through(store, "15-reservoir.yaml", levels_m)
    why = await ask_why(viewer, "reservoir.crest")
    levels = {level["severity"]: level["when"] for level in why["rule"]["levels"]}
    assert levels == {
        "minor": [{"quantity": "level_m", "operator": ">=", "limit": 29.0}],
        "major": [{"quantity": "level_m", "operator": ">=", "limit": 29.5}],
    }
    assert all(level["is_in_force"] for level in why["rule"]["levels"])


async def test_windows_are_told_as_they_stood_at_each_decision(edge, store, viewer):
    begin = edge.clock.now() - timedelta(days=2)
    await live_through(store, "10-rain.yaml", rain(begin))
    why = await ask_why(viewer, "rain.sums")
    fired, risen = why["decisions"][:2]
    assert (fired["type"], fired["value"]) == ("fired", 36.0)
    state, until = why["window_state"], begin + timedelta(minutes=30)
    assert (state["at"], state["cut"]) == (fired["observed_at"], None) == (to_ms(until), None)
    assert state["read_after"] == to_ms(until - timedelta(days=1))
    windows = {window["name"]: window for window in state["windows"]}
    # What came late had not come yet, and what is bad never counts.
    assert windows["rain_1h"] == {
        "name": "rain_1h", "value": 36.0, "after": to_ms(until - timedelta(hours=1)), "until": to_ms(until),
        "readings_count": 4, "first_at": to_ms(begin), "last_at": to_ms(until), "filled_tenths": 4, "needed_tenths": 0,
    }  # fmt: skip
    for name in ("rain_12h", "rain_24h"):
        assert (windows[name]["value"], windows[name]["readings_count"]) == (38.0, 5)
        assert windows[name]["first_at"] == to_ms(begin - timedelta(minutes=600))
    later = await ask_why(viewer, "rain.sums", risen["revision"])
    hour = next(window for window in later["window_state"]["windows"] if window["name"] == "rain_1h")
    assert (risen["type"], risen["value"]) == ("severity", 50.0) == ("severity", hour["value"])
    assert (hour["readings_count"], hour["last_at"]) == (6, risen["observed_at"])


async def test_what_the_store_no_longer_keeps_is_told_to_be_missing(edge, store, viewer):
    begin = edge.clock.now() - edge.base.settings.store.retention + timedelta(hours=12)
    await live_through(store, "10-rain.yaml", rain(begin))
    assert (await ask_why(viewer, "rain.sums"))["window_state"]["cut"] == "retention"
    async with edge.base.database.connection() as connection:
        await connection.execute(
            "INSERT INTO archive_file (kind, feed_id, day, part, name, rows_count, bytes_count, sha256, first_at,"
            " last_at, archived_at) VALUES ('env.rain', 'rain', %(day)s, 1, 'a', 1, 1, '', %(at)s, %(at)s, %(at)s)",
            {"at": begin - timedelta(minutes=600), "day": begin.date()},
        )
    assert (await ask_why(viewer, "rain.sums"))["window_state"]["cut"] == "archive"


async def test_no_more_readings_are_looked_at_than_a_rule_keeps(edge, store):
    begin = edge.clock.now() - timedelta(days=2)
    await live_through(store, "10-rain.yaml", rain(begin))
    known = await edge.api.decision_inputs.of_asset(
        "env.rain", "rain.ba-che", after=begin - timedelta(days=1), until=begin + timedelta(minutes=30),
        received_by=begin + timedelta(minutes=31), limit=3,
    )  # fmt: skip
    assert known.cut is Cut.TOO_MANY
    assert [event.observed_at for event in known.events] == [
        begin + timedelta(minutes=minute) for minute in (20, 25, 30)
    ]


@pytest.mark.parametrize("is_stored", [True, False])
async def test_an_alert_about_no_asset_tells_the_readings_that_its_decision_names(store, viewer, is_stored):
    reports = [
        reading(f"unit.{code}", Outage(customers_off_count=off, customers_count=10_000), at(minute + place / 60))
        for minute in range(9)
        for place, (code, off) in enumerate(
            (("06652", 4000), ("06658", 6000), ("06661", 6000), ("06670", 4000), ("06673", 0))
        )
    ]  # fmt: skip
    await live_through(store, "35-outage.yaml", reports, is_stored=is_stored)
    why = await ask_why(viewer, "power.outage_province")
    fired = why["decisions"][0]
    assert (fired["value"], len(fired["inputs"])) == (40.0, 1)
    assert why["window_state"] is None
    if not is_stored:
        assert (why["readings"], why["inputs_missing"]) == ([], fired["inputs"])
        return
    [tipping] = why["readings"]
    told = next(event for event in reports if UUID(bytes=event.event_id).hex == fired["inputs"][0])
    assert tipping["is_tipping"]
    assert (tipping["asset_id"], tipping["observed_at"]) == (told.asset_id, fired["observed_at"])
    assert tipping["values"]["customers_off_count"] == told.data.customers_off_count
    assert why["inputs_missing"] == []


async def test_silence_tells_its_time_and_when_the_station_was_heard_last(store, viewer):
    def air(minute: float, **others: Any) -> Event:
        return reading("air.hong-gai", AirReading(pm25_ug_m3=20), at(minute), unit_code="06652", **others)

    heard = [*(air(minute) for minute in range(4)), air(4, delay=0.5), air(12)]
    others = [reading("air.bai-chay", AirReading(pm25_ug_m3=20), at(minute), unit_code="06667") for minute in range(15)]
    await live_through(store, "09-station-silent.yaml", [*heard, *others])
    why = await ask_why(viewer, "station.silent")
    fired, resolved = why["decisions"]
    grounds = why["grounds"]
    [silent] = grounds["parts"]
    assert (silent["what"], silent["is_met"], silent["operator"], silent["limit"]) == ("silent_min", True, ">=", 3.0)
    assert silent["text_en"].endswith("(>= 3 min)")
    facts = grounds["facts"]
    assert facts["silent_after_s"] == 180.0
    assert (facts["last_observed_at"], facts["last_received_at"]) == (to_ms(at(4)), to_ms(at(4.5)))
    assert facts["last_received_at"] + 180_000 <= facts["noticed_at"] <= fired["at"]
    assert (grounds["missing"], grounds["cut"]) == ([], None)
    assert [item["is_tipping"] for item in why["readings"]] == [True]
    back = await ask_why(viewer, "station.silent", resolved["revision"])
    assert back["grounds"]["facts"]["heard_again_at"] == to_ms(at(12 + 1 / 60))
    assert back["grounds"]["parts"][0]["value"] == pytest.approx(7.5 + 1 / 60)
    assert [(item["observed_at"], item["is_tipping"]) for item in back["readings"]] == [
        (to_ms(at(12)), True), (to_ms(at(4)), False),
    ]  # fmt: skip


async def test_silence_of_which_the_last_reading_is_gone_says_so(store, viewer):
    heard = [reading("air.hong-gai", AirReading(pm25_ug_m3=20), at(minute), unit_code="06652") for minute in range(4)]
    others = [reading("air.bai-chay", AirReading(pm25_ug_m3=20), at(minute), unit_code="06667") for minute in range(15)]
    await live_through(store, "09-station-silent.yaml", [*heard, *others], is_stored=False)
    why = await ask_why(viewer, "station.silent")
    assert (why["grounds"]["parts"], why["grounds"]["missing"]) == ([], ["last_reading"])
    assert why["grounds"]["facts"]["silent_after_s"] == 180.0


BOAT, OUT = "vessel.574000001", {"lon_deg": 107.12, "lat_deg": 20.86}


def boats(*speeds_kn: float) -> list[Event]:
    """Positions of a boat out in the bay, a minute apart from the second on."""
    return [reading(BOAT, VesselPosition(sog_kn=kn), at(minute), **OUT) for minute, kn in enumerate(speeds_kn, start=2)]


def warning(key: str, minute: float, onset: float, expires: float, zone: str = "ha-long-bay", **others: Any) -> Event:
    given = {"hazard": "squall", "severity": "severe", "status": "actual", "headline_en": f"Squalls {key}", **others}
    data = WeatherWarning(warning_key=key, zone_id=zone, onset_at=at(onset), expires_at=at(expires), **given)
    return reading(f"area.{zone}", data, at(minute))


async def test_a_vessel_under_a_warning_tells_the_warning_and_the_water(store, viewer):
    warnings = [
        warning("W-0", 0, 0, 0.5), warning("W-1", 0.1, 0, 30), warning("W-2", 0.2, 0, 90, status="cancel"),
        warning("W-3", 0.3, 0, 90, zone="co-to"), warning("W-4", 7.5, 7, 90),
    ]  # fmt: skip
    await live_through(store, "21-vessel-warned.yaml", [*warnings, *boats(0.1, 0.1, 0.1, *[8.0] * 6)])
    why = await ask_why(viewer, "vessel.under_warning")
    grounds = why["grounds"]
    assert (why["decisions"][0]["severity"], grounds["facts"]["exposure"]) == ("critical", "set_out")
    assert [(part["what"], part["value"], part["limit"], part["is_met"]) for part in grounds["parts"]] == [
        ("speed_kn", 8.0, 1.0, True), ("warning", None, None, True),
    ]  # fmt: skip
    assert [part["text_en"] for part in grounds["parts"]] == ["speed 8 kn (>= 1 kn)", "a warning was in force"]
    facts = grounds["facts"]
    assert (facts["zone_id"], facts["zone_vi"], facts["weather_asset_id"]) == (
        "ha-long-bay", load_world().name_of("ha-long-bay")[0], "area.ha-long-bay",
    )  # fmt: skip
    assert (facts["warning_key"], facts["hazard"], facts["headline_en"]) == ("W-1", "squall", "Squalls W-1")
    assert (facts["onset_at"], facts["expires_at"], facts["grace_s"]) == (to_ms(at(0)), to_ms(at(30)), 600.0)
    assert [(item["kind"], item["is_tipping"]) for item in why["readings"]] == [
        ("vessel.position", True), ("met.warning", False),
    ]  # fmt: skip
    assert (grounds["missing"], why["inputs_missing"]) == ([], [])


async def test_a_vessel_in_the_wind_tells_the_wind_and_its_limit(store, viewer):
    stations = [asset_id for asset_id, zone in load_world().station_zones.items() if zone == "ha-long-bay"]
    blows = [(0, 4.0), (1, 12.5), (6.5, 3.0)]
    winds = [reading(stations[0], WeatherObservation(wind_m_s=wind), at(minute)) for minute, wind in blows]
    await live_through(store, "21-vessel-warned.yaml", [*winds, *boats(0.1, 0.1, 0.1, 8.0, 8.0)])
    grounds = (await ask_why(viewer, "vessel.under_warning"))["grounds"]
    assert [(part["what"], part["value"], part["limit"]) for part in grounds["parts"]] == [
        ("speed_kn", 8.0, 1.0), ("wind_m_s", 12.5, 10.8),
    ]  # fmt: skip
    assert grounds["facts"]["weather_asset_id"] == stations[0]


async def test_a_vessel_whose_warning_is_not_stored_any_more_says_so(store, viewer):
    events = [warning("W-1", 0.1, 0, 30), *boats(0.1, 0.1, 0.1, *[8.0] * 6)]
    await live_through(store, "21-vessel-warned.yaml", events, is_stored=False)
    grounds = (await ask_why(viewer, "vessel.under_warning"))["grounds"]
    assert (grounds["parts"], grounds["missing"]) == ([], ["weather"])


async def test_the_air_quality_index_tells_concentrations_sub_indices_and_hours(store, viewer):
    """Two clear hours and a smoky one; what came out of order and what came after the decision are in none of them."""

    def air(minute: float, pm25: float, no2: float | None = 20.0, **others: Any) -> Event:
        data = AirReading(pm25_ug_m3=pm25, pm10_ug_m3=1.2 * pm25, no2_ug_m3=no2)
        return reading("air.hong-gai", data, at(minute), **others)

    # Most of it came at once, when the station was connected.
    readings = [*(air(minute, 40, delay=105 - minute) for minute in range(0, 110, 10)), air(110, 40)]
    readings.append(air(45, 900, delay=70))
    readings += [air(minute, 400, no2=30.0) for minute in range(120, 180, 10)]
    await live_through(store, "01-vn-aqi.yaml", readings)
    why = await ask_why(viewer, "air.vn_aqi_hour")
    fired, state = why["decisions"][0], why["window_state"]
    assert (state["at"], state["cut"]) == (fired["observed_at"], None)
    worst = state["windows"][0]
    names = {window["name"]: window for window in state["windows"]}
    assert set(names) == {"pm25", "pm10", "no2"}
    assert (worst["name"], round(worst["sub_index"])) == ("pm25", fired["value"])
    # 40/400 is below one half, so Nowcast adds halves: 400/2 + 40/4 + 40/8.
    assert (worst["value"], worst["unit"]) == (pytest.approx(400 / 2 + 40 / 4 + 40 / 8), "µg/m³")
    assert [(hour["from"], hour["mean"], hour["readings_count"]) for hour in worst["hours"]] == [
        (to_ms(at(0)), 40.0, 6), (to_ms(at(60)), 40.0, 6), (to_ms(at(120)), 400.0, 1),
    ]  # fmt: skip
    assert names["no2"]["value"] == 30.0


async def test_a_leap_tells_the_readings_before_it_and_the_stations_around(store, viewer):
    places = {
        "air.hong-gai": (107.078, 20.954), "air.bai-chay": (107.032, 20.962), "air.van-don": (107.479, 21.157),
    }  # fmt: skip

    def air(asset_id: str, minute: float, pm25: float, **others: Any) -> Event:
        lon_deg, lat_deg = places[asset_id]
        return reading(asset_id, AirReading(pm25_ug_m3=pm25), at(minute), lon_deg=lon_deg, lat_deg=lat_deg, **others)

    own = [air("air.hong-gai", 5 * number, 30 + number % 3) for number in range(14)]
    own += [
        air("air.hong-gai", 68, 400),
        air("air.hong-gai", 73, 31),
        air("air.hong-gai", 61, 900, quality=Quality.BAD),
    ]
    others = [air(asset_id, minute, 25) for asset_id in list(places)[1:] for minute in range(1, 90, 5)]
    await live_through(store, "08-spike.yaml", [*own, *others])
    why = await ask_why(viewer, "sensor.spike")
    grounds, facts = why["grounds"], why["grounds"]["facts"]
    assert [(part["what"], part["value"], part["limit"], part["is_met"]) for part in grounds["parts"]] == [
        ("readings_count", 14.0, 12.0, True), ("deviation", 369.0, 150.0, True), ("alone", None, None, True),
    ]  # fmt: skip
    assert (facts["quantity"], facts["value"], facts["median"]) == ("pm25_ug_m3", 400.0, 31.0)
    [near] = facts["stations_near"]
    assert (near["asset_id"], near["value"], near["distance_km"]) == ("air.bai-chay", 25.0, pytest.approx(4.9, abs=0.2))
    assert near["observed_at"] <= why["decisions"][0]["at"]
    shown = [(item["asset_id"], item["values"]["pm25_ug_m3"]) for item in why["readings"]]
    assert [item["is_tipping"] for item in why["readings"]] == [True] + [False] * 15
    assert shown[0] == ("air.hong-gai", 400.0)
    assert [value for asset_id, value in shown[1:] if asset_id == "air.hong-gai"] == [30.0 + n % 3 for n in range(14)]


async def test_a_revision_that_is_no_decision_is_refused_and_the_decisions_are_named(store, viewer, truc):
    await live_through(store, "28-crowd.yaml", [crowd(minute, 1.2 if minute < 3 else 4.6) for minute in range(8)])
    [alert] = (await viewer.get("/api/v1/alerts")).json()["items"]
    path = f"/api/v1/alerts/{alert['id']}"
    await truc.post(f"{path}/acknowledge", json={"expected_revision": alert["rev"]})
    unknown = await viewer.get(f"{path}/why", params={"decision": 999})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
    acknowledged = await viewer.get(f"{path}/why", params={"decision": alert["rev"] + 1})
    assert (acknowledged.status_code, acknowledged.json()["code"]) == (422, "not_a_decision")
    assert acknowledged.json()["detail"].endswith("(acknowledged) is none of the engine's decisions: these are 1")


async def test_an_alert_that_is_not_there_has_no_reason(viewer):
    assert (await viewer.get(f"/api/v1/alerts/{uuid4()}/why")).status_code == 404
