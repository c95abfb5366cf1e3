"""How the feed `sensorthings` is put together."""

from __future__ import annotations

from connectors.definition import FeedDefinition
from connectors.feed import FeedConfig, Form, Parse
from connectors.feeds.sensorthings.config import SensorThingsConfig
from connectors.feeds.sensorthings.parse import SensorThingsParser, prepare_message
from connectors.feeds.sensorthings.redaction import redact
from ioc.domain.kinds import AirReading, Observation, WaterLevel, WeatherObservation


def _make_parse(config: FeedConfig) -> Parse:
    if not isinstance(config, SensorThingsConfig):
        raise TypeError(f"not a configuration of sensorthings: {config!r}")
    return SensorThingsParser(config)


DEFINITION = FeedDefinition(
    feed_id="sensorthings",
    name_vi="SensorThings",
    name_en="SensorThings",
    config=SensorThingsConfig,
    kinds=(AirReading.KIND, WeatherObservation.KIND, WaterLevel.KIND, Observation.KIND),
    forms=frozenset({Form.JSON}),
    transports=frozenset({"http", "files"}),
    make_parse=_make_parse,
    redact=redact,
    prepare_message=prepare_message,
)
