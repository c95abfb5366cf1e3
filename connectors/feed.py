"""A feed made ready: its parser bound to its configuration, its stations and the pseudonym key."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from ioc.domain.events import Parsed, Rejected
from ioc.errors import MalformedPayloadError


class Form(enum.StrEnum):
    """How a payload is laid out. The last three are layouts of recorded files."""

    JSON = "json"
    NDJSON = "ndjson"
    NMEA = "nmea"
    CSV = "csv"
    UCI_501 = "uci-501"
    NOAA_ISD = "noaa-isd"


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """A fixed sensor as the inventory knows it; ``unit_code`` is the unit it stands in or serves."""

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
    future_bound: timedelta = timedelta(minutes=5)


class Parse(Protocol):
    """Turns a payload into events; every record in it becomes an event, a rejected record or a counted ignored one."""

    def __call__(self, payload: bytes, context: ParseContext) -> Parsed:
        """Parse a payload.

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
    ) -> None:
        self.feed_id = feed_id
        self.forms = forms
        self.kinds = kinds
        self.expected_period = expected_period
        self._parse = parse
        self._stations = stations
        self._pseudonym_key = pseudonym_key
        self._redact = redact

    def parse(self, payload: bytes, *, received_at: datetime, form: Form = Form.JSON) -> Parsed:
        """Turn a payload into events, rejected records and a count of ignored ones.

        Raises:
            MalformedPayloadError: nothing in it can be read, or the feed does not speak this form.
        """
        if form not in self.forms:
            raise MalformedPayloadError(f"feed {self.feed_id} does not speak {form}")
        parsed = self._parse(
            payload,
            ParseContext(
                feed_id=self.feed_id,
                received_at=received_at,
                stations=self._stations,
                pseudonym_key=self._pseudonym_key,
                form=form,
            ),
        )
        if parsed.rejected and self._redact is not keep_raw:
            kept = [
                Rejected(raw=self._redact(r.raw, self._pseudonym_key), reason=r.reason, index=r.index)
                for r in parsed.rejected
            ]
            return Parsed(events=parsed.events, rejected=kept, ignored_count=parsed.ignored_count)
        return parsed

    def bury(self, payload: bytes, reason: str) -> Parsed:
        """Make one rejected record of a payload that cannot be read at all, so that its bytes are kept."""
        return Parsed(rejected=[Rejected(raw=self._redact(payload, self._pseudonym_key), reason=reason)])

    def parse_or_bury(self, payload: bytes, *, received_at: datetime, form: Form = Form.JSON) -> Parsed:
        """Parse for a sender that cannot be told what was wrong: an unreadable payload becomes one rejected record."""
        try:
            return self.parse(payload, received_at=received_at, form=form)
        except MalformedPayloadError as error:
            return self.bury(payload, error.reason)
