"""A feed made ready: its parser bound to its configuration, its stations and the pseudonym key."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

from connectors.quality import QualityTable
from connectors.tables import CsvMapping
from connectors.ways import MqttConfig, PollConfig, WebSocketConfig
from geo.position import Position
from ioc.domain.events import Event, Parsed, Rejected
from ioc.domain.ids import event_id
from ioc.domain.kinds import AnyPayload
from ioc.domain.quantities import Quality
from ioc.errors import MalformedPayloadError


class Form(enum.StrEnum):
    """How a payload is laid out. The last two are layouts of recorded files; CSV has the feed's own wire keys."""

    JSON = "json"
    NDJSON = "ndjson"
    NMEA = "nmea"
    CSV = "csv"
    CAP = "cap"
    GTFS_RT = "gtfs-rt"
    NGSI_LD = "ngsi-ld"
    UCI_501 = "uci-501"
    NOAA_ISD = "noaa-isd"


class FeedConfig(BaseModel):
    """What every feed's configuration has; a feed adds its own fields and its own expected period."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    expected_period: timedelta = Field(description="how often the feed as a whole should speak")
    csv: CsvMapping = Field(default_factory=CsvMapping, description="columns of CSV files")
    poll: PollConfig | None = Field(None, description="an address that is asked again and again")
    websocket: WebSocketConfig | None = Field(None, description="a WebSocket that is listened to")
    mqtt: MqttConfig | None = Field(None, description="topics of an MQTT broker that are listened to")

    def period_of(self, kind: str) -> timedelta:
        """Say how often one asset should send a kind: as often as the feed as a whole, unless the feed knows better."""
        return self.expected_period


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """A fixed asset as the inventory knows it: a sensor, a gate, a site, a unit; ``unit_code`` is where it stands."""

    asset_id: str
    lon_deg: float
    lat_deg: float
    unit_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseContext:
    """What a parser needs beside the bytes. ``received_at`` is the instant of arrival, aware UTC."""

    feed_id: str
    received_at: datetime
    stations: Mapping[str, Station] = field(default_factory=dict)
    pseudonym_key: bytes = b""
    form: Form = Form.JSON
    csv: CsvMapping = field(default_factory=CsvMapping)
    future_bound: timedelta = timedelta(minutes=5)

    @property
    def latest_at(self) -> datetime:
        """The newest source time that is believed: arrival plus what a clock may be ahead."""
        return self.received_at + self.future_bound

    def make_event(
        self,
        data: AnyPayload,
        *,
        asset_id: str,
        observed_at: datetime,
        source_key: str | None = None,
        station_id: str | None = None,
        is_fixed: bool = True,
        quality: Quality | None = None,
        position: Position | None = None,
    ) -> Event:
        """Make the event of one record, placed by the inventory's entry ``station_id`` (the asset itself if None).

        A ``position`` that the record itself gives comes before the inventory's. A fixed asset that the inventory does
        not know keeps its reading, without a place and of uncertain quality.
        """
        known = self.stations.get(station_id or asset_id)
        place = known if position is None else position
        least = Quality.UNCERTAIN if known is None and is_fixed else Quality.GOOD
        return Event(
            event_id=event_id(self.feed_id, source_key or asset_id, observed_at, data.KIND),
            feed_id=self.feed_id,
            asset_id=asset_id,
            observed_at=observed_at,
            received_at=self.received_at,
            data=data,
            lon_deg=None if place is None else place.lon_deg,
            lat_deg=None if place is None else place.lat_deg,
            unit_code=None if known is None else known.unit_code,
            quality=max(quality or Quality.GOOD, least),
        )


@runtime_checkable
class Remembers(Protocol):
    """A parser that may hold back parts of records until their rest comes."""

    def flush(self) -> Parsed:
        """Give up what still waits, as rejected records."""


class Parse(Protocol):
    """Turns a payload into events; every record in it becomes an event, a rejected record or a counted ignored one."""

    def __call__(self, payload: bytes, context: ParseContext) -> Parsed:
        """Parse a payload.

        Raises:
            MalformedPayloadError: nothing in the payload can be read.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one record became: events, a ``refusal``, or neither: then ``unlike`` says what nobody wanted of it."""

    index: int
    raw: bytes
    events: Sequence[Event] = ()
    refusal: str | None = None
    unlike: str | None = None


@runtime_checkable
class Explains(Protocol):
    """A parser that can say of each record what it becomes, and why not."""

    def explain(self, payload: bytes, context: ParseContext) -> Iterator[Outcome]:
        """Go through a payload record by record.

        Raises:
            MalformedPayloadError: nothing in the payload can be read.
        """


class Redact(Protocol):
    """Takes personal data out of bytes that are about to be kept as a dead letter."""

    def __call__(self, raw: bytes, pseudonym_key: bytes) -> bytes:
        """Give the bytes without personal data, still parseable where they were."""


def keep_raw(raw: bytes, pseudonym_key: bytes) -> bytes:
    """Keep the bytes as they are: for feeds without personal data."""
    return raw


class Feed:
    """One feed, ready to parse. Pure but for what its parser remembers (vessel names, halves of sentences)."""

    def __init__(
        self,
        feed_id: str,
        *,
        parse: Parse,
        forms: frozenset[Form],
        kinds: tuple[str, ...],
        expected_period: timedelta,
        stations: Mapping[str, Station],
        pseudonym_key: bytes,
        redact: Redact = keep_raw,
        csv: CsvMapping | None = None,
        quality: QualityTable | None = None,
    ) -> None:
        self.feed_id = feed_id
        self.forms = forms
        self.kinds = kinds
        self.expected_period = expected_period
        self._parse = parse
        self._stations = stations
        self._pseudonym_key = pseudonym_key
        self._redact = redact
        self._csv = CsvMapping() if csv is None else csv
        self.quality = QualityTable() if quality is None else quality

    def parse(self, payload: bytes, *, received_at: datetime, form: Form = Form.JSON) -> Parsed:
        """Turn a payload into events, rejected records and a count of ignored ones.

        Raises:
            MalformedPayloadError: nothing in it can be read, or the feed does not speak this form.
        """
        if form not in self.forms:
            raise MalformedPayloadError(f"feed {self.feed_id} does not speak {form}")
        parsed = self._parse(payload, self._make_context(received_at, form))
        self.quality.judge(parsed.events)
        if parsed.rejected and self._redact is not keep_raw:
            kept = [
                Rejected(raw=self._redact(r.raw, self._pseudonym_key), reason=r.reason, index=r.index)
                for r in parsed.rejected
            ]
            return Parsed(events=parsed.events, rejected=kept, ignored_count=parsed.ignored_count)
        return parsed

    def explain(self, payload: bytes, *, received_at: datetime, form: Form = Form.JSON) -> Iterator[Outcome] | None:
        """Say of each record what it becomes; None where the feed's parser cannot say it by itself.

        Raises:
            MalformedPayloadError: nothing in the payload can be read, or the feed does not speak this form.
        """
        if form not in self.forms:
            raise MalformedPayloadError(f"feed {self.feed_id} does not speak {form}")
        if not isinstance(self._parse, Explains):
            return None
        return self._parse.explain(payload, self._make_context(received_at, form))

    def _make_context(self, received_at: datetime, form: Form) -> ParseContext:
        return ParseContext(
            feed_id=self.feed_id,
            received_at=received_at,
            stations=self._stations,
            pseudonym_key=self._pseudonym_key,
            form=form,
            csv=self._csv,
        )

    def flush(self) -> Parsed:
        """Give up half records that still wait for their rest: at the end of a file."""
        return self._parse.flush() if isinstance(self._parse, Remembers) else Parsed()

    def bury(self, payload: bytes, reason: str) -> Parsed:
        """Make one rejected record of a payload that cannot be read at all, so that its bytes are kept."""
        return Parsed(rejected=[Rejected(raw=self._redact(payload, self._pseudonym_key), reason=reason)])

    def parse_or_bury(self, payload: bytes, *, received_at: datetime, form: Form = Form.JSON) -> Parsed:
        """Parse for a sender that cannot be told what was wrong: an unreadable payload becomes one rejected record."""
        try:
            return self.parse(payload, received_at=received_at, form=form)
        except MalformedPayloadError as error:
            return self.bury(payload, error.reason)

    def parse_or_bury_all(self, payloads: Iterable[bytes], *, received_at: datetime, form: Form) -> Parsed:
        """Make one whole of payloads that came together, so that they are written together."""
        parts = [self.parse_or_bury(payload, received_at=received_at, form=form) for payload in payloads]
        return Parsed(
            events=[event for part in parts for event in part.events],
            rejected=[rejected for part in parts for rejected in part.rejected],
            ignored_count=sum(part.ignored_count for part in parts),
        )
