"""How the feed `passengers` is put together."""

from __future__ import annotations

from connectors.definition import JSON_FORMS, FeedDefinition
from connectors.feeds.passengers.config import PassengersConfig
from connectors.feeds.passengers.parse import parse
from connectors.feeds.passengers.privacy import redact
from ioc.domain.kinds import EgateCount, PassengerCount

DEFINITION = FeedDefinition(
    feed_id="passengers",
    name_vi="Hành khách qua biên giới",
    name_en="Border passengers",
    config=PassengersConfig,
    kinds=(PassengerCount.KIND, EgateCount.KIND),
    forms=JSON_FORMS,
    transports=frozenset({"http", "files"}),
    make_parse=lambda _: parse,
    redact=redact,
)
