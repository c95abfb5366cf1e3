"""How the feed `air` is put together."""

from __future__ import annotations

from connectors.definition import JSON_FORMS, FeedDefinition, Surroundings
from connectors.feed import Feed, FeedConfig, Form
from connectors.feeds.air.config import AirConfig
from connectors.feeds.air.connector import AirConnector
from connectors.feeds.air.parse import parse
from ioc.domain.kinds import AirReading, StationStatus
from ioc.ports import Connector


def _connect(feed: Feed, config: FeedConfig, around: Surroundings) -> Connector:
    if not isinstance(config, AirConfig):
        raise TypeError(f"not a configuration of air: {config!r}")
    return AirConnector(
        feed, around.clock, mqtt_url=around.mqtt_url, topic=config.mqtt_topic, client_id=f"{around.client_id}-air"
    )


DEFINITION = FeedDefinition(
    feed_id="air",
    name_vi="Không khí",
    name_en="Air quality",
    config=AirConfig,
    kinds=(AirReading.KIND, StationStatus.KIND),
    forms=JSON_FORMS | {Form.UCI_501},
    transports=frozenset({"mqtt", "http", "files"}),
    make_parse=lambda _: parse,
    make_connector=_connect,
)
