"""How the feed `vessels` is put together."""

from __future__ import annotations

from connectors.definition import FeedDefinition, Surroundings
from connectors.feed import Feed, FeedConfig, Form, Parse
from connectors.feeds.vessels.config import VesselsConfig
from connectors.feeds.vessels.connector import VesselsConnector
from connectors.feeds.vessels.parse import VesselParser
from ioc.domain.kinds import VesselPosition
from ioc.ports import Connector


def _make_parse(config: FeedConfig) -> Parse:
    if not isinstance(config, VesselsConfig):
        raise TypeError(f"not a configuration of vessels: {config!r}")
    return VesselParser(config)


def _connect(feed: Feed, config: FeedConfig, around: Surroundings) -> Connector:
    if not isinstance(config, VesselsConfig):
        raise TypeError(f"not a configuration of vessels: {config!r}")
    return VesselsConnector(feed, around.clock, nmea_url=around.nmea_url, silence=config.silence)


DEFINITION = FeedDefinition(
    feed_id="vessels",
    name_vi="Tàu thuyền",
    name_en="Vessels",
    config=VesselsConfig,
    kinds=(VesselPosition.KIND,),
    forms=frozenset({Form.NMEA}),
    transports=frozenset({"tcp", "udp", "files"}),
    make_parse=_make_parse,
    make_connector=_connect,
)
