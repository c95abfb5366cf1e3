"""How the feed `ports` is put together."""

from __future__ import annotations

from connectors.definition import JSON_FORMS, FeedDefinition
from connectors.feeds.ports.config import PortsConfig
from connectors.feeds.ports.parse import parse
from connectors.feeds.ports.privacy import redact
from ioc.domain.kinds import PortPermit, VesselArrival, VesselDeparture, VesselManifest, VesselSos

DEFINITION = FeedDefinition(
    feed_id="ports",
    name_vi="Cảng vụ",
    name_en="Port authority",
    config=PortsConfig,
    kinds=(PortPermit.KIND, VesselManifest.KIND, VesselDeparture.KIND, VesselArrival.KIND, VesselSos.KIND),
    forms=JSON_FORMS,
    transports=frozenset({"http", "files"}),
    make_parse=lambda _: parse,
    redact=redact,
)
