"""Crowd counts and gate counts to events: people, people per square metre."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from connectors.feed import ParseContext
from connectors.records import RecordReader
from connectors.values import Measured, Measures, RefusedRecordError, check_instant, check_name
from ioc.domain.events import Event, Parsed
from ioc.domain.kinds import KINDS, Crowd, GateCount
from ioc.domain.quantities import Quality

_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_Site = Annotated[str, msgspec.Meta(max_length=64)]
_Word = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
_Visitors = Annotated[int, msgspec.Meta(ge=0, le=100_000)]

_CROWD = Measures(KINDS[Crowd.KIND], ("people_count", "density_p_m2", "capacity_count"))


class WireCrowd(msgspec.Struct, kw_only=True, gc=False, tag="crowd"):
    """People at a site now: counted people, people per m², the capacity that the site goes by."""

    site: _Site
    time: _Instant
    people: Measured = msgspec.UNSET
    density: Measured = msgspec.UNSET
    capacity: Measured = msgspec.UNSET


class WireGate(msgspec.Struct, kw_only=True, tag="gate", rename={"in_count": "in", "out_count": "out"}):
    """People through a site's gate since the previous count."""

    site: _Site
    time: _Instant
    in_count: _Visitors
    out_count: _Visitors | msgspec.UnsetType = msgspec.UNSET
    group: _Word | msgspec.UnsetType = msgspec.UNSET


READER: RecordReader[WireCrowd | WireGate] = RecordReader(
    {"crowd": WireCrowd, "gate": WireGate}, quick=WireCrowd | WireGate
)


def parse(payload: bytes, context: ParseContext) -> Parsed:
    """Parse a body of crowd and gate counts.

    Raises:
        MalformedPayloadError: nothing in it can be read.
    """
    return READER.parse(payload, context, to_events)


def to_events(record: WireCrowd | WireGate, context: ParseContext) -> list[Event]:
    """Make the event of one record.

    Raises:
        RefusedRecordError: time, site or a value cannot be true.
    """
    asset_id = f"site.{check_name(record.site, what='site')}"
    observed_at = check_instant(record.time, context.latest_at)
    if isinstance(record, WireGate):
        group = record.group or "all"
        gate = GateCount(in_count=record.in_count, out_count=record.out_count or 0, group=group)
        event = context.make_event(gate, asset_id=asset_id, observed_at=observed_at, source_key=f"{asset_id}/{group}")
        return [event]
    (people, density, capacity), found = _CROWD.convert((record.people, record.density, record.capacity))
    crowd = Crowd(
        people_count=_to_count(people, "people"), density_p_m2=density, capacity_count=_to_count(capacity, "capacity")
    )
    is_counted = found and (people is not None or density is not None)
    quality = None if is_counted else Quality.BAD
    return [context.make_event(crowd, asset_id=asset_id, observed_at=observed_at, quality=quality)]


def _to_count(value: float | None, name: str) -> int | None:
    if value is None:
        return None
    if not value.is_integer():
        raise RefusedRecordError(f"{name}: not a whole number")
    return int(value)
