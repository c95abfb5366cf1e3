"""How the feed `energy` is put together."""

from __future__ import annotations

from connectors.definition import JSON_FORMS, FeedDefinition
from connectors.feeds.energy.config import EnergyConfig
from connectors.feeds.energy.parse import parse
from ioc.domain.kinds import Feeder, LightStatus, Outage

DEFINITION = FeedDefinition(
    feed_id="energy",
    name_vi="Điện, chiếu sáng",
    name_en="Power and lighting",
    config=EnergyConfig,
    kinds=(Feeder.KIND, Outage.KIND, LightStatus.KIND),
    forms=JSON_FORMS,
    transports=frozenset({"http", "files"}),
    make_parse=lambda _: parse,
)
