"""How the feed `units` is put together."""

from __future__ import annotations

from connectors.definition import JSON_FORMS, FeedDefinition
from connectors.feeds.units.config import UnitsConfig
from connectors.feeds.units.parse import parse
from ioc.domain.kinds import UnitReport

DEFINITION = FeedDefinition(
    feed_id="units",
    name_vi="Báo cáo cấp xã",
    name_en="Unit reports",
    config=UnitsConfig,
    kinds=(UnitReport.KIND,),
    forms=JSON_FORMS,
    transports=frozenset({"http", "files"}),
    make_parse=lambda _: parse,
)
