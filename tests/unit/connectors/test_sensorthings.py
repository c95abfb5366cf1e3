"""SensorThings: every layout of observations, datastreams known or not, units, times, places, no names in letters."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.feed import Feed
from connectors.feeds.sensorthings.parse import prepare_message
from connectors.registry import configure, open_feed, reparse
from ioc.domain.events import Parsed
from ioc.domain.kinds import AirReading, Observation, WaterLevel, WeatherObservation
from ioc.domain.quantities import Quality
from ioc.errors import ConfigurationError, MalformedPayloadError
from tests.support.feeds import RECEIVED_AT, fresh_feed

AT = "2026-11-23T08:30:00+07:00"
STREAM: dict[str, Any] = {
    "@iot.id": 11,
    "name": "anything",
    "unitOfMeasurement": {"name": "µg/m³", "symbol": "µg/m³", "definition": "ucum:ug/m3"},
    "ObservedProperty": {"name": "PM2.5"},
    "Thing": {"@iot.id": "hong-gai", "name": "Nhà ông A"},
}


def feed_with(**values: object) -> Feed:
    return open_feed("sensorthings", config=configure("sensorthings", values), pseudonym_key=b"k")


def parse(body: object, feed: Feed | None = None) -> Parsed:
    return (feed or fresh_feed("sensorthings")).parse(json.dumps(body).encode(), received_at=RECEIVED_AT)


def observation(result: object = 35.2, **more: object) -> dict[str, Any]:
    return {"phenomenonTime": AT, "result": result, "Datastream": STREAM, **more}


def test_an_expanded_observation_becomes_a_reading():
    (event,) = parse(observation()).events
    assert event.data == AirReading(pm25_ug_m3=35.2)
    assert (event.asset_id, event.observed_at) == ("air.hong-gai", datetime(2026, 11, 23, 1, 30, tzinfo=UTC))


@pytest.mark.parametrize(
    ("name", "unit", "result", "data"),
    [
        ("Air Temperature", "K", 297.65, WeatherObservation(temp_celsius=24.5)),
        ("wind_speed", "km/h", 36, WeatherObservation(wind_m_s=10)),
        ("Gage height", "cm", 215, WaterLevel(level_m=2.15, datum="unknown")),
        ("Sound Level", "dB", 61.5, Observation(quantity="sound_level", value=61.5)),
        ("NitrogenDioxide", "mg/m3", 0.04, AirReading(no2_ug_m3=40)),
    ],
)
def test_properties_become_fields_in_our_units(name: str, unit: str, result: float, data: object):
    stream = {**STREAM, "ObservedProperty": {"name": name}, "unitOfMeasurement": {"symbol": unit}}
    (event,) = parse(observation(result, Datastream=stream)).events
    assert event.data == data


@pytest.mark.parametrize(
    "body",
    [
        {"value": [observation(), observation(20)], "@iot.nextLink": "https://sta.example.vn/next"},
        [observation(), observation(20)],
        {**STREAM, "Observations": [{"phenomenonTime": AT, "result": 35.2}, {"phenomenonTime": AT, "result": 20}]},
        {"value": [{**STREAM, "Observations": [{"phenomenonTime": AT, "result": r} for r in (35.2, 20)]}]},
        {"Datastream": STREAM, "components": ["id", "phenomenonTime", "result"],
         "dataArray": [[1, AT, 35.2], [2, AT, 20]]},
        {"value": [{"Datastream": STREAM, "components": ["phenomenonTime", "result"],
                    "dataArray@iot.count": 2, "dataArray": [[AT, 35.2], [AT, 20]]}]},
    ],
)  # fmt: skip
def test_collections_datastreams_and_data_arrays_hold_the_same_observations(body: object):
    parsed = parse(body)
    assert [event.data for event in parsed.events] == [AirReading(pm25_ug_m3=35.2), AirReading(pm25_ug_m3=20)]
    assert {event.asset_id for event in parsed.events} == {"air.hong-gai"}
    assert not parsed.rejected


def test_a_row_that_does_not_fit_its_components_is_refused_alone():
    group = {"Datastream": STREAM, "components": ["phenomenonTime", "result"], "dataArray": [[AT, 1], [AT], 5]}
    parsed = parse(group)
    assert (len(parsed.events), [rejected.index for rejected in parsed.rejected]) == (1, [1, 2])


def test_a_datastream_seen_before_is_known_by_its_link_and_an_unknown_one_is_a_letter_until_it_is_named():
    feed = fresh_feed("sensorthings")
    link = {"phenomenonTime": AT, "result": 20}
    message = prepare_message("v1.1/Datastreams(11)/Observations", json.dumps(link).encode())
    (rejected,) = feed.parse(message, received_at=RECEIVED_AT).rejected
    assert "not known" in rejected.reason
    parsed = parse(STREAM, feed)
    assert (parsed.events, parsed.ignored_count) == ([], 1)
    assert [event.data for event in feed.parse(message, received_at=RECEIVED_AT).events] == [AirReading(pm25_ug_m3=20)]
    named = feed_with(datastreams={"11": {"asset_id": "air.hong-gai", "property": "PM2.5", "unit": "ug/m3"}})
    (event,) = reparse(named, rejected.raw, RECEIVED_AT).events
    assert (event.data, event.asset_id) == (AirReading(pm25_ug_m3=20), "air.hong-gai")


def test_the_deployment_says_which_asset_a_thing_is_and_what_a_property_means():
    feed = feed_with(things={"7": "air.cam-pha"}, properties={"Nồng độ bụi mịn": "env.air.reading/pm25_ug_m3"})
    stream = {**STREAM, "ObservedProperty": {"name": "Nồng độ bụi mịn"}, "Thing": {"@iot.id": 7}}
    (event,) = parse(observation(Datastream=stream), feed).events
    assert (event.asset_id, event.data) == ("air.cam-pha", AirReading(pm25_ug_m3=35.2))
    with pytest.raises(ConfigurationError):
        configure("sensorthings", {"properties": {"x": "env.air.reading/nothing"}})


def test_no_result_is_bad_and_no_unit_is_doubtful():
    bad, doubtful = parse([observation(None), observation(5, Datastream={**STREAM, "unitOfMeasurement": None})]).events
    assert (bad.quality, bad.data) == (Quality.BAD, AirReading())
    assert doubtful.quality == Quality.UNCERTAIN


def test_the_end_of_an_interval_counts_and_the_place_of_the_feature_comes_first():
    feature = {"feature": {"type": "Point", "coordinates": [107.2, 21.0]}}
    (event,) = parse(observation(phenomenonTime=f"2026-11-23T08:00:00+07:00/{AT}", FeatureOfInterest=feature)).events
    assert event.observed_at == datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
    assert (event.lon_deg, event.lat_deg) == (107.2, 21.0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"result": True}, "result: not a number"),
        ({"result": [1, 2]}, "result: not a number"),
        ({"result": 9e9}, "result: 9e+09"),
        ({"phenomenonTime": "noon"}, "phenomenonTime: not an instant"),
        ({"phenomenonTime": None}, "phenomenonTime: missing"),
        ({"phenomenonTime": "2031-01-01T00:00:00Z"}, "further ahead"),
        ({"Datastream": {**STREAM, "unitOfMeasurement": {"symbol": "ppb"}}}, "no way from it to µg/m³"),
        ({"FeatureOfInterest": {"feature": {"type": "Point", "coordinates": [21.0, 107.2]}}}, "swapped"),
    ],
)
def test_what_cannot_be_true_is_refused_with_its_reason_and_without_names(change: dict[str, Any], reason: str):
    feed = fresh_feed("sensorthings")
    parsed = parse([observation(**{"parameters": {"operator": "Nhà ông A"}, **change})], feed)
    (rejected,) = parsed.rejected
    assert reason in rejected.reason
    assert json.dumps("Nhà ông A").encode()[1:-1] not in rejected.raw
    assert [again.reason for again in reparse(feed, rejected.raw, RECEIVED_AT).rejected] == [rejected.reason]


@pytest.mark.parametrize("body", [b"", b"nul", b"5", b"[" * 100_000])
def test_a_body_that_is_none_is_unreadable(body: bytes):
    with pytest.raises(MalformedPayloadError):
        fresh_feed("sensorthings").parse(body, received_at=RECEIVED_AT)


def test_other_topics_say_nothing():
    assert prepare_message("v1.1/Observations", b'{"result":1}') == b'{"result":1}'
    assert prepare_message("v1.1/Datastreams(1)/Observations", b"[]") == b"[]"
    assert json.loads(prepare_message("sta/Datastreams('a b')/Observations", b" {}")) == {
        "Datastream@iot.navigationLink": "Datastreams('a b')"
    }
