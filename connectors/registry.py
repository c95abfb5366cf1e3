"""The feeds that there are: the one place to add a feed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from connectors.feed import Feed, FeedConfig, Form, Parse, Redact, Station, keep_raw
from connectors.feeds.air import parse as air
from connectors.feeds.air.config import AirConfig
from connectors.feeds.air.connector import AirConnector
from connectors.feeds.border import parse as border
from connectors.feeds.border.config import BorderConfig
from connectors.feeds.border.pseudonym import redact as redact_border
from connectors.feeds.tourism import parse as tourism
from connectors.feeds.tourism.config import TourismConfig
from connectors.feeds.units import parse as units
from connectors.feeds.units.config import UnitsConfig
from connectors.feeds.vessels.config import VesselsConfig
from connectors.feeds.vessels.connector import VesselsConnector
from connectors.feeds.vessels.parse import VesselParser
from connectors.feeds.weather.config import WeatherConfig
from connectors.feeds.weather.parse import WeatherParser
from connectors.status import FeedBoard, FeedMonitor
from ioc.domain.events import Parsed
from ioc.domain.kinds import (
    AirReading,
    BorderQueue,
    Crowd,
    GateCount,
    TruckStep,
    UnitReport,
    VesselPosition,
    WeatherObservation,
    WeatherWarning,
)
from ioc.errors import ConfigurationError, NotFoundError
from ioc.ports import Clock, Connector

JSON_FORMS = frozenset({Form.JSON, Form.NDJSON, Form.CSV})


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where this deployment's sources are. ``client_id`` names our MQTT session: one per ingest process, kept over
    restarts.
    """

    clock: Clock
    mqtt_url: str
    nmea_url: str
    client_id: str = "qn-ioc-ingest"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedDefinition:
    """What a feed is: its configuration, the kinds it gives, the forms it speaks, the ways it can come in."""

    feed_id: str
    name_vi: str
    name_en: str
    config: type[FeedConfig]
    kinds: tuple[str, ...]
    forms: frozenset[Form]
    transports: frozenset[str]
    make_parse: Callable[[FeedConfig], Parse]
    make_connector: Callable[[Feed, FeedConfig, Surroundings], Connector] | None = None
    redact: Redact = keep_raw


def _make_weather(config: FeedConfig) -> Parse:
    if not isinstance(config, WeatherConfig):
        raise TypeError(f"not a configuration of weather: {config!r}")
    return WeatherParser(config.isd_station)


def _make_vessels(config: FeedConfig) -> Parse:
    if not isinstance(config, VesselsConfig):
        raise TypeError(f"not a configuration of vessels: {config!r}")
    return VesselParser(config)


def _connect_air(feed: Feed, config: FeedConfig, around: Surroundings) -> Connector:
    if not isinstance(config, AirConfig):
        raise TypeError(f"not a configuration of air: {config!r}")
    return AirConnector(
        feed, around.clock, mqtt_url=around.mqtt_url, topic=config.mqtt_topic, client_id=f"{around.client_id}-air"
    )


def _connect_vessels(feed: Feed, config: FeedConfig, around: Surroundings) -> Connector:
    if not isinstance(config, VesselsConfig):
        raise TypeError(f"not a configuration of vessels: {config!r}")
    return VesselsConnector(feed, around.clock, nmea_url=around.nmea_url, silence=config.silence)


DEFINITIONS: dict[str, FeedDefinition] = {
    definition.feed_id: definition
    for definition in (
        FeedDefinition(
            feed_id="air",
            name_vi="Không khí",
            name_en="Air quality",
            config=AirConfig,
            kinds=(AirReading.KIND,),
            forms=JSON_FORMS | {Form.UCI_501},
            transports=frozenset({"mqtt", "http", "files"}),
            make_parse=lambda _: air.parse,
            make_connector=_connect_air,
        ),
        FeedDefinition(
            feed_id="weather",
            name_vi="Thời tiết",
            name_en="Weather",
            config=WeatherConfig,
            kinds=(WeatherObservation.KIND, WeatherWarning.KIND),
            forms=JSON_FORMS | {Form.NOAA_ISD},
            transports=frozenset({"http", "files"}),
            make_parse=_make_weather,
        ),
        FeedDefinition(
            feed_id="vessels",
            name_vi="Tàu thuyền",
            name_en="Vessels",
            config=VesselsConfig,
            kinds=(VesselPosition.KIND,),
            forms=frozenset({Form.NMEA}),
            transports=frozenset({"tcp", "udp", "files"}),
            make_parse=_make_vessels,
            make_connector=_connect_vessels,
        ),
        FeedDefinition(
            feed_id="border",
            name_vi="Cửa khẩu",
            name_en="Border gates",
            config=BorderConfig,
            kinds=(TruckStep.KIND, BorderQueue.KIND),
            forms=JSON_FORMS,
            transports=frozenset({"http", "files"}),
            make_parse=lambda _: border.parse,
            redact=redact_border,
        ),
        FeedDefinition(
            feed_id="tourism",
            name_vi="Du lịch",
            name_en="Tourism",
            config=TourismConfig,
            kinds=(Crowd.KIND, GateCount.KIND),
            forms=JSON_FORMS,
            transports=frozenset({"http", "files"}),
            make_parse=lambda _: tourism.parse,
        ),
        FeedDefinition(
            feed_id="units",
            name_vi="Báo cáo cấp xã",
            name_en="Unit reports",
            config=UnitsConfig,
            kinds=(UnitReport.KIND,),
            forms=JSON_FORMS,
            transports=frozenset({"http", "files"}),
            make_parse=lambda _: units.parse,
        ),
    )
}


def find(feed_id: str) -> FeedDefinition:
    """Give the definition of a feed.

    Raises:
        NotFoundError: there is no such feed.
    """
    definition = DEFINITIONS.get(feed_id)
    if definition is None:
        raise NotFoundError("feed", feed_id)
    return definition


def configure(feed_id: str, values: Mapping[str, object] | None = None) -> FeedConfig:
    """Check a feed's configuration, for example the content of its YAML file.

    Raises:
        ConfigurationError: with every fault of it.
    """
    try:
        return find(feed_id).config.model_validate(dict(values or {}))
    except ValidationError as error:
        faults = [f"feed {feed_id}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise ConfigurationError(faults) from error


def open_feed(
    feed_id: str,
    *,
    stations: Mapping[str, Station] | None = None,
    pseudonym_key: bytes = b"",
    config: FeedConfig | None = None,
) -> Feed:
    """Make a feed ready to parse.

    Raises:
        NotFoundError: there is no such feed.
    """
    definition = find(feed_id)
    settled = configure(feed_id) if config is None else config
    return Feed(
        feed_id,
        parse=definition.make_parse(settled),
        forms=definition.forms,
        kinds=definition.kinds,
        expected_period=settled.expected_period,
        stations={} if stations is None else stations,
        pseudonym_key=pseudonym_key,
        redact=definition.redact,
        csv=settled.csv,
    )


def open_feeds(
    feed_ids: Iterable[str],
    *,
    stations: Mapping[str, Station],
    pseudonym_key: bytes,
    configs: Mapping[str, FeedConfig] | None = None,
) -> dict[str, Feed]:
    """Make several feeds ready; those without an entry in ``configs`` take their defaults."""
    settled = {} if configs is None else configs
    return {
        feed_id: open_feed(feed_id, stations=stations, pseudonym_key=pseudonym_key, config=settled.get(feed_id))
        for feed_id in feed_ids
    }


def make_connectors(
    feeds: Mapping[str, Feed], around: Surroundings, *, configs: Mapping[str, FeedConfig] | None = None
) -> list[Connector]:
    """Make the connectors of those feeds that we fetch ourselves; the others are pushed to us."""
    settled = {} if configs is None else configs
    return [
        definition.make_connector(feed, settled.get(feed_id) or configure(feed_id), around)
        for feed_id, feed in feeds.items()
        if (definition := find(feed_id)).make_connector is not None
    ]


def make_board(feeds: Iterable[Feed]) -> FeedBoard:
    """Make the board that keeps the status of the feeds."""
    return FeedBoard(FeedMonitor(feed.feed_id, expected_period=feed.expected_period) for feed in feeds)


def reparse(feed: Feed, raw: bytes, received_at: datetime) -> Parsed:
    """Parse a dead letter's bytes again, now that a parser, an inventory or a limit was mended.

    Tries the forms that the feed speaks, those that could hold single records first; what still cannot be read
    comes back as rejected, with today's reason.
    """
    forms = [form for form in _RETRY_ORDER if form in feed.forms]
    tried = [feed.parse_or_bury(raw, received_at=received_at, form=form) for form in forms]
    # A form in which the bytes hold no record at all (one line of CSV is but a header) has not read them.
    return max(
        tried,
        key=lambda parsed: (
            len(parsed.events) + parsed.ignored_count,
            bool(parsed.rejected),
            -len(parsed.rejected),
        ),
    )


_RETRY_ORDER = (Form.JSON, Form.NDJSON, Form.NMEA, Form.CSV, Form.UCI_501, Form.NOAA_ISD)
