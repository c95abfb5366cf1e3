"""Reports of citizens to events: what about and how far. Who reported, and in which words, goes no further."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec

from connectors.feed import ParseContext
from connectors.pseudonym import to_pseudonym
from connectors.records import RecordReader
from connectors.values import Measured, RefusedRecordError, check_instant, check_position, to_count
from geo.position import Position
from ioc.domain.events import Event, Parsed
from ioc.domain.kinds import CitizenReport
from ioc.domain.quantities import Quality

WORD = r"[a-z][a-z0-9_-]{0,31}"
UNIT = r"[0-9]{5}"
_FARTHEST_DUE = timedelta(days=366)
_PLACE_DIGITS = 3
"""Digits of a report's degrees: some hundred metres, a street and nobody's door."""
_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_Word = Annotated[str, msgspec.Meta(pattern=f"^{WORD}$")]
_Repeats = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


class WireReport(msgspec.Struct, kw_only=True):
    """A report reached a state. What tells who reported is listed so that it is known, and dropped."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    unit: Annotated[str, msgspec.Meta(pattern=f"^{UNIT}$")]
    time: _Instant
    category: _Word
    status: Literal["new", "assigned", "processing", "answered", "closed"]
    due_at: _Instant | msgspec.UnsetType | None = msgspec.UNSET
    channel: _Word | msgspec.UnsetType | None = msgspec.UNSET
    repeats: _Repeats | msgspec.UnsetType | None = msgspec.UNSET
    lon: Measured = msgspec.UNSET
    lat: Measured = msgspec.UNSET
    reporter: Any = msgspec.UNSET
    phone: Any = msgspec.UNSET
    text: Any = msgspec.UNSET


READER = RecordReader({None: WireReport}, quick=WireReport)


def parse(payload: bytes, context: ParseContext) -> Parsed:
    """Parse a body of reports.

    Raises:
        MalformedPayloadError: nothing in it can be read.
    """
    return READER.parse(payload, context, to_events)


def to_events(record: WireReport, context: ParseContext) -> list[Event]:
    """Make the event of one report.

    Raises:
        RefusedRecordError: a time cannot be true.
    """
    observed_at = check_instant(record.time, context.latest_at)
    due_at = None
    if record.due_at:
        due_at = check_instant(record.due_at, context.received_at + _FARTHEST_DUE, what="due_at")
    report = CitizenReport(
        category=record.category,
        status=record.status,
        due_at=due_at,
        channel=record.channel or None,
        repeats_count=to_count(record.repeats),
    )
    position, quality = _place(record)
    pseudonym = to_pseudonym(record.id, context.pseudonym_key)
    event = context.make_event(
        report,
        asset_id=f"report.{pseudonym}",
        observed_at=observed_at,
        source_key=f"{pseudonym}/{record.status}",
        station_id=f"unit.{record.unit}",
        position=position,
        quality=quality,
    )
    return [event]


def _place(record: WireReport) -> tuple[Position | None, Quality | None]:
    """Give the street of a report; one whose place cannot be true stands at its unit, uncertain, and is not lost."""
    try:
        place = check_position(record.lon, record.lat)
    except RefusedRecordError:
        return None, Quality.UNCERTAIN
    if place is None:
        return None, None
    return Position(lon_deg=round(place.lon_deg, _PLACE_DIGITS), lat_deg=round(place.lat_deg, _PLACE_DIGITS)), None
