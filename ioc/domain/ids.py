"""Names of things, and the deterministic ids that make every repetition harmless."""

from __future__ import annotations

import hashlib
from datetime import datetime
from functools import partial
from typing import NewType, cast
from uuid import UUID
from zlib import crc32

FeedId = NewType("FeedId", str)
"""A source of data, for example ``air`` or ``vessels``."""

AssetId = NewType("AssetId", str)
"""A thing that is measured or moves: ``<class>.<code>``, for example ``air.hong-gai`` or ``vessel.574000123``."""

UnitCode = NewType("UnitCode", str)
"""Official five-digit code of one of the 54 commune-level units."""

ZoneId = NewType("ZoneId", str)
RuleId = NewType("RuleId", str)

EventId = NewType("EventId", bytes)
"""Sixteen bytes of a UUIDv5; raw bytes because they cross the log and binary COPY once per event."""

_EVENT_NAMESPACE = UUID("5a1f3a0e-3c0b-5d1b-9e0c-6f6e2d0f7a11").bytes
_DEAD_LETTER_NAMESPACE = UUID("c1b7c1c5-7f0b-5a6e-8a55-3c0f0a6f4b12").bytes

_UUID5_MARKS = 0x5000_8000_0000_0000_0000
"""Version 5 in octet 6 and the RFC 9562 variant in octet 8."""
_UUID5_MASK = ((1 << 128) - 1) ^ 0xF000_C000_0000_0000_0000

# Identification, not security: said so, it also runs where policy forbids SHA-1 for the latter.
_sha1 = partial(hashlib.sha1, usedforsecurity=False)


def event_id(feed_id: str, source_key: str, observed_at: datetime, kind: str) -> EventId:
    """Give the id of an observation: the same reading always gets the same id, however often it arrives.

    ``source_key`` is what the source calls the thing (station, MMSI, trip); with the kind and the source's own
    time it names one observation. The result is a UUIDv5 (RFC 9562 §5.5) over the four parts.
    """
    # Written out instead of calling ``_uuid5_bytes``: this runs once for every reading that comes in.
    name = f"{feed_id}\x1f{source_key}\x1f{observed_at.timestamp():.6f}\x1f{kind}".encode()
    digest = int.from_bytes(_sha1(_EVENT_NAMESPACE + name).digest()[:16], "big")
    return cast(EventId, (digest & _UUID5_MASK | _UUID5_MARKS).to_bytes(16, "big"))


def repeated_event_id(original: bytes, observed_at: datetime) -> EventId:
    """Give the id of a recorded observation that is played as if it were of another time: same play, same id."""
    return cast(EventId, _uuid5_bytes(original, f"{observed_at.timestamp():.6f}".encode()))


def alert_id(fingerprint: bytes, started_at: datetime) -> UUID:
    """Give the id of one occurrence of an alert: same condition and same start, same id."""
    return UUID(bytes=_uuid5_bytes(fingerprint[:16], f"{started_at.timestamp():.6f}".encode()))


def dead_letter_id(source: str, ordinal: int, raw: bytes) -> bytes:
    """Give the id of a dead letter, 16 bytes of a UUIDv5.

    ``source`` says where and when the bytes came in (feed and arrival, or place on the log), ``ordinal`` which record
    of that payload it was: two equal broken records are two letters, one letter delivered twice is one.
    """
    return _uuid5_bytes(_DEAD_LETTER_NAMESPACE, f"{source}\x1f{ordinal}\x1f".encode() + raw)


def format_event_id(value: bytes) -> str:
    """Write an event id as people and JSON know it: the canonical UUID text."""
    return str(UUID(bytes=bytes(value)))


def partition_of(key: str, partition_count: int) -> int:
    """Place a key on a partition. Both logs and the store's recovery use this one function, so they always agree."""
    return crc32(key.encode()) % partition_count


def _uuid5_bytes(namespace: bytes, name: bytes) -> bytes:
    digest = int.from_bytes(_sha1(namespace + name).digest()[:16], "big")
    return (digest & _UUID5_MASK | _UUID5_MARKS).to_bytes(16, "big")
