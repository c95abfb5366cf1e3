"""How the feed `networks` is put together."""

from __future__ import annotations

from connectors.definition import JSON_FORMS, FeedDefinition
from connectors.feeds.networks.config import NetworksConfig
from connectors.feeds.networks.parse import parse
from connectors.feeds.networks.privacy import redact
from ioc.domain.kinds import CyberAlert, DatabaseCalls, NetLink

DEFINITION = FeedDefinition(
    feed_id="networks",
    name_vi="Mạng, an ninh, CSDL quốc gia",
    name_en="Networks, security, databases",
    config=NetworksConfig,
    kinds=(
        CyberAlert.KIND,
        NetLink.KIND,
        DatabaseCalls.KIND,
    ),
    forms=JSON_FORMS,
    transports=frozenset({"http", "files"}),
    make_parse=lambda _: parse,
    redact=redact,
)
