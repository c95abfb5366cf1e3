"""What travels: events, the signals made from them, and what could not become an event."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from geo.position import Position
from ioc.domain.kinds import AnyPayload
from ioc.domain.quantities import Quality


class Event(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One observation or report, as it lies on the log.

    ``observed_at`` is the source's own time, ``received_at`` ours; both aware UTC. ``lon_deg``/``lat_deg`` (WGS 84)
    are set for things that move and for stations whose place is known; ``unit_code`` is the commune-level unit when
    the feed knows it. A Struct rather than a dataclass: it is decoded once in every process that reads the log.
    """

    event_id: bytes
    feed_id: str
    asset_id: str
    observed_at: datetime
    received_at: datetime
    data: AnyPayload
    lon_deg: float | None = None
    lat_deg: float | None = None
    unit_code: str | None = None
    quality: int = Quality.GOOD

    @property
    def kind(self) -> str:
        """Name of the event's kind, a key of ``ioc.domain.kinds.KINDS``."""
        return self.data.KIND

    @property
    def position(self) -> Position | None:
        """Where it was observed, if that is known."""
        if self.lon_deg is None or self.lat_deg is None:
            return None
        return Position(lon_deg=self.lon_deg, lat_deg=self.lat_deg)

    @property
    def partition_key(self) -> str:
        """The asset: its events stay in order on one partition."""
        return self.asset_id

    @property
    def lateness(self) -> timedelta:
        """How long the reading was under way."""
        return self.received_at - self.observed_at


class Signal(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """An event copied to the partition of a wider scope (unit, zone, province), for rules that look past one asset.

    What one rule has found out by its own limits, such as that a station is silent, is told ``to_rule`` alone: another
    rule has other limits. None: to all that listen.
    """

    scope: str
    event: Event
    to_rule: str | None = None

    @property
    def partition_key(self) -> str:
        """The scope: all its signals meet on one partition."""
        return self.scope


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Bytes that could not become an event, with the reason. Nothing that a source sent is ever dropped silently.

    ``dead_letter_id`` is a UUIDv5 of feed, arrival and bytes, so a redelivery is recognised.
    """

    dead_letter_id: bytes
    feed_id: str
    received_at: datetime
    reason: str
    raw: bytes
    source: str = ""

    @property
    def partition_key(self) -> str:
        """The feed, so that one broken source does not slow the letters of another."""
        return self.feed_id


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """One record that a parser refused: its raw bytes and why. ``index`` is its place in the payload, from 0."""

    raw: bytes
    reason: str
    index: int = 0


class Parsed(msgspec.Struct, frozen=True, kw_only=True):
    """What a parser made of one payload. ``len(events) + len(rejected) + ignored_count`` equals the records in it.

    ``ignored_count`` counts records that are sound and carry nothing for us (an AIS base-station report, say).
    """

    events: list[Event] = []
    rejected: list[Rejected] = []
    ignored_count: int = 0
