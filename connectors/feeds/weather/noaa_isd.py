"""CSV of NOAA's Integrated Surface Database: coded fields with their own scale, "missing" code and quality code."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from connectors.feed import ParseContext
from connectors.tables import keep_row, read_rows
from connectors.values import Measures, RefusedRecordError, check_instant, check_name, to_relative_humidity_pct
from ioc.domain.events import Event, Parsed, Rejected
from ioc.domain.kinds import KINDS, WeatherObservation
from ioc.domain.quantities import Quality

MEASURES = Measures(
    KINDS[WeatherObservation.KIND],
    (
        "wind_m_s",
        "gust_m_s",
        "wind_dir_deg",
        "visibility_m",
        "temp_celsius",
        "rh_pct",
        "pressure_hpa",
        "rain_1h_mm",
    ),
)
NEEDS = frozenset({"DATE", "WND", "VIS", "TMP"})
_SUSPECT = frozenset("26")
_WRONG = frozenset("37")


class _Code(NamedTuple):
    """Where a value stands in a coded field: column, parts of value and quality, divisor, code for "missing"."""

    column: str
    part: int
    quality_part: int
    divisor: float
    missing: str


# Federal Climate Complex, data documentation of ISD: wind m/s·10, temperatures °C·10, pressure hPa·10.
_DIRECTION = _Code("WND", 0, 1, 1, "999")
_WIND = _Code("WND", 3, 4, 10, "9999")
_GUST = _Code("OC1", 0, 1, 10, "9999")
_VISIBILITY = _Code("VIS", 0, 1, 1, "999999")
_TEMP = _Code("TMP", 0, 1, 10, "9999")
_DEW_POINT = _Code("DEW", 0, 1, 10, "9999")
_PRESSURE = _Code("SLP", 0, 1, 10, "99999")
_RAIN = _Code("AA1", 1, 3, 10, "9999")


def parse_noaa_isd(payload: bytes, context: ParseContext, *, station: str) -> Parsed:
    """Parse a CSV file or a part of it that begins with the header line; times are UTC.

    ``station`` names the asset where the file has no column STATION.

    Raises:
        MalformedPayloadError: the header lacks a column.
    """
    events: list[Event] = []
    rejected: list[Rejected] = []
    for row in read_rows(payload, needs=NEEDS):
        try:
            if row.cells is None:
                raise RefusedRecordError("the row does not fit the header")
            events.append(_to_event(row.cells, context, station))
        except RefusedRecordError as refusal:
            rejected.append(Rejected(raw=keep_row(payload, row.line), reason=str(refusal), index=row.ordinal))
    return Parsed(events=events, rejected=rejected)


def _to_event(cells: dict[str, str], context: ParseContext, station: str) -> Event:
    asset_id = f"met.{check_name(cells['STATION'], what='STATION')}" if cells.get("STATION") else station
    try:
        at = datetime.fromisoformat(cells["DATE"])
    except ValueError as error:
        raise RefusedRecordError("DATE: not a time") from error
    observed_at = check_instant(at.replace(tzinfo=UTC) if at.tzinfo is None else at, context.latest_at, what="DATE")
    doubts: set[Quality] = set()
    temp = _decode(cells, _TEMP, doubts)
    dew_point = _decode(cells, _DEW_POINT, doubts)
    is_hourly_rain = cells.get("AA1", "").startswith("01,")
    values, found = MEASURES.convert(
        (
            _decode(cells, _WIND, doubts),
            _decode(cells, _GUST, doubts),
            _decode(cells, _DIRECTION, doubts),
            _decode(cells, _VISIBILITY, doubts),
            temp,
            to_relative_humidity_pct(temp, dew_point),
            _decode(cells, _PRESSURE, doubts),
            _decode(cells, _RAIN, doubts) if is_hourly_rain else None,
        )
    )
    return context.make_event(
        WeatherObservation(**dict(zip(MEASURES.names, values, strict=True))),
        asset_id=asset_id,
        observed_at=observed_at,
        quality=max(doubts, default=None) if found else Quality.BAD,
    )


def _decode(cells: dict[str, str], code: _Code, doubts: set[Quality]) -> float | None:
    """Give one value of a coded field, None where it is missing or marked wrong; note it where it is marked suspect."""
    field = cells.get(code.column, "")
    if not field:
        return None
    parts = field.split(",")
    if len(parts) <= max(code.part, code.quality_part):
        raise RefusedRecordError(f"{code.column}: {len(parts)} parts are too few")
    text = parts[code.part].removeprefix("+")
    if text == code.missing:
        return None
    if parts[code.quality_part] in _WRONG:
        doubts.add(Quality.UNCERTAIN)
        return None
    if parts[code.quality_part] in _SUSPECT:
        doubts.add(Quality.UNCERTAIN)
    if not text.removeprefix("-").isdecimal():
        raise RefusedRecordError(f"{code.column}: not a number")
    return float(text) / code.divisor
