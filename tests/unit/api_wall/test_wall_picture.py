"""The live picture: newest wins, silence shows, figures count."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from geo.zones import ZoneIndex
from ioc.api.wall.channels import StateChannel
from ioc.api.wall.feed_states import judge_feed
from ioc.api.wall.picture import FIELDS, Picture
from ioc.bootstrap.knowledge import load_world
from ioc.domain.events import Event
from ioc.domain.ids import event_id
from ioc.domain.kinds import AirReading, Crowd, GateCount, Payload, TruckStep, UnitReport, VesselPosition
from ioc.indicators.board import Board, Surroundings, make_indicators

START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
STALE_AFTER = {AirReading: timedelta(minutes=15), VesselPosition: timedelta(minutes=6), Crowd: timedelta(minutes=3)}


def event(asset_id: str, data: Payload, minute: float = 0, lon_deg: float | None = 107.06, lat_deg: float = 20.86):
    at = START + timedelta(minutes=minute)
    return Event(
        event_id=event_id(data.KIND, asset_id, at, data.KIND), feed_id="test", asset_id=asset_id, observed_at=at,
        received_at=at, data=data, lon_deg=lon_deg, lat_deg=lat_deg,
    )  # fmt: skip


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


class Province(Picture):
    """The live picture with the indicators beside it, as the hub feeds both."""

    def __init__(self, *arguments, **named) -> None:
        super().__init__(*arguments, **named)
        around = Surroundings(
            feeds=lambda: (),
            vessels=lambda doing: self.tally.counts[doing],
            vessels_heard=lambda now: self.heard(VesselPosition, now),
        )
        self.board = Board(make_indicators(around, STALE_AFTER))

    def take(self, events, now) -> None:
        events = list(events)
        super().take(events, now)
        self.board.take(events)

    def learn_air(self, events) -> None:
        super().learn_air(events)
        self.board.take(events)


@pytest.fixture(scope="module")
def zones() -> ZoneIndex:
    return load_world().zones


@pytest.fixture
def channels():
    return {name: StateChannel(name, fields, epoch=1) for name, fields in FIELDS.items()}


@pytest.fixture
def picture(channels, zones):
    return Province(channels, zones=zones, stale_after=STALE_AFTER, name_of={"site.beach": "Bãi Cháy"}.get)


def shown(channels, name: str, asset_id: str) -> dict:
    return dict(zip(FIELDS[name], channels[name].rows[asset_id], strict=True))


def figures(picture, minute: float) -> dict:
    """Rows as the channel has them, by indicator."""
    return {
        definition.indicator_id: [
            definition.indicator_id, figure.value, definition.unit, figure.limit, figure.at, figure.quality, course
        ]
        for definition, figure, course in picture.board.show(at(minute))
    }  # fmt: skip


def test_an_older_event_never_overwrites_a_newer_one(picture, channels):
    picture.take(
        [event("vessel.1", VesselPosition(sog_kn=5), 10), event("vessel.1", VesselPosition(sog_kn=9), 5)], at(10)
    )
    picture.take([event("vessel.1", VesselPosition(sog_kn=7), 1)], at(10))
    assert shown(channels, "map:vessels", "vessel.1")["sog_kn"] == 5


def test_a_vessel_stands_in_the_zone_that_holds_it_and_keeps_it_when_it_goes_silent(picture, channels):
    picture.take(
        [event("vessel.1", VesselPosition(sog_kn=5)), event("vessel.2", VesselPosition(), lon_deg=100.0)], at(0)
    )
    zone = shown(channels, "map:vessels", "vessel.1")["zone"]
    assert zone is not None
    assert shown(channels, "map:vessels", "vessel.2")["zone"] is None
    picture.sweep(at(7))
    row = shown(channels, "map:vessels", "vessel.1")
    assert (row["zone"], row["q"]) == (zone, 2)


def test_silence_is_pushed_as_a_change_though_no_event_came(picture, channels):
    picture.take([event("air.1", AirReading(pm25_ug_m3=35.0))], at(0))
    channels["map:sensors"].tick(0)
    picture.sweep(at(15))
    assert channels["map:sensors"].tick(0) is None
    picture.sweep(at(16))
    assert channels["map:sensors"].tick(0) is not None
    row = shown(channels, "map:sensors", "air.1")
    assert (row["q"], row["values"]["pm25_ug_m3"]) == (2, 35.0)


def test_a_sensor_that_speaks_again_is_good_again(picture, channels):
    picture.take([event("air.1", AirReading(pm25_ug_m3=35.0))], at(0))
    picture.sweep(at(16))
    picture.take([event("air.1", AirReading(pm25_ug_m3=36.0), 16)], at(16))
    assert shown(channels, "map:sensors", "air.1")["q"] == 0


def test_a_site_whose_count_is_old_is_stale_although_its_gate_still_counts(picture, channels):
    picture.take([event("site.beach", Crowd(people_count=1200, capacity_count=8000, density_p_m2=0.8))], at(0))
    picture.take([event("site.beach", GateCount(in_count=30, out_count=12), 5)], at(5))
    for minute in (5, 6, 7):
        picture.sweep(at(minute))
        row = shown(channels, "map:crowd", "site.beach")
        assert (row["q"], row["people_count"], row["in_count"], row["name"]) == (2, 1200, 30, "Bãi Cháy")
        assert row["at"] == round(at(0).timestamp() * 1000)


def test_the_index_needs_hours_and_counts_a_repeated_reading_once(picture, channels):
    readings = [event("air.1", AirReading(pm25_ug_m3=60.0, pm10_ug_m3=80.0), 60 * hour) for hour in range(3)]
    picture.take(readings[:1], at(0))
    picture.take(readings[2:], at(120))
    picture.learn_air([*readings, *readings])
    picture.show_air(at(120))
    once = shown(channels, "map:sensors", "air.1")["values"]["vn_aqi"]
    picture.take([event("air.1", AirReading(pm25_ug_m3=60.0, pm10_ug_m3=80.0), 121)], at(121))
    assert shown(channels, "map:sensors", "air.1")["values"]["vn_aqi"] == once
    assert figures(picture, 121)["kpi.aqi_max"][1] == once


def test_what_moves_leaves_the_map_after_a_day_and_a_truck_that_left_after_ten_minutes(picture, channels):
    picture.take(
        [
            event("vessel.1", VesselPosition(sog_kn=5)),
            event("truck.1", TruckStep(step="exit", gate="bac-luan-2", direction="export")),
        ],
        at(0),
    )
    picture.sweep(at(11))
    assert ("vessel.1" in channels["map:vessels"].rows, "truck.1" in channels["map:trucks"].rows) == (True, False)
    picture.sweep(at(24 * 60 + 1))
    assert channels["map:vessels"].rows == {}
    assert figures(picture, 24 * 60 + 1)["kpi.vessels_silent"][1] == 0


def test_figures_follow_what_vessels_and_trucks_do(picture):
    step = {"gate": "bac-luan-2", "direction": "export"}
    picture.take([event("vessel.1", VesselPosition(sog_kn=5)), event("vessel.2", VesselPosition(sog_kn=0.1))], at(0))
    picture.take(
        [
            event("truck.1", TruckStep(step="weigh", **step), lon_deg=None),
            event("truck.2", TruckStep(step="declare", **step)),
        ],
        at(0),
    )
    now = figures(picture, 0)
    assert [now[f"kpi.{name}"][1] for name in ("vessels_moving", "vessels_silent", "trucks_in_yard")] == [1, 0, 1]
    picture.take(
        [event("vessel.2", VesselPosition(sog_kn=4), 5), event("truck.1", TruckStep(step="exit", **step), 5)], at(7)
    )
    picture.sweep(at(7))
    now = figures(picture, 7)
    assert [now[f"kpi.{name}"][1] for name in ("vessels_moving", "vessels_silent", "trucks_in_yard")] == [1, 1, 0]


def test_units_count_once_for_the_province_s_own_day(picture):
    report = {"due_at": at(480), "status": "submitted"}
    picture.take([event("unit.06652", UnitReport(report_on=date(2026, 11, 23), **report), lon_deg=None)], at(0))
    picture.take([event("unit.06653", UnitReport(report_on=date(2026, 11, 22), **report), lon_deg=None)], at(0))
    assert figures(picture, 0)["kpi.units_reporting"][1] == 1
    assert figures(picture, 16 * 60)["kpi.units_reporting"][1] == 0


def test_a_figure_keeps_one_value_a_minute_of_the_last_hour(picture):
    for second in range(0, 7_200, 20):
        step = TruckStep(step="weigh", gate="bac-luan-2", direction="export")
        picture.take([event(f"truck.{second // 60}", step, second / 60)], at(second / 60))
        rows = figures(picture, second / 60)
    assert rows["kpi.trucks_in_yard"][6] == list(range(61, 121))


def test_a_feed_whose_intake_died_is_not_live_for_ever():
    told = {"feed_id": "air", "state": "live", "received_at": 0, "expected_period_s": 60.0}
    assert [judge_feed(told, 1_000 * s)["state"] for s in (60, 121, 181)] == ["live", "late", "lost"]
    assert judge_feed({**told, "received_at": None, "state": "never"}, 10**9)["state"] == "never"
    assert judge_feed({**told, "state": "lost"}, 0)["state"] == "lost"


def test_no_data_is_not_zero_and_old_data_is_not_good(picture):
    now = figures(picture, 0)
    for name in ("vessels_moving", "vessels_silent", "trucks_in_yard", "units_reporting", "visitors_now", "aqi_max"):
        assert now[f"kpi.{name}"][1] is None, name
    picture.take([event("vessel.1", VesselPosition(sog_kn=5))], at(0))
    picture.sweep(at(30))
    assert [figures(picture, 30)[f"kpi.vessels_{name}"][1:6:4] for name in ("moving", "silent")] == [[0, 2], [1, 2]]
