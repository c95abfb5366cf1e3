"""Air readings and states to events: µg/m³, °C and %, "not available" codes taken out, stations placed by inventory."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from connectors.feed import Form, ParseContext
from connectors.feeds.air.uci_501 import parse_uci_501
from connectors.records import RecordReader
from connectors.values import Measured, Measures, RefusedRecordError, check_instant, check_name
from ioc.domain.events import Event, Parsed
from ioc.domain.ids import event_id
from ioc.domain.kinds import KINDS, AirReading, StationStatus
from ioc.domain.quantities import Quality

KIND = AirReading.KIND
MEASURES = Measures(
    KINDS[KIND],
    (
        "pm25_ug_m3",
        "pm10_ug_m3",
        "so2_ug_m3",
        "no2_ug_m3",
        "o3_ug_m3",
        "co_ug_m3",
        "temp_celsius",
        "rh_pct",
    ),
)
_STATUS = Measures(KINDS[StationStatus.KIND], ("battery_v", "uptime_s"))


class WireReading(msgspec.Struct, kw_only=True, gc=False):
    """One reading as stations send it. Concentrations in µg/m³ (also CO), ``temp`` in °C, ``rh`` in %."""

    station: str
    time: Annotated[datetime, msgspec.Meta(tz=True)]
    pm25: Measured = msgspec.UNSET
    pm10: Measured = msgspec.UNSET
    so2: Measured = msgspec.UNSET
    no2: Measured = msgspec.UNSET
    o3: Measured = msgspec.UNSET
    co: Measured = msgspec.UNSET
    temp: Measured = msgspec.UNSET
    rh: Measured = msgspec.UNSET


class WireStatus(msgspec.Struct, kw_only=True):
    """What a station says of itself: V of its battery, seconds since it started."""

    type: Literal["status"]
    station: str
    time: Annotated[datetime, msgspec.Meta(tz=True)]
    status: Literal["ok", "maintenance", "fault", "off"]
    battery_v: Measured = msgspec.UNSET
    uptime_s: Measured = msgspec.UNSET


Wire = WireReading | WireStatus
READER: RecordReader[Wire] = RecordReader({None: WireReading, "status": WireStatus}, quick=WireReading)


def parse(payload: bytes, context: ParseContext) -> Parsed:
    """Parse a body of readings: a JSON list or object, NDJSON, or a file in the layout of UCI data set 501.

    Raises:
        MalformedPayloadError: nothing in the payload can be read.
    """
    if context.form is Form.UCI_501:
        return parse_uci_501(payload, context)
    if context.form is Form.CSV:
        latest_at = context.latest_at
        return READER.parse(payload, context, lambda record, _: [to_event(record, context, latest_at)])
    reading = READER.read(payload, lines=context.form is Form.NDJSON)
    events: list[Event] = []
    rejected = reading.rejected
    latest_at = context.latest_at
    for ordinal, record in enumerate(reading.records):
        try:
            events.append(to_event(record, context, latest_at))
        except RefusedRecordError as refusal:
            rejected.append(reading.reject(ordinal, str(refusal)))
    return Parsed(events=events, rejected=rejected)


def to_event(record: Wire, context: ParseContext, latest_at: datetime) -> Event:
    """Make the event of one reading or state.

    Raises:
        RefusedRecordError: time, station name or a value cannot be true.
    """
    if isinstance(record, WireStatus):
        return _to_status(record, context, latest_at)
    station, time, *wire = msgspec.structs.astuple(record)
    observed_at = check_instant(time, latest_at)
    asset_id = station if station.startswith("air.") else f"air.{station}"
    known = context.stations.get(asset_id)
    if known is None:
        check_name(asset_id, what="station")
    values, found = MEASURES.convert(tuple(wire))
    pm25, pm10, so2, no2, o3, co, temp, rh = values
    return Event(
        event_id=event_id(context.feed_id, asset_id, observed_at, KIND),
        feed_id=context.feed_id,
        asset_id=asset_id,
        observed_at=observed_at,
        received_at=context.received_at,
        data=AirReading(
            pm25_ug_m3=pm25,
            pm10_ug_m3=pm10,
            so2_ug_m3=so2,
            no2_ug_m3=no2,
            o3_ug_m3=o3,
            co_ug_m3=co,
            temp_celsius=temp,
            rh_pct=rh,
        ),
        lon_deg=None if known is None else known.lon_deg,
        lat_deg=None if known is None else known.lat_deg,
        unit_code=None if known is None else known.unit_code,
        quality=Quality.BAD if not found else Quality.UNCERTAIN if known is None else Quality.GOOD,
    )


def _to_status(record: WireStatus, context: ParseContext, latest_at: datetime) -> Event:
    station = record.station
    asset_id = check_name(station if station.startswith("air.") else f"air.{station}", what="station")
    (battery_v, uptime_s), _ = _STATUS.convert((record.battery_v, record.uptime_s))
    return context.make_event(
        StationStatus(status=record.status, battery_v=battery_v, uptime_s=uptime_s),
        asset_id=asset_id,
        observed_at=check_instant(record.time, latest_at),
    )
