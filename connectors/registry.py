"""The feeds that there are: the one place to add a feed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from pydantic import ValidationError

from connectors.configured import find_faults, make_configured
from connectors.definition import FeedDefinition, Surroundings
from connectors.feed import Feed, FeedConfig, Form, Station
from connectors.feeds.air.definition import DEFINITION as AIR
from connectors.feeds.border.definition import DEFINITION as BORDER
from connectors.feeds.cameras.definition import DEFINITION as CAMERAS
from connectors.feeds.citizens.definition import DEFINITION as CITIZENS
from connectors.feeds.energy.definition import DEFINITION as ENERGY
from connectors.feeds.networks.definition import DEFINITION as NETWORKS
from connectors.feeds.ngsi_ld.definition import DEFINITION as NGSI_LD
from connectors.feeds.passengers.definition import DEFINITION as PASSENGERS
from connectors.feeds.ports.definition import DEFINITION as PORTS
from connectors.feeds.registers.definition import DEFINITION as REGISTERS
from connectors.feeds.sensorthings.definition import DEFINITION as SENSORTHINGS
from connectors.feeds.tourism.definition import DEFINITION as TOURISM
from connectors.feeds.traffic.definition import DEFINITION as TRAFFIC
from connectors.feeds.transit.definition import DEFINITION as TRANSIT
from connectors.feeds.tthc.definition import DEFINITION as TTHC
from connectors.feeds.units.definition import DEFINITION as UNITS
from connectors.feeds.vessels.definition import DEFINITION as VESSELS
from connectors.feeds.water.definition import DEFINITION as WATER
from connectors.feeds.weather.definition import DEFINITION as WEATHER
from connectors.quality import QualityTable, load_quality
from connectors.status import FeedBoard, FeedMonitor
from ioc.domain.events import Parsed
from ioc.errors import ConfigurationError, NotFoundError
from ioc.ports import Connector

DEFINITIONS: dict[str, FeedDefinition] = {
    definition.feed_id: definition
    for definition in (
        AIR,
        WEATHER,
        VESSELS,
        BORDER,
        TOURISM,
        UNITS,
        WATER,
        TRAFFIC,
        ENERGY,
        CAMERAS,
        TRANSIT,
        NGSI_LD,
        REGISTERS,
        NETWORKS,
        CITIZENS,
        TTHC,
        PASSENGERS,
        PORTS,
        SENSORTHINGS,
    )
}
"""Every feed by its id."""


def find(feed_id: str, definitions: Mapping[str, FeedDefinition] = DEFINITIONS) -> FeedDefinition:
    """Give the definition of a feed; ``definitions`` may hold this deployment's mapped feeds beside the shipped ones.

    Raises:
        NotFoundError: there is no such feed.
    """
    definition = definitions.get(feed_id)
    if definition is None:
        raise NotFoundError("feed", feed_id)
    return definition


def configure(
    feed_id: str,
    values: Mapping[str, object] | None = None,
    definitions: Mapping[str, FeedDefinition] = DEFINITIONS,
) -> FeedConfig:
    """Check a feed's configuration, for example the content of its YAML file.

    Raises:
        ConfigurationError: with every fault of it.
    """
    definition = find(feed_id, definitions)
    if definition.settled is not None and values:
        raise ConfigurationError([f"feed {feed_id}: its mapping file is its configuration; it takes no other"])
    try:
        config = (
            definition.config.model_validate(dict(values or {})) if definition.settled is None else definition.settled
        )
    except ValidationError as error:
        faults = [f"feed {feed_id}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise ConfigurationError(faults) from error
    if faults := find_faults(config, definition):
        raise ConfigurationError(faults)
    return config


def open_feed(
    feed_id: str,
    *,
    stations: Mapping[str, Station] | None = None,
    pseudonym_key: bytes = b"",
    config: FeedConfig | None = None,
    definitions: Mapping[str, FeedDefinition] = DEFINITIONS,
) -> Feed:
    """Make a feed ready to parse.

    Raises:
        NotFoundError: there is no such feed.
        ConfigurationError: its quality table has faults.
    """
    definition = find(feed_id, definitions)
    settled = configure(feed_id, definitions=definitions) if config is None else config
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
        quality=_load_quality(definition),
    )


def open_feeds(
    feed_ids: Iterable[str],
    *,
    stations: Mapping[str, Station],
    pseudonym_key: bytes,
    configs: Mapping[str, FeedConfig] | None = None,
    definitions: Mapping[str, FeedDefinition] = DEFINITIONS,
) -> dict[str, Feed]:
    """Make several feeds ready; those without an entry in ``configs`` take their defaults."""
    settled = {} if configs is None else configs
    return {
        feed_id: open_feed(
            feed_id,
            stations=stations,
            pseudonym_key=pseudonym_key,
            config=settled.get(feed_id),
            definitions=definitions,
        )
        for feed_id in feed_ids
    }


def make_connectors(
    feeds: Mapping[str, Feed],
    around: Surroundings,
    *,
    configs: Mapping[str, FeedConfig] | None = None,
    definitions: Mapping[str, FeedDefinition] = DEFINITIONS,
) -> list[Connector]:
    """Make the connectors of those feeds that we fetch ourselves; the others are pushed to us.

    Raises:
        ConfigurationError: a secret that a feed's polls or sockets need is not there.
    """
    settled = {} if configs is None else configs
    connectors: list[Connector] = []
    for feed_id, feed in feeds.items():
        definition = find(feed_id, definitions)
        config = settled.get(feed_id) or configure(feed_id, definitions=definitions)
        if definition.make_connector is not None:
            own = definition.make_connector(feed, config, around)
            connectors += [] if own is None else [own]
        connectors += make_configured(feed, config, around, definition)
    return connectors


def _load_quality(definition: FeedDefinition) -> QualityTable:
    """Give a feed's own table; a mapped feed, which has none, takes what the shipped feeds say of its kinds."""
    if definition.settled is None:
        return load_quality(definition.feed_id, definition.kinds)
    tables = (
        (kind, load_quality(shipped.feed_id, shipped.kinds))
        for kind in definition.kinds
        for shipped in DEFINITIONS.values()
        if kind in shipped.kinds
    )
    return QualityTable({kind: table.kinds[kind] for kind, table in tables if kind in table.kinds})


def make_board(feeds: Iterable[Feed]) -> FeedBoard:
    """Make the board that keeps the status of the feeds."""
    return FeedBoard(FeedMonitor(feed.feed_id, expected_period=feed.expected_period) for feed in feeds)


def reparse(feed: Feed, raw: bytes, received_at: datetime) -> Parsed:
    """Parse a dead letter's bytes again, now that a parser, an inventory or a limit was mended.

    Tries the forms that the feed speaks, those that could hold single records first; what still cannot be read
    comes back as rejected, with today's reason.
    """
    forms = [form for form in _RETRY_ORDER if form in feed.forms]
    tried = [_parse_whole(feed, raw, received_at, form) for form in forms]
    # A form in which the bytes hold no record at all (one line of CSV is but a header) has not read them.
    return max(
        tried,
        key=lambda parsed: (
            len(parsed.events) + parsed.ignored_count,
            bool(parsed.rejected),
            -len(parsed.rejected),
        ),
    )


def _parse_whole(feed: Feed, raw: bytes, received_at: datetime, form: Form) -> Parsed:
    """Parse bytes behind which nothing comes: half a record that waits for its rest is refused."""
    parsed, rest = feed.parse_or_bury(raw, received_at=received_at, form=form), feed.flush()
    return Parsed(
        events=[*parsed.events, *rest.events],
        rejected=[*parsed.rejected, *rest.rejected],
        ignored_count=parsed.ignored_count + rest.ignored_count,
    )


_RETRY_ORDER = (
    Form.JSON,
    Form.NDJSON,
    Form.NMEA,
    Form.CAP,
    Form.GTFS_RT,
    Form.NGSI_LD,
    Form.CSV,
    Form.UCI_501,
    Form.NOAA_ISD,
)
