"""Papers of the port authority to events: how many are on board of what, never who."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec

from connectors.feed import ParseContext
from connectors.records import RecordReader
from connectors.values import RefusedRecordError, check_instant, check_position, to_count
from ioc.domain.events import Event, Parsed
from ioc.domain.kinds import PortPermit, VesselArrival, VesselDeparture, VesselManifest, VesselSos
from ioc.domain.quantities import Quality

BOAT = r"([1-9][0-9]{8}|QN-[0-9]{4,5})"
"""The number that AIS knows a boat by (ITU-R M.585), or that of its register for boats without AIS."""
TRIP = r"[A-Z]{2,4}-[0-9]{6}-[0-9]{2,6}"
NAME = r"[a-z][a-z0-9-]{0,31}"
_FARTHEST = timedelta(days=7)
_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_Boat = Annotated[str, msgspec.Meta(pattern=f"^{BOAT}$")]
_Trip = Annotated[str, msgspec.Meta(pattern=f"^{TRIP}$")]
_Name = Annotated[str, msgspec.Meta(pattern=f"^{NAME}$")]
_People = Annotated[int, msgspec.Meta(ge=0, le=10_000)]
_Crew = Annotated[int, msgspec.Meta(ge=0, le=1_000)]
_MaybeName = _Name | msgspec.UnsetType | None
_MaybePeople = _People | msgspec.UnsetType | None
_MaybeCrew = _Crew | msgspec.UnsetType | None


class WirePermit(msgspec.Struct, kw_only=True, tag="permit"):
    """Leave to sail. The master's name and licence are listed so that they are known, and dropped."""

    boat: _Boat
    trip: _Trip
    port: _Name
    time: _Instant
    status: Literal["granted", "refused", "revoked"]
    valid_from: _Instant
    valid_until: _Instant
    route: _MaybeName = msgspec.UNSET
    most_pax: _MaybePeople = msgspec.UNSET
    captain: Any = msgspec.UNSET
    licence: Any = msgspec.UNSET


class WireManifest(msgspec.Struct, kw_only=True, tag="manifest"):
    """The declared list, counted; ``passengers`` themselves are dropped, unread."""

    boat: _Boat
    trip: _Trip
    port: _Name
    time: _Instant
    pax: _People
    crew: _MaybeCrew = msgspec.UNSET
    children: _MaybePeople = msgspec.UNSET
    route: _MaybeName = msgspec.UNSET
    passengers: Any = msgspec.UNSET
    declared_by: Any = msgspec.UNSET


class WireDeparture(msgspec.Struct, kw_only=True, tag="departure"):
    """A boat left; ``pax`` is what the port counted on the pier."""

    boat: _Boat
    trip: _Trip
    port: _Name
    time: _Instant
    pax: _MaybePeople = msgspec.UNSET
    crew: _MaybeCrew = msgspec.UNSET
    route: _MaybeName = msgspec.UNSET
    due_at: _Instant | msgspec.UnsetType | None = msgspec.UNSET
    captain: Any = msgspec.UNSET
    phone: Any = msgspec.UNSET


class WireArrival(msgspec.Struct, kw_only=True, tag="arrival"):
    """A boat came in."""

    boat: _Boat
    trip: _Trip
    port: _Name
    time: _Instant
    pax: _MaybePeople = msgspec.UNSET


class WireSos(msgspec.Struct, kw_only=True, tag="sos"):
    """A call of distress. Who called is dropped."""

    boat: _Boat
    time: _Instant
    status: Literal["active", "resolved", "false_alarm"]
    cause: _MaybeName = msgspec.UNSET
    on_board: _MaybePeople = msgspec.UNSET
    lon: float | msgspec.UnsetType | None = msgspec.UNSET
    lat: float | msgspec.UnsetType | None = msgspec.UNSET
    caller: Any = msgspec.UNSET
    phone: Any = msgspec.UNSET


Wire = WirePermit | WireManifest | WireDeparture | WireArrival | WireSos
READER: RecordReader[Wire] = RecordReader(
    {
        "permit": WirePermit,
        "manifest": WireManifest,
        "departure": WireDeparture,
        "arrival": WireArrival,
        "sos": WireSos,
    },
    quick=Wire,
)


def parse(payload: bytes, context: ParseContext) -> Parsed:
    """Parse a body of papers.

    Raises:
        MalformedPayloadError: nothing in it can be read.
    """
    return READER.parse(payload, context, to_events)


def to_events(record: Wire, context: ParseContext) -> list[Event]:
    """Make the event of one record.

    Raises:
        RefusedRecordError: a time or a count cannot be true.
    """
    observed_at = check_instant(record.time, context.latest_at)
    asset_id = f"vessel.{record.boat.lower()}"
    if isinstance(record, WireSos):
        position, quality = _to_place(record)
        sos = VesselSos(status=record.status, cause=record.cause or None, pax_count=to_count(record.on_board))
        return [context.make_event(sos, asset_id=asset_id, observed_at=observed_at, position=position, quality=quality)]
    data = _to_paper(record, context)
    # Two papers of a kind within a second are told apart by their trips.
    return [
        context.make_event(data, asset_id=asset_id, observed_at=observed_at, source_key=f"{asset_id}/{record.trip}")
    ]


def _to_paper(
    record: WirePermit | WireManifest | WireDeparture | WireArrival, context: ParseContext
) -> PortPermit | VesselManifest | VesselDeparture | VesselArrival:
    trip, port = record.trip, record.port
    if isinstance(record, WirePermit):
        return _to_permit(record, context)
    if isinstance(record, WireManifest):
        children = to_count(record.children)
        if children is not None and children > record.pax:
            raise RefusedRecordError("children: more than passengers")
        return VesselManifest(
            trip=trip, port=port, pax_count=record.pax, crew_count=to_count(record.crew), children_count=children,
            route=record.route or None,
        )  # fmt: skip
    if isinstance(record, WireDeparture):
        due_at = check_instant(record.due_at, context.received_at + _FARTHEST, what="due_at") if record.due_at else None
        return VesselDeparture(
            trip=trip, port=port, route=record.route or None, pax_count=to_count(record.pax),
            crew_count=to_count(record.crew), due_at=due_at,
        )  # fmt: skip
    return VesselArrival(trip=trip, port=port, pax_count=to_count(record.pax))


def _to_permit(record: WirePermit, context: ParseContext) -> PortPermit:
    farthest = context.received_at + _FARTHEST
    valid_from = check_instant(record.valid_from, farthest, what="valid_from")
    valid_until = check_instant(record.valid_until, farthest, what="valid_until")
    if valid_until <= valid_from:
        raise RefusedRecordError("valid_until: not after valid_from")
    return PortPermit(
        trip=record.trip, port=record.port, status=record.status, valid_from=valid_from, valid_until=valid_until,
        route=record.route or None, most_pax_count=to_count(record.most_pax),
    )  # fmt: skip


def _to_place(record: WireSos) -> tuple[Any, Quality | None]:
    """Give where a call came from; a place that cannot be true does not silence the call."""
    try:
        return check_position(record.lon, record.lat), None
    except RefusedRecordError:
        return None, Quality.UNCERTAIN
