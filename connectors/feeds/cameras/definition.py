"""How the feed `cameras` is put together."""

from __future__ import annotations

from connectors.definition import JSON_FORMS, FeedDefinition
from connectors.feeds.cameras.config import CamerasConfig
from connectors.feeds.cameras.parse import parse
from connectors.feeds.cameras.privacy import redact
from ioc.domain.kinds import CameraEvent, CameraStatus

DEFINITION = FeedDefinition(
    feed_id="cameras",
    name_vi="Camera",
    name_en="Cameras",
    config=CamerasConfig,
    kinds=(CameraEvent.KIND, CameraStatus.KIND),
    forms=JSON_FORMS,
    transports=frozenset({"http", "files"}),
    make_parse=lambda _: parse,
    redact=redact,
)
