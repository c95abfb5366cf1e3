"""What else an alert rests on: the last of a station, a warning, hours of an index, what a leap was compared with."""

from __future__ import annotations

from typing import Any

import pytest

from ioc.bootstrap.knowledge import load_world
from ioc.domain.events import Event
from ioc.domain.kinds import AirReading, LaneStatus, VesselPosition, WeatherObservation, WeatherWarning
from ioc.domain.quantities import Quality
from tests.support.alerts import at
from tests.support.reasons import ask_why, live_through, reading, to_ms


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


async def test_silence_of_which_the_last_reading_is_gone_says_so_and_tells_what_the_journal_kept(store, viewer):
    heard = [reading("air.hong-gai", AirReading(pm25_ug_m3=20), at(minute), unit_code="06652") for minute in range(4)]
    others = [reading("air.bai-chay", AirReading(pm25_ug_m3=20), at(minute), unit_code="06667") for minute in range(15)]
    await live_through(store, "09-station-silent.yaml", [*heard, *others], is_stored=False)
    why = await ask_why(viewer, "station.silent")
    [silent] = why["grounds"]["parts"]
    assert (silent["what"], silent["is_met"], silent["limit"]) == ("silent_min", True, 3.0)
    assert why["grounds"]["missing"] == ["last_reading"]
    assert why["grounds"]["facts"]["silent_after_s"] == 180.0


def met_of(grounds: dict[str, Any]) -> list[str]:
    return [part["what"] for part in grounds["parts"] if part["is_met"]]


async def test_a_blackout_tells_how_much_of_the_unit_is_silent_and_the_last_that_its_stations_said(store, viewer):
    stations = [f"air.{name}" for name in "abcd"]
    heard = [
        reading(name, AirReading(pm25_ug_m3=20), at(minute), unit_code="06652")
        for name in stations for minute in range(4)
    ]  # fmt: skip
    others = [reading("air.e", AirReading(pm25_ug_m3=20), at(minute), unit_code="06667") for minute in range(15)]
    back = [reading(name, AirReading(pm25_ug_m3=20), at(14), unit_code="06652") for name in stations]
    await live_through(store, "09-station-silent.yaml", [*heard, *others, *back])
    why = await ask_why(viewer, "station.silent")
    fired, resolved = why["decisions"][0], why["decisions"][-1]
    silent, share = why["grounds"]["parts"]
    assert (silent["value"], silent["limit"], share["value"], share["limit"]) == (4.0, 3.0, 100.0, 30.0)
    assert (fired["value"], fired["limit"], fired["unit"]) == (100.0, 30.0, "%")
    assert {(item["asset_id"], item["observed_at"]) for item in why["readings"]} == {
        (name, to_ms(at(3))) for name in stations
    }  # fmt: skip
    assert (len(fired["inputs"]), why["inputs_missing"]) == (4, [])
    over = (await ask_why(viewer, "station.silent", resolved["revision"]))["grounds"]
    assert (resolved["type"], met_of(over)) == ("resolved", ["silent_share_pct"])


async def test_what_a_report_outlives_is_told_though_nothing_of_it_is_stored_any_more(store, viewer):
    """Of a lane that is closed for longer than its rule allows."""
    closed = LaneStatus(gate="bac-luan-2", status="closed", opens_at=at(0), closes_at=at(600))
    lane = [reading("lane.bac-luan-2.1", closed, at(minute)) for minute in (0, 12)]
    await live_through(store, "32-lane-closed.yaml", lane, is_stored=False)
    grounds = (await ask_why(viewer, "border.lane_closed"))["grounds"]
    assert met_of(grounds) == ["stands", "in_hours", "stands_min"]
    texts = [part["text_en"] for part in grounds["parts"]]
    assert texts[2:] == ["it has stood for 10 min (>= 10 min)", "it has stood for 10 min, >= 60 min would do"]
    assert grounds["facts"]["gate"] == "bac-luan-2"


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
    assert met_of(grounds) == ["speed_kn", "under_way", "outside_harbour", "warning", "set_out_against_it"]
    texts = [part["text_en"] for part in grounds["parts"]]
    assert {"speed 8 kn (>= 1 kn)", "a warning was in force", "it set out against the weather"} <= {*texts}
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
    assert met_of(grounds) == ["speed_kn", "under_way", "outside_harbour", "wind_m_s", "set_out_against_it"]
    [wind] = [part for part in grounds["parts"] if part["what"] == "wind_m_s"]
    assert (wind["value"], wind["limit"]) == (12.5, 10.8)
    assert grounds["facts"]["weather_asset_id"] == stations[0]


async def test_a_vessel_whose_warning_is_not_stored_any_more_says_so(store, viewer):
    events = [warning("W-1", 0.1, 0, 30), *boats(0.1, 0.1, 0.1, *[8.0] * 6)]
    await live_through(store, "21-vessel-warned.yaml", events, is_stored=False)
    grounds = (await ask_why(viewer, "vessel.under_warning"))["grounds"]
    assert met_of(grounds) == ["under_way", "outside_harbour", "warning", "set_out_against_it"]
    assert grounds["missing"] == ["weather"]


async def test_the_air_quality_index_tells_concentrations_sub_indices_and_hours(store, viewer):
    """Two clear hours and a smoky one that counts from its fifth reading; what came late or after it is in none."""

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
        (to_ms(at(0)), 40.0, 6), (to_ms(at(60)), 40.0, 6), (to_ms(at(120)), 400.0, 5),
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
