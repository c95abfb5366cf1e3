"""How the feed `traffic` is put together."""

from __future__ import annotations

from connectors.definition import JSON_FORMS, FeedDefinition
from connectors.feeds.traffic.config import TrafficConfig
from connectors.feeds.traffic.parse import parse
from connectors.feeds.traffic.privacy import redact
from ioc.domain.kinds import PlateRead, TrafficFlow, TrafficIncident

DEFINITION = FeedDefinition(
    feed_id="traffic",
    name_vi="Giao thông",
    name_en="Traffic",
    config=TrafficConfig,
    kinds=(TrafficFlow.KIND, TrafficIncident.KIND, PlateRead.KIND),
    forms=JSON_FORMS,
    transports=frozenset({"http", "files"}),
    make_parse=lambda _: parse,
    redact=redact,
)
