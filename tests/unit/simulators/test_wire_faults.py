"""Faults on the wire: each does what it says, is counted, and meets the connectors' answer to it."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

from connectors.feed import Form
from ioc.domain.events import Parsed
from simulators.city import City
from simulators.message import Message
from simulators.scenario import read_scenario
from tests.support.feeds import fresh_feed

MORNING = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
TEN = timedelta(minutes=10)
CLEAN = "title: {vi: Thử, en: Trial}\n"


def faulty(feed: str, kind: str, **facts: object) -> City:
    told = json.dumps({"effect": "wire.fault", "at": 2, "lasts": 4, "feed": feed, "kind": kind, **facts})
    return City(read_scenario(f"{CLEAN}effects:\n  - {told}\n", "mine.yaml"), start_at=MORNING, scale=0.1)


def sent_by(city: City, feed: str) -> list[Message]:
    return [message for message in city.messages(MORNING + TEN) if message.feed_id == feed]


def clean(feed: str) -> list[Message]:
    return sent_by(City(read_scenario(CLEAN, "mine.yaml"), start_at=MORNING, scale=0.1), feed)


def parsed_by(feed: str, messages: list[Message]) -> Parsed:
    reader, form = fresh_feed(feed), Form.NMEA if feed == "vessels" else Form.JSON
    events, rejected = [], []
    for message in messages:
        parsed = reader.parse_or_bury(message.payload, received_at=message.at, form=form)
        events += parsed.events
        rejected += parsed.rejected
    return Parsed(events=events, rejected=rejected)


def is_within(message: Message) -> bool:
    return timedelta(minutes=2) <= message.at - MORNING < timedelta(minutes=6)


def test_a_gap_swallows_as_many_as_it_counts() -> None:
    city = faulty("air", "gap", share=0.5)
    sent, whole = sent_by(city, "air"), clean("air")
    assert len(whole) - len(sent) == city.faults["air"].counts["gap"] == city.faults["air"].lost
    assert 0 < city.faults["air"].lost < sum(map(is_within, whole))


def test_duplicates_are_sent_twice_and_become_one_event() -> None:
    city = faulty("tourism", "duplicate", share=0.3)
    sent, whole = sent_by(city, "tourism"), clean("tourism")
    assert len(sent) == len(whole) + city.faults["tourism"].counts["duplicate"]
    assert len({event.event_id for event in parsed_by("tourism", sent).events}) == len(whole)


def test_what_is_out_of_order_is_still_all_there() -> None:
    city = faulty("weather", "out_of_order", share=0.4)
    sent, whole = sent_by(city, "weather"), clean("weather")
    assert [message.payload for message in sent] != [message.payload for message in whole]
    assert Counter(message.payload for message in sent) == Counter(message.payload for message in whole)
    assert city.faults["weather"].counts["out_of_order"] > 0


def test_broken_bytes_become_as_many_dead_letters() -> None:
    for feed in ("air", "border", "vessels"):
        city = faulty(feed, "broken", share=0.3)
        sent = sent_by(city, feed)
        spoiled = city.faults[feed].counts["broken"]
        rejected = parsed_by(feed, sent).rejected
        # A half of a two-part message is worthless without the other: one broken line may cost two.
        assert spoiled > 0
        assert spoiled <= len(rejected) <= (spoiled if feed != "vessels" else 2 * spoiled), feed


def test_a_stuck_sensor_says_the_same_with_new_times() -> None:
    city = faulty("air", "stuck", asset="air.hong-gai")
    records = [
        json.loads(message.payload)
        for message in sent_by(city, "air")
        if is_within(message) and b"air.hong-gai" in message.payload
    ]
    assert len({record["time"] for record in records}) == len(records) == city.faults["air"].counts["stuck"] > 2
    assert len({record["pm25"] for record in records}) == 1


def test_a_stuck_boat_stays_where_it_was_and_is_still_read() -> None:
    city = faulty("vessels", "stuck")
    parsed = parsed_by("vessels", [message for message in sent_by(city, "vessels") if is_within(message)])
    places = {(event.asset_id, event.lon_deg, event.lat_deg) for event in parsed.events}
    assert not parsed.rejected
    assert len(parsed.events) > 2 * len(places)


def test_a_clock_that_goes_a_quarter_of_an_hour_fast_is_refused_by_the_connectors() -> None:
    for feed in ("weather", "vessels"):
        city = faulty(feed, "clock_skew", by=900)
        assert city.faults[feed].counts["clock_skew"] == 0
        parsed = parsed_by(feed, sent_by(city, feed))
        positions = sum("receive time" in letter.reason or "time" in letter.reason for letter in parsed.rejected)
        assert 0 < positions <= city.faults[feed].counts["clock_skew"]


def test_spikes_drifts_nulls_and_zeros_change_one_field() -> None:
    readings = [(json.loads(item.payload), item.at) for item in clean("air")]
    whole = {(record["station"], at): record for record, at in readings if "pm25" in record}
    for kind, by in (("spike", 10), ("drift", 600), ("null", None), ("zero", None)):
        city = faulty("air", kind, field="pm25", **({} if by is None else {"by": by}))
        changed_count = 0
        for message in sent_by(city, "air"):
            record = json.loads(message.payload)
            if "pm25" not in record:
                continue  # what a station says of itself
            was = whole[record["station"], message.at]
            assert {**record, "pm25": 0} == {**was, "pm25": 0}
            changed_count += record["pm25"] != was["pm25"]
            if not is_within(message):
                assert record == was
            elif kind == "spike":
                assert record["pm25"] == round(was["pm25"] * 10, 1)
            elif kind in ("null", "zero"):
                assert record["pm25"] == (None if kind == "null" else 0)
        assert 0 < changed_count <= city.faults["air"].counts[kind]


def test_a_station_that_is_cut_off_hands_over_what_it_kept_and_a_boat_does_not() -> None:
    city = faulty("tourism", "disconnect")
    sent, whole = sent_by(city, "tourism"), clean("tourism")
    assert [message.payload for message in sent] == [message.payload for message in whole]
    assert not any(is_within(message) for message in sent)
    assert city.faults["tourism"].hang_ups == 1
    boats = faulty("vessels", "disconnect")
    assert len(sent_by(boats, "vessels")) == len(clean("vessels")) - boats.faults["vessels"].lost
    assert boats.faults["vessels"].lost > 0
