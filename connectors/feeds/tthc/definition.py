"""How the feed `tthc` is put together."""

from __future__ import annotations

from connectors.definition import JSON_FORMS, FeedDefinition
from connectors.feeds.tthc.config import TthcConfig
from connectors.feeds.tthc.parse import parse
from connectors.feeds.tthc.privacy import redact
from ioc.domain.kinds import CasePayment, CaseRating, CaseStep

DEFINITION = FeedDefinition(
    feed_id="tthc",
    name_vi="Thủ tục hành chính",
    name_en="Administrative procedures",
    config=TthcConfig,
    kinds=(
        CaseStep.KIND,
        CasePayment.KIND,
        CaseRating.KIND,
    ),
    forms=JSON_FORMS,
    transports=frozenset({"http", "files"}),
    make_parse=lambda _: parse,
    redact=redact,
)
