"""Feeds that a file tells what to listen to: topics of a real broker, a real push, and letters of what does not fit."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

import aiomqtt
import pytest

from connectors.definition import FeedDefinition, Surroundings
from connectors.intake import Intake
from connectors.mapping.definition import make_definition
from connectors.mapping.file import parse_mapping
from connectors.registry import DEFINITIONS, configure, make_connectors, open_feed
from connectors.transports.http_push import HttpPush
from connectors.transports.mqtt import MqttAddress
from ioc.domain.kinds import AirReading, WaterLevel
from ioc.errors import ConfigurationError
from tests.support.feeds import RECEIVED_AT, FakeLog, SteppedClock, eventually
from tests.support.tasks import running

AT = "2026-11-23T08:30:00+07:00"
GAUGES = """\
feed: gauges
name_vi: Thước nước
name_en: Gauges
mqtt: {topics: ["%(root)s/+/level"], topic_as: topic}
becomes:
  - kind: env.water.level
    asset_id: "water.{topic.1}"
    observed_at: at
    quantities: {level_m: {from: cm, unit: cm}}
"""
STREAM = {"@iot.id": 11, "unitOfMeasurement": {"symbol": "ug/m3"}, "ObservedProperty": {"name": "PM2.5"}}


def make(definition: FeedDefinition, url: str, values: dict[str, object] | None = None):
    """The feed and the one connector that its configuration asks for."""
    known = {definition.feed_id: definition}
    config = configure(definition.feed_id, values, known)
    feed = open_feed(definition.feed_id, config=config, definitions=known)
    around = Surroundings(clock=SteppedClock(), mqtt_url=url, nmea_url="", client_id=f"test-{uuid4().hex[:8]}")
    feeds, configs = {definition.feed_id: feed}, {definition.feed_id: config}
    (connector,) = make_connectors(feeds, around, configs=configs, definitions=known)
    return feed, connector


@asynccontextmanager
async def listening(connector, log: FakeLog) -> AsyncIterator[None]:
    async with running(connector.run(Intake(log))):
        yield


async def say_until(url: str, topic: str, records: list[object], log: FakeLog, count: int) -> None:
    """Publish until it is heard: before the first subscription a broker keeps nothing."""
    address = MqttAddress.parse(url)
    async with asyncio.timeout(30), aiomqtt.Client(address.host, address.port) as client:
        while len(log.events) + len(log.letters) < count:
            for record in records:
                await client.publish(topic, json.dumps(record), qos=1)
            with suppress(TimeoutError):
                await eventually(lambda: len(log.events) + len(log.letters) >= count, deadline_s=0.5)


async def test_a_mapped_feed_listens_to_topics_and_reads_them(mosquitto_url):
    root, log = uuid4().hex, FakeLog()
    definition = make_definition(parse_mapping(GAUGES % {"root": root}, "gauges.mapping.yaml"))
    _, connector = make(definition, mosquitto_url)
    async with listening(connector, log):
        await say_until(mosquitto_url, f"{root}/ben-1/level", [{"at": AT, "cm": 215}, {"at": AT, "cm": "high"}], log, 2)
    assert log.events[0].data == WaterLevel(level_m=2.15)
    assert (log.events[0].asset_id, log.events[0].feed_id) == ("water.ben-1", "gauges")
    assert (log.letters[0].reason, log.letters[0].feed_id) == ("level_m: not a number", "gauges")


async def test_sensorthings_over_mqtt_is_known_by_its_topic(mosquitto_url):
    root, log = uuid4().hex, FakeLog()
    values = {
        "mqtt": {"topics": [f"{root}/v1.1/+/Observations"]},
        "datastreams": {"11": {"asset_id": "air.hong-gai", "property": "PM2.5", "unit": "ug/m3"}},
    }
    _, connector = make(DEFINITIONS["sensorthings"], mosquitto_url, values)
    async with listening(connector, log):
        topic = f"{root}/v1.1/Datastreams(11)/Observations"
        await say_until(mosquitto_url, topic, [{"phenomenonTime": AT, "result": 35.2}], log, 1)
    assert log.events[0].data == AirReading(pm25_ug_m3=35.2)
    assert log.events[0].asset_id == "air.hong-gai"


async def test_mapped_and_sensorthings_feeds_are_pushed_like_any_other():
    log = FakeLog()
    mapped = make_definition(parse_mapping(GAUGES.replace("water.{topic.1}", "water.{id}") % {"root": "r"}, "g"))
    definitions = {"gauges": mapped, "sensorthings": DEFINITIONS["sensorthings"]}
    feeds = {feed_id: open_feed(feed_id, definitions=definitions) for feed_id in definitions}
    push = HttpPush(feeds, Intake(log), SteppedClock())
    body = b'{"id": "b-1", "at": "%(at)s", "cm": 215}\n{"id": "b-1"}\n' % {b"at": AT.encode()}
    result = await push.receive("gauges", body, "application/x-ndjson")
    assert (result.accepted_count, result.rejected_count) == (1, 1)
    array = {"Datastream": STREAM, "components": ["phenomenonTime", "result"], "dataArray": [[AT, 35.2], [AT, None]]}
    result = await push.receive("sensorthings", json.dumps({"value": [array]}).encode(), "application/json")
    assert (result.accepted_count, result.rejected_count) == (2, 0)
    assert [event.feed_id for event in log.events] == ["gauges", "sensorthings", "sensorthings"]
    assert log.events[0].received_at == RECEIVED_AT


def test_a_broker_whose_address_is_nowhere_is_a_fault_of_the_configuration():
    values = {"mqtt": {"topics": ["a"], "url_from_env": "NO_SUCH_BROKER_ADDRESS"}}
    with pytest.raises(ConfigurationError, match="NO_SUCH_BROKER_ADDRESS"):
        make(DEFINITIONS["sensorthings"], "mqtt://127.0.0.1", values)
