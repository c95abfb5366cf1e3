"""Recordings as text: one event per line as a JSON object, the lines compressed with zstd (``.ndjson.zst``).

``docs/recordings.md`` describes the line for other programs. Fields are added, never renamed or removed.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import msgspec

from ioc.arrow import pa
from ioc.domain.events import Event
from ioc.domain.kinds import KINDS, Payload
from ioc.errors import MalformedPayloadError
from ioc.recordings.whole import WholeFile

SUFFIX = ".ndjson.zst"

Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class _Line(msgspec.Struct, kw_only=True):
    """What a line says."""

    event_id: UUID
    feed_id: str
    kind: str
    asset_id: str
    observed_at: Instant
    received_at: Instant
    quality: int = 0
    lon_deg: float | None = None
    lat_deg: float | None = None
    unit_code: str | None = None
    data: dict[str, Any]


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Line)


def encode_line(event: Event) -> bytes:
    """Write an event as one line, with its end."""
    data = event.data
    fields = {name: getattr(data, name) for name in data.__struct_fields__}
    line = {
        "event_id": str(UUID(bytes=event.event_id)), "feed_id": event.feed_id, "kind": event.kind,
        "asset_id": event.asset_id, "observed_at": event.observed_at, "received_at": event.received_at,
        "quality": int(event.quality), "lon_deg": event.lon_deg, "lat_deg": event.lat_deg,
        "unit_code": event.unit_code, "data": fields,
    }  # fmt: skip
    return _encoder.encode(line) + b"\n"


def decode_line(line: bytes) -> Event:
    """Read a line. Fields that a kind got since take their default; those that it lost are left aside.

    Raises:
        MalformedPayloadError: it is no event of ours.
    """
    try:
        read = _decoder.decode(line)
        payload = to_payload(read.kind, read.data)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        raise MalformedPayloadError(str(error)) from error
    return Event(
        event_id=read.event_id.bytes, feed_id=read.feed_id, asset_id=read.asset_id, observed_at=read.observed_at,
        received_at=read.received_at, data=payload, lon_deg=read.lon_deg, lat_deg=read.lat_deg,
        unit_code=read.unit_code, quality=read.quality,
    )  # fmt: skip


def to_payload(kind: str, values: dict[str, Any]) -> Payload:
    """Make a kind's payload from its fields by name.

    Raises:
        ValueError: no such kind, or a field that has no default is missing.
        msgspec.ValidationError: a value does not fit its field.
    """
    row: list[Any] = [kind]
    payload, fields = _describe(kind)
    for name, default in fields:
        value = values.get(name, default)
        if value is msgspec.NODEFAULT:
            raise ValueError(f"{kind} lacks {name}")
        row.append(value)
    # To the class itself: for the union of all, msgspec would gather its members anew at every call.
    return msgspec.convert(row, payload)


@cache
def _describe(kind: str) -> tuple[type[Payload], tuple[tuple[str, Any], ...]]:
    """Give a kind's class, and its fields with their defaults; looked up once, not per event."""
    if (known := KINDS.get(kind)) is None:
        raise ValueError(f"no kind {kind!r}")
    return known.payload, tuple((field.name, field.default) for field in msgspec.structs.fields(known.payload))


class EnvelopeWriter:
    """Writes one ``.ndjson.zst`` file. It bears its name when ``commit`` returns, and not before."""

    def __init__(self, path: Path) -> None:
        self._file = WholeFile(path)
        self._out = pa.CompressedOutputStream(self._file.stream, "zstd")

    @property
    def bytes_count(self) -> int:
        """Compressed bytes so far, but for what the compressor still holds."""
        return self._file.stream.tell()

    def write(self, events: list[Event]) -> None:
        """Add events."""
        self._out.write(b"".join(map(encode_line, events)))

    def commit(self) -> None:
        """End the file."""
        self._out.close()
        self._file.commit()

    def discard(self) -> None:
        """Give it up."""
        self._out.close()
        self._file.discard()
