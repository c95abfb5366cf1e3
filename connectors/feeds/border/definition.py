"""How the feed `border` is put together."""

from __future__ import annotations

from connectors.definition import JSON_FORMS, FeedDefinition
from connectors.feeds.border.config import BorderConfig
from connectors.feeds.border.parse import parse
from connectors.feeds.border.pseudonym import redact
from ioc.domain.kinds import BorderQueue, GateStatus, LaneStatus, TruckStep

DEFINITION = FeedDefinition(
    feed_id="border",
    name_vi="Cửa khẩu",
    name_en="Border gates",
    config=BorderConfig,
    kinds=(TruckStep.KIND, BorderQueue.KIND, LaneStatus.KIND, GateStatus.KIND),
    forms=JSON_FORMS,
    transports=frozenset({"http", "files"}),
    make_parse=lambda _: parse,
    redact=redact,
)
