"""The pretend city: the same every time, on the water, within its rates, in words that the real parsers understand."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import shapely

from connectors.feed import Form
from geo.catalogue import load_land
from geo.distance import distance_m
from geo.geojson import features_of, geometry_of
from geo.position import Position
from ioc.domain.events import Event
from simulators.city import FEEDS, City, Stamps
from simulators.message import Message
from simulators.scenario import load_scenario
from tests.support.feeds import fresh_feed

MORNING = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


def digest(messages: Iterable[Message]) -> str:
    found = hashlib.sha256()
    for message in messages:
        found.update(b"%s %s %s\n" % (message.feed_id.encode(), message.topic.encode(), message.payload))
    return found.hexdigest()


def whole(city: City, span: timedelta) -> list[Message]:
    return [*city.beginning(), *city.messages(city.start_at + span)]


@cache
def half_an_hour_of_a_normal_day() -> tuple[Message, ...]:
    return tuple(whole(City(load_scenario("normal-day"), start_at=MORNING), timedelta(minutes=30)))


@cache
def parsed_half_hour() -> tuple[Event, ...]:
    feeds = {feed_id: fresh_feed(feed_id) for feed_id in FEEDS}
    events: list[Event] = []
    for message in half_an_hour_of_a_normal_day():
        form = {"vessels": Form.NMEA, "transit": Form.GTFS_RT}.get(message.feed_id, Form.JSON)
        parsed = feeds[message.feed_id].parse(message.payload, received_at=max(message.at, MORNING), form=form)
        assert not parsed.rejected, (message, parsed.rejected)
        events += parsed.events
    return tuple(events)


def test_the_same_seed_and_scenario_send_the_same_bytes() -> None:
    first, second = (
        digest(whole(City(load_scenario("demo-day"), start_at=MORNING, seed=11), timedelta(minutes=4)))
        for _ in range(2)
    )
    assert first == second


def test_another_seed_sends_other_bytes() -> None:
    first, second = (
        digest(whole(City(load_scenario("demo-day"), start_at=MORNING, seed=seed), timedelta(minutes=1)))
        for seed in (1, 2)
    )
    assert first != second


def test_how_time_is_cut_up_does_not_change_the_messages() -> None:
    at_once = whole(City(load_scenario("rough-wires"), start_at=MORNING, scale=0.1), timedelta(minutes=8))
    city = City(load_scenario("rough-wires"), start_at=MORNING, scale=0.1)
    in_steps = list(city.beginning())
    for step in range(1, 161):
        in_steps += city.messages(MORNING + step * timedelta(seconds=3))
    by_feed = [
        {feed_id: digest(item for item in found if item.feed_id == feed_id) for feed_id in FEEDS}
        for found in (at_once, in_steps)
    ]
    assert by_feed[0] == by_feed[1]


def test_with_the_worlds_own_time_the_bytes_are_the_same_at_any_speed() -> None:
    digests = {
        digest(
            whole(
                City(load_scenario("demo-day"), start_at=MORNING, speed=speed, scale=0.2, stamps=Stamps.WORLD),
                timedelta(minutes=5),
            )
        )
        for speed in (1.0, 20.0, 500.0)
    }
    assert len(digests) == 1


def test_with_the_clocks_time_a_fast_world_never_writes_a_time_ahead_of_the_clock() -> None:
    city = City(load_scenario("normal-day"), start_at=MORNING, speed=60.0, scale=0.1)
    latest_at = MORNING + timedelta(minutes=30) / 60
    for message in city.messages(MORNING + timedelta(minutes=30)):
        if message.feed_id in ("air", "weather", "border", "tourism"):
            assert datetime.fromisoformat(json.loads(message.payload)["time"]) <= latest_at


def test_a_normal_morning_has_nothing_that_a_parser_refuses() -> None:
    assert Counter(event.feed_id for event in parsed_half_hour()).keys() >= {
        "air",
        "weather",
        "vessels",
        "border",
        "tourism",
    }


def test_every_asset_that_stays_in_one_place_is_on_the_map() -> None:
    for event in parsed_half_hour():
        if event.feed_id in ("air", "weather", "tourism", "units", "water", "energy", "cameras", "tthc"):
            assert event.lon_deg is not None, event.asset_id


@pytest.mark.parametrize(
    ("feed_id", "least_per_s", "most_per_s"),
    [
        ("air", 0.3, 0.5),
        ("weather", 0.1, 0.2),
        ("vessels", 5, 50),
        ("border", 0.05, 2),
        ("tourism", 0.5, 8),
        ("water", 0.15, 1),
        ("traffic", 2, 20),
        ("energy", 3, 10),
        ("cameras", 5, 60),
        ("tthc", 0.2, 6),
        ("citizens", 0.0003, 1),
        ("networks", 1, 5),
    ],
)
def test_rates_are_those_of_the_province(feed_id: str, least_per_s: float, most_per_s: float) -> None:
    count = sum(message.feed_id == feed_id and message.at >= MORNING for message in half_an_hour_of_a_normal_day())
    assert least_per_s <= count / 1_800 <= most_per_s


def test_no_boat_is_on_land() -> None:
    land = [geometry_of(item) for item in features_of(load_land())]
    tree = shapely.STRtree([part for shape in land for part in shapely.get_parts(shape)])
    boats = [event for event in parsed_half_hour() if event.feed_id == "vessels"]
    points = shapely.points([(event.lon_deg, event.lat_deg) for event in boats])
    ashore = np.unique(tree.query(points, predicate="intersects")[0])
    assert len(boats) > 5_000
    assert [(boats[index].asset_id, boats[index].lon_deg, boats[index].lat_deg) for index in ashore] == []


def test_boats_move_as_fast_as_they_say_and_never_jump() -> None:
    tracks: dict[str, list[Event]] = defaultdict(list)
    for event in parsed_half_hour():
        if event.feed_id == "vessels":
            tracks[event.asset_id].append(event)
    assert len(tracks) > 400
    compared_count = 0
    for track in tracks.values():
        for before, after in pairwise(track):
            passed_s = (after.observed_at - before.observed_at).total_seconds()
            assert before.lon_deg is not None
            assert before.lat_deg is not None
            assert after.lon_deg is not None
            assert after.lat_deg is not None
            moved_m = distance_m(
                Position(lon_deg=before.lon_deg, lat_deg=before.lat_deg),
                Position(lon_deg=after.lon_deg, lat_deg=after.lat_deg),
            )
            said_kn = max(before.data.sog_kn, after.data.sog_kn)
            # A second of rounding of the time, and a quarter more for the speed that changes between two reports.
            assert moved_m <= 1.25 * said_kn * 0.5145 * (passed_s + 1.0) + 5.0, (before, after)
            compared_count += moved_m > 5.0
    assert compared_count > 2_000


def test_boats_carry_the_names_that_they_sent() -> None:
    named = {event.asset_id for event in parsed_half_hour() if event.feed_id == "vessels" and event.data.name}
    heard = {event.asset_id for event in parsed_half_hour() if event.feed_id == "vessels"}
    assert len(named) > 0.9 * len(heard)


def test_at_night_the_bay_is_quiet_and_the_boats_lie_in_port() -> None:
    night = datetime(2026, 11, 23, 18, 30, tzinfo=UTC)
    city = City(load_scenario("normal-day"), start_at=night)
    by_night = sum(message.feed_id == "vessels" for message in city.messages(night + timedelta(minutes=10)))
    by_day = sum(
        message.feed_id == "vessels" and message.at < MORNING + timedelta(minutes=10)
        for message in half_an_hour_of_a_normal_day()
    )
    assert by_night < 0.6 * by_day


def test_trucks_take_their_steps_in_order() -> None:
    order = ("declare", "slot", "arrive_yard", "anpr_gate", "weigh", "quarantine", "customs_lane", "scan", "handover")
    reached: dict[str, int] = {}
    steps = (*order, "cross", "exit")
    for message in half_an_hour_of_a_normal_day():
        if message.feed_id == "border" and "step" in (record := json.loads(message.payload)):
            step, before = steps.index(record["step"]), reached.get(record["trip"])
            # Of the day before the start only the yard, the crossing and the last step are told.
            assert before is None or step == before + 1 or (message.at < MORNING and step > before)
            reached[record["trip"]] = step
    assert len(reached) > 20


def test_reports_come_towards_five_in_the_afternoon_and_not_from_everybody_in_time() -> None:
    city = City(load_scenario("normal-day"), start_at=datetime(2026, 11, 23, 6, 0, tzinfo=UTC), scale=0.01)
    due_at = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
    sent = [message for message in city.messages(due_at + timedelta(hours=2)) if message.feed_id == "units"]
    in_time = [message for message in sent if message.at <= due_at]
    assert 40 <= len(in_time) <= 54
    assert len({json.loads(message.payload)["unit"] for message in sent}) == len(sent) <= 54
    assert sum(message.at > due_at - timedelta(hours=1) for message in in_time) > 10


def test_a_city_that_starts_in_the_evening_knows_the_reports_of_the_day() -> None:
    city = City(load_scenario("normal-day"), start_at=datetime(2026, 11, 23, 12, 0, tzinfo=UTC), scale=0.01)
    assert sum(message.feed_id == "units" for message in city.beginning()) >= 48


def test_wind_carries_dust_away() -> None:
    city = City(load_scenario("normal-day"), start_at=MORNING, scale=0.01)
    sky = city.sources["air"].world.sky
    hours = [MORNING + timedelta(minutes=20 * step) for step in range(72)]
    winds = [sky.at("met.bai-chay", at).wind_m_s for at in hours]
    stays = [sky.dilution(at) for at in hours]
    assert np.corrcoef(winds, stays)[0, 1] < -0.4


def test_scale_multiplies_boats_and_stations() -> None:
    city = City(load_scenario("normal-day"), start_at=MORNING, scale=2.0)
    span = timedelta(minutes=3)
    # Both have said their names at the beginning, which is not counted.
    doubled = Counter(message.feed_id for message in whole(city, span) if message.at >= MORNING)
    single = Counter(
        message.feed_id for message in half_an_hour_of_a_normal_day() if MORNING <= message.at < MORNING + span
    )
    for feed_id in ("air", "vessels"):
        assert 1.7 <= doubled[feed_id] / single[feed_id] <= 2.4
