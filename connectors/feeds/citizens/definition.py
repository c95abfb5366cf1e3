"""How the feed `citizens` is put together."""

from __future__ import annotations

from connectors.definition import JSON_FORMS, FeedDefinition
from connectors.feeds.citizens.config import CitizensConfig
from connectors.feeds.citizens.parse import parse
from connectors.feeds.citizens.privacy import redact
from ioc.domain.kinds import CitizenReport

DEFINITION = FeedDefinition(
    feed_id="citizens",
    name_vi="Phản ánh người dân",
    name_en="Citizens' reports",
    config=CitizensConfig,
    kinds=(CitizenReport.KIND,),
    forms=JSON_FORMS,
    transports=frozenset({"http", "files"}),
    make_parse=lambda _: parse,
    redact=redact,
)
