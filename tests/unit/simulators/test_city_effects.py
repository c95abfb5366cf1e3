"""What a scenario has happen to water, roads, power, cameras and sky is seen by the real parsers, and passes again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
import shapely

from geo.distance import distance_m
from geo.position import Position
from ioc.domain.events import Event
from ioc.domain.kinds import (
    CameraEvent,
    CameraStatus,
    Feeder,
    LightStatus,
    NowcastCell,
    Outage,
    Rain,
    StationStatus,
    Tide,
    TrafficFlow,
    TrafficIncident,
    WaterLevel,
)
from simulators.city import SOURCES
from simulators.feeds.water import predict_tide_m
from simulators.province import World
from simulators.scenario import Scenario, read_scenario
from tests.support.feeds import fresh_feed

START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TITLE = "title: {vi: Thử, en: Trial}\n"
EFFECTS = TITLE + (
    'begins_at: "18:30"\n'
    "effects:\n"
    "  - {effect: water.rise, at: 10, lasts: 20, station: water.ben-trieu, add_m: 2.5}\n"
    "  - {effect: water.rain, at: 0, lasts: 30, stations: [rain.binh-lieu], mm_h: 60}\n"
    "  - {effect: tide.surge, at: 10, lasts: 20, add_m: 1.2, stations: [tide.co-to]}\n"
    "  - {effect: traffic.jam, at: 10, lasts: 20, counters: [road.cau-bai-chay-1], speed_km_h: 9}\n"
    "  - {effect: traffic.incident, at: 10, lasts: 20, id: TN-1, counter: road.cau-bai-chay-1, category: accident,\n"
    "     severity: major, lanes_closed: 2}\n"
    '  - {effect: energy.outage, at: 10, lasts: 20, units: ["06652", "06994"], share: 0.7, cause: storm}\n'
    "  - {effect: camera.failure, at: 10, lasts: 20, cameras: [camera.06652-1]}\n"
    "  - {effect: camera.sees, at: 10, lasts: 20, camera: camera.site-ti-top, label: smoke, objects: 2}\n"
    "  - {effect: weather.cell, at: 10, lasts: 20, id: C, lon: 107.0, lat: 20.8, radius_km: 5, move_dir_deg: 45,\n"
    "     move_m_s: 10, gust_m_s: 25}\n"
    "  - {effect: air.status, at: 10, lasts: 20, station: air.ha-tu, status: maintenance}\n"
)


def run(scenario: Scenario, feed_id: str, span: timedelta, *, scale: float = 1.0) -> Iterator[Event]:
    """One source on its own, read by the real parser."""
    source = next(source for source in SOURCES if source.feed_id == feed_id)
    feed = fresh_feed(feed_id)
    for message in source(World(scenario, START, 7, scale, lambda at: at)).run_until(START + span):
        parsed = feed.parse(message.payload, received_at=message.at)
        assert not parsed.rejected, (message, parsed.rejected)
        yield from parsed.events


@cache
def forty_minutes(feed_id: str) -> tuple[Event, ...]:
    scale = 0.2 if feed_id == "cameras" else 1.0
    return tuple(run(read_scenario(EFFECTS, "mine.yaml"), feed_id, 40 * MINUTE, scale=scale))


def before_during_after(feed_id: str, payload: type, asset_id: str) -> tuple[list[Event], list[Event], list[Event]]:
    """An asset's events before, while and after the effects act; a minute for reports that are under way."""
    events = [e for e in forty_minutes(feed_id) if isinstance(e.data, payload) and e.asset_id == asset_id]
    first, last = START + 10 * MINUTE, START + 30 * MINUTE
    return (
        [e for e in events if e.observed_at < first],
        [e for e in events if first + MINUTE / 2 <= e.observed_at < last],
        [e for e in events if e.observed_at >= last + MINUTE / 2],
    )


def means(feed_id: str, payload: type, asset_id: str, name: str) -> list[float]:
    spans = before_during_after(feed_id, payload, asset_id)
    assert all(spans), [len(span) for span in spans]
    found = [[getattr(event.data, name) for event in span if getattr(event.data, name) is not None] for span in spans]
    return [sum(values) / len(values) for values in found]


def test_a_river_rises_and_falls_again() -> None:
    before, during, after = means("water", WaterLevel, "water.ben-trieu", "level_m")
    assert during - before == pytest.approx(2.5, abs=0.2)
    assert after == pytest.approx(before, abs=0.3)


def test_rain_falls_where_it_is_said_and_swells_the_river_there() -> None:
    rain = {
        asset: sum(
            e.data.rain_mm or 0.0 for e in forty_minutes("water") if isinstance(e.data, Rain) and e.asset_id == asset
        )
        for asset in ("rain.binh-lieu", "rain.co-to")
    }
    assert 20 <= rain["rain.binh-lieu"] <= 40
    assert rain["rain.co-to"] == 0


def test_a_surge_lifts_the_sea_above_its_prediction() -> None:
    for asset_id, surge_m in (("tide.co-to", 1.2), ("tide.hon-gai", 0.0)):
        _, during, _ = before_during_after("water", Tide, asset_id)
        for event in during:
            assert isinstance(event.data, Tide)
            assert event.data.level_m is not None
            assert event.data.predicted_m is not None
            assert event.data.level_m - event.data.predicted_m == pytest.approx(surge_m, abs=0.2)


def test_the_tide_has_about_one_high_water_a_day() -> None:
    levels = [predict_tide_m(START + number * 30 * MINUTE) for number in range(28 * 48)]
    highs_count = sum(a < b >= c for a, b, c in zip(levels, levels[1:], levels[2:], strict=False))
    assert 27 <= highs_count <= 36
    assert 0.0 <= min(levels) < 1.0
    assert 3.0 < max(levels) <= 4.5


def test_a_jam_slows_a_road_and_passes() -> None:
    before, during, after = means("traffic", TrafficFlow, "road.cau-bai-chay-1", "speed_km_h")
    assert during < 12 < before
    assert after == pytest.approx(before, rel=0.25)


def test_an_incident_opens_and_closes_where_its_counter_stands() -> None:
    planned = [
        event
        for event in forty_minutes("traffic")
        if isinstance(event.data, TrafficIncident)
        and event.data.category == "accident"
        and event.asset_id.startswith("incident.TN-1-")
    ]
    assert [(e.data.status, e.data.lanes_closed_count) for e in planned if isinstance(e.data, TrafficIncident)] == [
        ("open", 2),
        ("closed", 0),
    ]
    assert planned[0].lon_deg == planned[1].lon_deg == 107.064
    assert planned[1].observed_at - planned[0].observed_at == 20 * MINUTE


def test_an_outage_takes_the_power_of_its_units_and_of_nobody_else() -> None:
    for asset_id, share in (("unit.06652", 0.7), ("unit.06994", 0.7), ("unit.07192", 0.0)):
        _, during, after = before_during_after("energy", Outage, asset_id)
        for event in during:
            assert isinstance(event.data, Outage)
            assert event.data.customers_off_count == pytest.approx(share * (event.data.customers_count or 0), abs=1)
        assert isinstance(after[-1].data, Outage)
        assert after[-1].data.customers_off_count <= 0.08 * (after[-1].data.customers_count or 0)


def test_an_outage_is_reported_within_seconds_and_trips_feeders_and_lamps() -> None:
    reports = [e for e in forty_minutes("energy") if isinstance(e.data, Outage) and e.asset_id == "unit.06652"]
    off = [e for e in reports if isinstance(e.data, Outage) and e.data.cause == "storm"]
    assert off[0].observed_at <= START + 10 * MINUTE + timedelta(seconds=8)
    before_kw, during_kw, after_kw = means("energy", Feeder, "feeder.06652-1", "power_kw")
    assert during_kw == 0 < min(before_kw, after_kw)
    lit_before, lit_during, lit_after = means("energy", LightStatus, "light.06652", "lamps_on_count")
    assert lit_during == pytest.approx(0.3 * lit_before, abs=1)
    assert lit_after == lit_before


def test_a_camera_fails_sees_nothing_meanwhile_and_comes_back() -> None:
    before, during, after = before_during_after("cameras", CameraStatus, "camera.06652-1")
    states = [{e.data.status for e in span if isinstance(e.data, CameraStatus)} for span in (before, during, after)]
    assert states == [{"online"}, {"offline"}, {"online"}]
    seen = before_during_after("cameras", CameraEvent, "camera.06652-1")
    assert seen[0]
    assert not seen[1]
    assert seen[2]


def test_a_camera_sees_what_the_scenario_has_it_see() -> None:
    smoke = [e for e in forty_minutes("cameras") if isinstance(e.data, CameraEvent) and e.data.label == "smoke"]
    assert {e.asset_id for e in smoke} == {"camera.site-ti-top"}
    assert len(smoke) == 120


def test_a_cell_moves_as_fast_as_it_says_and_ends() -> None:
    cells = [e for e in forty_minutes("weather") if isinstance(e.data, NowcastCell)]
    assert [e.data.status for e in cells if isinstance(e.data, NowcastCell)] == ["actual"] * 20 + ["ended"]
    first, last = cells[0], cells[-1]
    places = [Position(lon_deg=e.lon_deg or 0.0, lat_deg=e.lat_deg or 0.0) for e in (first, last)]
    assert distance_m(*places) == pytest.approx(10 * 20 * 60, rel=0.01)
    assert places[1].lon_deg > places[0].lon_deg
    assert places[1].lat_deg > places[0].lat_deg
    assert isinstance(first.data, NowcastCell)
    outline = shapely.from_wkt(first.data.polygon_wkt)
    assert outline.contains(shapely.Point(107.0, 20.8))


def test_a_station_says_that_it_is_being_serviced() -> None:
    spans = before_during_after("air", StationStatus, "air.ha-tu")
    said = [{e.data.status for e in span if isinstance(e.data, StationStatus)} for span in spans]
    assert said == [{"ok"}, {"maintenance"}, {"ok"}]


@pytest.mark.parametrize(
    ("feed_id", "busy_at", "quiet_at"), [("traffic", "17:15", "02:30"), ("cameras", "09:00", "03:00")]
)
def test_roads_and_cameras_are_busy_by_day_and_quiet_by_night(feed_id: str, busy_at: str, quiet_at: str) -> None:
    counts = [
        sum(1 for _ in run(read_scenario(f'{TITLE}begins_at: "{at}"\n', "mine.yaml"), feed_id, 5 * MINUTE))
        for at in (busy_at, quiet_at)
    ]
    assert counts[0] > 2 * counts[1]


def test_lamps_burn_at_night_only() -> None:
    lit = [
        sum(
            event.data.lamps_on_count
            for event in run(read_scenario(f'{TITLE}begins_at: "{at}"\n', "mine.yaml"), "energy", MINUTE)
            if isinstance(event.data, LightStatus)
        )
        for at in ("12:00", "22:00")
    ]
    assert lit[0] == 0 < lit[1]
