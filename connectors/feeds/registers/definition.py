"""How the feed `registers` is put together."""

from __future__ import annotations

from connectors.definition import JSON_FORMS, FeedDefinition
from connectors.feeds.registers.config import RegistersConfig
from connectors.feeds.registers.parse import parse
from connectors.feeds.registers.privacy import redact
from ioc.domain.kinds import Directive, IndicatorValue, Milestone, TrainingSession

DEFINITION = FeedDefinition(
    feed_id="registers",
    name_vi="Nhiệm vụ, chỉ tiêu",
    name_en="Tasks and indicators",
    config=RegistersConfig,
    kinds=(
        Directive.KIND,
        IndicatorValue.KIND,
        TrainingSession.KIND,
        Milestone.KIND,
    ),
    forms=JSON_FORMS,
    transports=frozenset({"http", "files"}),
    make_parse=lambda _: parse,
    redact=redact,
)
