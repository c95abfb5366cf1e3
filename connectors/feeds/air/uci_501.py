"""Hourly CSV of the layout of UCI data set 501 (Beijing): µg/m³, °C, times in UTC+8, dew point instead of humidity."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

from connectors.feed import ParseContext
from connectors.tables import keep_row, read_rows
from connectors.values import Measures, RefusedRecordError, check_instant, check_name, to_relative_humidity_pct
from ioc.domain.events import Event, Parsed, Rejected
from ioc.domain.kinds import KINDS, AirReading
from ioc.domain.quantities import Quality

BEIJING_TIME = timezone(timedelta(hours=8))
NEEDS = frozenset(
    {"year", "month", "day", "hour", "station", "PM2.5", "PM10", "SO2", "NO2", "CO", "O3", "TEMP", "DEWP"}
)
MEASURES = Measures(
    KINDS[AirReading.KIND],
    ("pm25_ug_m3", "pm10_ug_m3", "so2_ug_m3", "no2_ug_m3", "o3_ug_m3", "co_ug_m3", "temp_celsius", "rh_pct"),
)
_COLUMNS = ("PM2.5", "PM10", "SO2", "NO2", "O3", "CO", "TEMP")


def parse_uci_501(payload: bytes, context: ParseContext) -> Parsed:
    """Parse a CSV file or a part of it that begins with the header line.

    Raises:
        MalformedPayloadError: the header lacks a column.
    """
    events: list[Event] = []
    rejected: list[Rejected] = []
    latest_at = context.latest_at
    for row in read_rows(payload, needs=NEEDS):
        try:
            if row.cells is None:
                raise RefusedRecordError("the row does not fit the header")
            events.append(_to_event(row.cells, context, latest_at))
        except RefusedRecordError as refusal:
            rejected.append(Rejected(raw=keep_row(payload, row.line), reason=str(refusal), index=row.ordinal))
    return Parsed(events=events, rejected=rejected)


def _to_event(cells: dict[str, str], context: ParseContext, latest_at: datetime) -> Event:
    observed_at = check_instant(_to_instant(cells), latest_at)
    station = check_name(cells["station"], what="station")
    asset_id = f"air.{station.lower()}"
    wire = [_to_wire(cells[name], name) for name in _COLUMNS]
    wire.append(to_relative_humidity_pct(wire[-1], _to_wire(cells["DEWP"], "DEWP")))
    values, found = MEASURES.convert(tuple(wire))
    return context.make_event(
        AirReading(**dict(zip(MEASURES.names, values, strict=True))),
        asset_id=asset_id,
        observed_at=observed_at,
        quality=None if found else Quality.BAD,
    )


def _to_instant(cells: dict[str, str]) -> datetime:
    try:
        parts = [int(cells[name]) for name in ("year", "month", "day", "hour")]
        return datetime(*parts, tzinfo=BEIJING_TIME).astimezone(UTC)  # type: ignore[misc, arg-type]
    except (ValueError, OverflowError) as error:
        raise RefusedRecordError(f"time: {error}") from error


def _to_wire(text: str, name: str) -> float | None:
    if text in ("", "NA", "-"):
        return None
    try:
        value = float(text)
    except ValueError as error:
        raise RefusedRecordError(f"{name}: not a number") from error
    if not math.isfinite(value):
        raise RefusedRecordError(f"{name}: not a finite number")
    return value
