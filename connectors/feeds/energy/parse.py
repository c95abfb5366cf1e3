"""Feeders, outages and lamps to events: kW, V, A, customers without power of a unit, lamps of a cabinet."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal

import msgspec

from connectors.feed import ParseContext
from connectors.records import RecordReader
from connectors.values import Measured, Measures, RefusedRecordError, check_instant, check_name, to_count
from ioc.domain.events import Event, Parsed
from ioc.domain.kinds import KINDS, Feeder, LightStatus, Outage
from ioc.domain.quantities import Quality

_FARTHEST_RESTORE = timedelta(days=90)
_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_Name = Annotated[str, msgspec.Meta(max_length=64)]
_Unit = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{5}$")]
_Word = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
_Customers = Annotated[int, msgspec.Meta(ge=0, le=10_000_000)]
_Lamps = Annotated[int, msgspec.Meta(ge=0, le=100_000)]

_FEEDER = Measures(KINDS[Feeder.KIND], ("power_kw", "voltage_v", "current_a"))
_LIGHT = Measures(KINDS[LightStatus.KIND], ("power_kw",))


class WireFeeder(msgspec.Struct, kw_only=True, gc=False, tag="feeder"):
    """Load of a medium-voltage feeder: kW, V between phases, A. Power that flows back is negative."""

    feeder: _Name
    time: _Instant
    kw: Measured = msgspec.UNSET
    v: Measured = msgspec.UNSET
    a: Measured = msgspec.UNSET
    status: Literal["on", "off", "tripped"] = "on"


class WireOutage(msgspec.Struct, kw_only=True, tag="outage"):
    """Customers of a unit without power now: a state, sent again and again, 0 when all have power."""

    unit: _Unit
    time: _Instant
    customers_off: _Customers
    customers: _Customers | msgspec.UnsetType | None = msgspec.UNSET
    cause: _Word | msgspec.UnsetType | None = msgspec.UNSET
    restore_at: _Instant | msgspec.UnsetType | None = msgspec.UNSET


class WireLight(msgspec.Struct, kw_only=True, tag="light"):
    """Lamps behind one street-light cabinet."""

    cabinet: _Name
    time: _Instant
    lamps_on: _Lamps
    lamps: _Lamps | msgspec.UnsetType | None = msgspec.UNSET
    faults: _Lamps | msgspec.UnsetType | None = msgspec.UNSET
    kw: Measured = msgspec.UNSET


Wire = WireFeeder | WireOutage | WireLight
READER: RecordReader[Wire] = RecordReader({"feeder": WireFeeder, "outage": WireOutage, "light": WireLight}, quick=Wire)


def parse(payload: bytes, context: ParseContext) -> Parsed:
    """Parse a body of feeders, outages and lamps.

    Raises:
        MalformedPayloadError: nothing in it can be read.
    """
    return READER.parse(payload, context, to_events)


def to_events(record: Wire, context: ParseContext) -> list[Event]:
    """Make the event of one record.

    Raises:
        RefusedRecordError: time, name or a value cannot be true.
    """
    observed_at = check_instant(record.time, context.latest_at)
    if isinstance(record, WireFeeder):
        return [_to_feeder(record, context, observed_at)]
    if isinstance(record, WireOutage):
        return [_to_outage(record, context, observed_at)]
    (power_kw,), _ = _LIGHT.convert((record.kw,))
    lamps_count, faults_count = to_count(record.lamps), to_count(record.faults)
    _check_part(record.lamps_on, lamps_count, "lamps_on: more than lamps")
    _check_part(faults_count, lamps_count, "faults: more than lamps")
    light = LightStatus(
        lamps_on_count=record.lamps_on, lamps_count=lamps_count, faults_count=faults_count, power_kw=power_kw
    )
    asset_id = f"light.{check_name(record.cabinet, what='cabinet').removeprefix('light.')}"
    return [context.make_event(light, asset_id=asset_id, observed_at=observed_at)]


def _to_feeder(record: WireFeeder, context: ParseContext, observed_at: datetime) -> Event:
    (power_kw, voltage_v, current_a), is_measured = _FEEDER.convert((record.kw, record.v, record.a))
    feeder = Feeder(power_kw=power_kw, voltage_v=voltage_v, current_a=current_a, status=record.status)
    asset_id = f"feeder.{check_name(record.feeder, what='feeder').removeprefix('feeder.')}"
    # A feeder that says that it is off has said something, even without a number.
    quality = None if is_measured or record.status != "on" else Quality.BAD
    return context.make_event(feeder, asset_id=asset_id, observed_at=observed_at, quality=quality)


def _to_outage(record: WireOutage, context: ParseContext, observed_at: datetime) -> Event:
    customers_count = to_count(record.customers)
    _check_part(record.customers_off, customers_count, "customers_off: more than customers")
    restore_at = None
    if isinstance(record.restore_at, datetime):
        restore_at = check_instant(record.restore_at, context.received_at + _FARTHEST_RESTORE, what="restore_at")
    outage = Outage(
        customers_off_count=record.customers_off,
        customers_count=customers_count,
        cause=record.cause or None,
        restore_at=restore_at,
    )
    return context.make_event(outage, asset_id=f"unit.{record.unit}", observed_at=observed_at)


def _check_part(part: int | None, whole: int | None, fault: str) -> None:
    if part is not None and whole is not None and part > whole:
        raise RefusedRecordError(fault)
