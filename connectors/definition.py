"""What a feed is: the shape of the definition that each feed's folder gives, and what its connector is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from connectors.feed import Feed, FeedConfig, Form, Parse, Redact, keep_raw
from connectors.transports.mqtt_topics import Prepare, keep_payload
from ioc.ports import Clock, Connector

JSON_FORMS = frozenset({Form.JSON, Form.NDJSON, Form.CSV})
"""A body of wire records in JSON, and the same keys as columns of CSV."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where this deployment's sources are. ``client_id`` names our MQTT session: one per ingest process, kept over
    restarts.
    """

    clock: Clock
    mqtt_url: str
    nmea_url: str
    client_id: str = "qn-ioc-ingest"
    random: Random = field(default_factory=Random)


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
    make_connector: Callable[[Feed, FeedConfig, Surroundings], Connector | None] | None = None
    redact: Redact = keep_raw
    prepare_message: Prepare = keep_payload
    """Puts into an MQTT message what its topic says, where the feed's messages need it."""
    settled: FeedConfig | None = None
    """The configuration that came with the definition: a mapping file is both."""
