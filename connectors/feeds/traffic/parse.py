"""Flows, incidents and plate reads to events: vehicles, km/h, % of occupancy. Plates become keyed pseudonyms here."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from connectors.feed import ParseContext
from connectors.pseudonym import to_plate_pseudonym
from connectors.records import RecordReader
from connectors.values import (
    Measured,
    Measures,
    RefusedRecordError,
    check_instant,
    check_name,
    check_position,
    to_count,
)
from ioc.domain.events import Event, Parsed
from ioc.domain.kinds import KINDS, PlateRead, TrafficFlow, TrafficIncident
from ioc.domain.quantities import Quality

_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_Name = Annotated[str, msgspec.Meta(max_length=64)]
_Word = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
_Lanes = Annotated[int, msgspec.Meta(ge=0, le=20)]

_FLOW = Measures(KINDS[TrafficFlow.KIND], ("vehicles_count", "speed_km_h", "occupancy_pct", "period_s"))
_READ = Measures(KINDS[PlateRead.KIND], ("speed_km_h",))


class WireFlow(msgspec.Struct, kw_only=True, gc=False, tag="flow"):
    """Vehicles past a counter in the last ``period_s`` seconds, their mean speed in km/h, the road's occupancy in %."""

    counter: _Name
    time: _Instant
    vehicles: Measured = msgspec.UNSET
    speed_kmh: Measured = msgspec.UNSET
    occupancy: Measured = msgspec.UNSET
    period_s: Measured = msgspec.UNSET
    direction: _Word | msgspec.UnsetType | None = msgspec.UNSET


class WireIncident(msgspec.Struct, kw_only=True, tag="incident"):
    """An incident as it stands now; ``road`` is the code of a road or a counter."""

    id: _Name
    time: _Instant
    category: _Word
    severity: Literal["minor", "major", "critical"]
    status: Literal["open", "closed"]
    road: _Word | msgspec.UnsetType | None = msgspec.UNSET
    lanes_closed: _Lanes | msgspec.UnsetType | None = msgspec.UNSET
    lon: Measured = msgspec.UNSET
    lat: Measured = msgspec.UNSET


class WirePlate(msgspec.Struct, kw_only=True, tag="anpr", rename={"vehicle_class": "class"}):
    """A vehicle passed a reader; a plate that could not be read is null."""

    camera: _Name
    time: _Instant
    plate: Annotated[str, msgspec.Meta(max_length=64)] | None
    vehicle_class: _Word | msgspec.UnsetType | None = msgspec.UNSET
    direction: _Word | msgspec.UnsetType | None = msgspec.UNSET
    speed_kmh: Measured = msgspec.UNSET


Wire = WireFlow | WireIncident | WirePlate
READER: RecordReader[Wire] = RecordReader({"flow": WireFlow, "incident": WireIncident, "anpr": WirePlate}, quick=Wire)


def parse(payload: bytes, context: ParseContext) -> Parsed:
    """Parse a body of flows, incidents and plate reads.

    Raises:
        MalformedPayloadError: nothing in it can be read.
    """
    return READER.parse(payload, context, to_events)


def to_events(record: Wire, context: ParseContext) -> list[Event]:
    """Make the event of one record.

    Raises:
        RefusedRecordError: time, name, place or a value cannot be true.
    """
    observed_at = check_instant(record.time, context.latest_at)
    if isinstance(record, WireFlow):
        return [_to_flow(record, context, observed_at)]
    if isinstance(record, WirePlate):
        return [_to_read(record, context, observed_at)]
    incident = TrafficIncident(
        category=record.category,
        severity=record.severity,
        status=record.status,
        road=record.road or None,
        lanes_closed_count=to_count(record.lanes_closed),
    )
    asset_id = f"incident.{check_name(record.id, what='id')}"
    event = context.make_event(
        incident,
        asset_id=asset_id,
        observed_at=observed_at,
        source_key=f"{asset_id}/{record.status}",
        is_fixed=False,
        position=check_position(record.lon, record.lat),
    )
    return [event]


def _to_flow(record: WireFlow, context: ParseContext, observed_at: datetime) -> Event:
    wire = (record.vehicles, record.speed_kmh, record.occupancy, record.period_s)
    (vehicles, speed_km_h, occupancy_pct, period_s), _ = _FLOW.convert(wire)
    if vehicles is not None and not vehicles.is_integer():
        raise RefusedRecordError("vehicles: not a whole number")
    flow = TrafficFlow(
        vehicles_count=None if vehicles is None else int(vehicles),
        speed_km_h=speed_km_h,
        occupancy_pct=occupancy_pct,
        period_s=period_s,
        direction=record.direction or None,
    )
    asset_id = f"road.{check_name(record.counter, what='counter').removeprefix('road.')}"
    is_measured = any(value is not None for value in (vehicles, speed_km_h, occupancy_pct))
    return context.make_event(
        flow,
        asset_id=asset_id,
        observed_at=observed_at,
        source_key=asset_id if flow.direction is None else f"{asset_id}/{flow.direction}",
        quality=None if is_measured else Quality.BAD,
    )


def _to_read(record: WirePlate, context: ParseContext, observed_at: datetime) -> Event:
    (speed_km_h,), _ = _READ.convert((record.speed_kmh,))
    plate_hash = "" if not record.plate else to_plate_pseudonym(record.plate, context.pseudonym_key)
    read = PlateRead(
        plate_hash=plate_hash,
        vehicle_class=record.vehicle_class or None,
        direction=record.direction or None,
        speed_km_h=speed_km_h,
    )
    asset_id = f"camera.{check_name(record.camera, what='camera').removeprefix('camera.')}"
    return context.make_event(
        read,
        asset_id=asset_id,
        observed_at=observed_at,
        source_key=f"{asset_id}/{plate_hash}",
        quality=None if plate_hash else Quality.UNCERTAIN,
    )
