"""How the feed `weather` is put together."""

from __future__ import annotations

from connectors.definition import JSON_FORMS, FeedDefinition, Surroundings
from connectors.feed import Feed, FeedConfig, Form, Parse
from connectors.feeds.weather.config import WeatherConfig
from connectors.feeds.weather.connector import CapListConnector
from connectors.feeds.weather.parse import WeatherParser
from ioc.domain.kinds import NowcastCell, WeatherObservation, WeatherWarning
from ioc.ports import Connector


def _make_parse(config: FeedConfig) -> Parse:
    if not isinstance(config, WeatherConfig):
        raise TypeError(f"not a configuration of weather: {config!r}")
    return WeatherParser(config.isd_station)


def _connect(feed: Feed, config: FeedConfig, around: Surroundings) -> Connector | None:
    if not isinstance(config, WeatherConfig):
        raise TypeError(f"not a configuration of weather: {config!r}")
    if config.cap_list is None:
        return None
    return CapListConnector(
        feed, around.clock, config.cap_list, headers=config.cap_list.collect_headers(), random=around.random
    )


DEFINITION = FeedDefinition(
    feed_id="weather",
    name_vi="Thời tiết",
    name_en="Weather",
    config=WeatherConfig,
    kinds=(WeatherObservation.KIND, WeatherWarning.KIND, NowcastCell.KIND),
    forms=JSON_FORMS | {Form.NOAA_ISD, Form.CAP},
    transports=frozenset({"http", "files"}),
    make_parse=_make_parse,
    make_connector=_connect,
)
