"""How the feed `transit` is put together."""

from __future__ import annotations

from connectors.definition import FeedDefinition
from connectors.feed import Form
from connectors.feeds.transit.config import TransitConfig
from connectors.feeds.transit.parse import parse, redact
from ioc.domain.kinds import VehiclePosition

DEFINITION = FeedDefinition(
    feed_id="transit",
    name_vi="Xe buýt và xe trung chuyển",
    name_en="Buses and shuttles",
    config=TransitConfig,
    kinds=(VehiclePosition.KIND,),
    forms=frozenset({Form.GTFS_RT}),
    transports=frozenset({"poll", "http", "files"}),
    make_parse=lambda _: parse,
    redact=redact,
)
