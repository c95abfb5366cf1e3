"""How the feed `weather` is put together."""

from __future__ import annotations

from connectors.definition import JSON_FORMS, FeedDefinition
from connectors.feed import FeedConfig, Form, Parse
from connectors.feeds.weather.config import WeatherConfig
from connectors.feeds.weather.parse import WeatherParser
from ioc.domain.kinds import NowcastCell, WeatherObservation, WeatherWarning


def _make_parse(config: FeedConfig) -> Parse:
    if not isinstance(config, WeatherConfig):
        raise TypeError(f"not a configuration of weather: {config!r}")
    return WeatherParser(config.isd_station)


DEFINITION = FeedDefinition(
    feed_id="weather",
    name_vi="Thời tiết",
    name_en="Weather",
    config=WeatherConfig,
    kinds=(WeatherObservation.KIND, WeatherWarning.KIND, NowcastCell.KIND),
    forms=JSON_FORMS | {Form.NOAA_ISD, Form.CAP},
    transports=frozenset({"http", "files"}),
    make_parse=_make_parse,
)
