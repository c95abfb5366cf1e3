"""Crowds, gates, tickets, stays and ratings to events. Who bought, slept or wrote goes no further than this module."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from connectors.feed import ParseContext
from connectors.pseudonym import to_pseudonym
from connectors.records import RecordReader
from connectors.values import Measured, Measures, RefusedRecordError, check_instant, check_name
from ioc.domain.events import Event, Parsed
from ioc.domain.kinds import KINDS, Crowd, Feedback, GateCount, Stay, TicketSale
from ioc.domain.quantities import Quality

_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_Site = Annotated[str, msgspec.Meta(max_length=64)]
_Word = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
_Visitors = Annotated[int, msgspec.Meta(ge=0, le=100_000)]
_Guests = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
_Channel = Literal["counter", "online", "agency", "app", "kiosk", "phone", "other"]
_Category = Literal["general", "service", "prices", "cleanliness", "safety", "transport", "guides", "food"]

_CROWD = Measures(KINDS[Crowd.KIND], ("people_count", "density_p_m2", "capacity_count"))
_ROOMS = Measures(KINDS[Stay.KIND], ("rooms_taken_pct",))
_RATING = Measures(KINDS[Feedback.KIND], ("rating",))


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


class WireTicket(msgspec.Struct, kw_only=True, tag="ticket"):
    """Tickets sold for a site since the previous report. Buyers, who show an identity card, are not listened to."""

    site: _Site
    time: _Instant
    count: _Visitors
    group: _Word | msgspec.UnsetType = msgspec.UNSET
    channel: _Channel | msgspec.UnsetType | None = msgspec.UNSET


class WireStay(msgspec.Struct, kw_only=True, tag="stay", rename={"in_count": "in", "out_count": "out"}):
    """Guests of the lodgings of a unit: who is there, and who came and left since the previous report."""

    unit: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{5}$")]
    time: _Instant
    guests: _Guests
    in_count: _Guests | msgspec.UnsetType = msgspec.UNSET
    out_count: _Guests | msgspec.UnsetType = msgspec.UNSET
    rooms_taken_pct: Measured = msgspec.UNSET
    group: _Word | msgspec.UnsetType = msgspec.UNSET


class WireFeedback(msgspec.Struct, kw_only=True, tag="feedback"):
    """A visitor's rating of a site. ``id`` tells two of one moment apart; what was written is not listened to."""

    site: _Site
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    time: _Instant
    rating: Measured
    category: _Category | msgspec.UnsetType = msgspec.UNSET
    channel: _Channel | msgspec.UnsetType | None = msgspec.UNSET


Wire = WireCrowd | WireGate | WireTicket | WireStay | WireFeedback
READER: RecordReader[Wire] = RecordReader(
    {"crowd": WireCrowd, "gate": WireGate, "ticket": WireTicket, "stay": WireStay, "feedback": WireFeedback}, quick=Wire
)


def parse(payload: bytes, context: ParseContext) -> Parsed:
    """Parse a body of crowds, gate counts, tickets, stays and ratings.

    Raises:
        MalformedPayloadError: nothing in it can be read.
    """
    return READER.parse(payload, context, to_events)


def to_events(record: Wire, context: ParseContext) -> list[Event]:
    """Make the event of one record.

    Raises:
        RefusedRecordError: time, site or a value cannot be true.
    """
    observed_at = check_instant(record.time, context.latest_at)
    if isinstance(record, WireStay):
        return [_to_stay(record, observed_at, context)]
    asset_id = f"site.{check_name(record.site, what='site')}"
    if isinstance(record, WireCrowd):
        return [_to_crowd(record, asset_id, observed_at, context)]
    if isinstance(record, WireFeedback):
        return [_to_feedback(record, asset_id, observed_at, context)]
    group = record.group or "all"
    if isinstance(record, WireGate):
        gate = GateCount(in_count=record.in_count, out_count=record.out_count or 0, group=group)
        event = context.make_event(gate, asset_id=asset_id, observed_at=observed_at, source_key=f"{asset_id}/{group}")
        return [event]
    sale = TicketSale(tickets_count=record.count, group=group, channel=record.channel or None)
    key = f"{asset_id}/{group}/{record.channel or ''}"
    return [context.make_event(sale, asset_id=asset_id, observed_at=observed_at, source_key=key)]


def _to_crowd(record: WireCrowd, asset_id: str, observed_at: datetime, context: ParseContext) -> Event:
    (people, density, capacity), found = _CROWD.convert((record.people, record.density, record.capacity))
    crowd = Crowd(
        people_count=_to_count(people, "people"), density_p_m2=density, capacity_count=_to_count(capacity, "capacity")
    )
    is_counted = found and (people is not None or density is not None)
    quality = None if is_counted else Quality.BAD
    return context.make_event(crowd, asset_id=asset_id, observed_at=observed_at, quality=quality)


def _to_stay(record: WireStay, observed_at: datetime, context: ParseContext) -> Event:
    group, asset_id = record.group or "all", f"unit.{record.unit}"
    (rooms_taken_pct,), _ = _ROOMS.convert((record.rooms_taken_pct,))
    stay = Stay(
        guests_count=record.guests,
        in_count=record.in_count or 0,
        out_count=record.out_count or 0,
        rooms_taken_pct=rooms_taken_pct,
        group=group,
    )
    return context.make_event(stay, asset_id=asset_id, observed_at=observed_at, source_key=f"{asset_id}/{group}")


def _to_feedback(record: WireFeedback, asset_id: str, observed_at: datetime, context: ParseContext) -> Event:
    (rating,), _ = _RATING.convert((record.rating,))
    if rating is None:
        raise RefusedRecordError("rating: missing")
    said = Feedback(rating=rating, category=record.category or "general", channel=record.channel or None)
    key = f"{asset_id}/{to_pseudonym(record.id, context.pseudonym_key)}"
    return context.make_event(said, asset_id=asset_id, observed_at=observed_at, source_key=key)


def _to_count(value: float | None, name: str) -> int | None:
    if value is None:
        return None
    if not value.is_integer():
        raise RefusedRecordError(f"{name}: not a whole number")
    return int(value)
