"""How the feed `water` is put together."""

from __future__ import annotations

from connectors.definition import JSON_FORMS, FeedDefinition
from connectors.feeds.water.config import WaterConfig
from connectors.feeds.water.parse import parse
from ioc.domain.kinds import Rain, Tide, WaterLevel

DEFINITION = FeedDefinition(
    feed_id="water",
    name_vi="Mực nước, mưa, triều",
    name_en="Water, rain, tide",
    config=WaterConfig,
    kinds=(WaterLevel.KIND, Rain.KIND, Tide.KIND),
    forms=JSON_FORMS,
    transports=frozenset({"http", "files"}),
    make_parse=lambda _: parse,
)
