"""How the feed `ngsi_ld` is put together."""

from __future__ import annotations

from connectors.definition import FeedDefinition
from connectors.feed import FeedConfig, Form, Parse
from connectors.feeds.ngsi_ld.config import NgsiLdConfig
from connectors.feeds.ngsi_ld.parse import NgsiLdParser
from connectors.feeds.ngsi_ld.redaction import redact
from ioc.domain.kinds import AirReading, Crowd, Observation, TrafficFlow, VehiclePosition, WaterLevel


def _make_parse(config: FeedConfig) -> Parse:
    if not isinstance(config, NgsiLdConfig):
        raise TypeError(f"not a configuration of ngsi_ld: {config!r}")
    return NgsiLdParser(config)


DEFINITION = FeedDefinition(
    feed_id="ngsi_ld",
    name_vi="NGSI-LD",
    name_en="NGSI-LD",
    config=NgsiLdConfig,
    kinds=(
        AirReading.KIND,
        WaterLevel.KIND,
        TrafficFlow.KIND,
        Crowd.KIND,
        VehiclePosition.KIND,
        Observation.KIND,
    ),
    forms=frozenset({Form.NGSI_LD}),
    transports=frozenset({"http", "poll", "files"}),
    make_parse=_make_parse,
    redact=redact,
)
