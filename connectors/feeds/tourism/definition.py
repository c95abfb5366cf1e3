"""How the feed `tourism` is put together."""

from __future__ import annotations

from connectors.definition import JSON_FORMS, FeedDefinition
from connectors.feeds.tourism.config import TourismConfig
from connectors.feeds.tourism.parse import parse
from connectors.feeds.tourism.pseudonym import redact
from ioc.domain.kinds import Crowd, Feedback, GateCount, Stay, TicketSale

DEFINITION = FeedDefinition(
    feed_id="tourism",
    name_vi="Du lịch",
    name_en="Tourism",
    config=TourismConfig,
    kinds=(Crowd.KIND, GateCount.KIND, TicketSale.KIND, Stay.KIND, Feedback.KIND),
    forms=JSON_FORMS,
    transports=frozenset({"http", "files"}),
    make_parse=lambda _: parse,
    redact=redact,
)
