"""Observations, warnings and cells to events: m/s, m, °C, %, hPa, mm; one event for each area that a warning names."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal

import msgspec

from connectors.feed import Form, ParseContext
from connectors.feeds.weather.cap import CapReader
from connectors.feeds.weather.noaa_isd import MEASURES, parse_noaa_isd
from connectors.feeds.weather.nowcast import WireCell, to_cell
from connectors.records import RecordReader
from connectors.values import Measured, RefusedRecordError, check_instant, check_name
from ioc.domain.events import Event, Parsed
from ioc.domain.kinds import WeatherObservation, WeatherWarning
from ioc.domain.quantities import Quality

_FARTHEST_WARNING = timedelta(days=30)
_Word = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_Headline = Annotated[str, msgspec.Meta(max_length=500, pattern=r"\A[^\x00]*\Z")]


class WireObservation(msgspec.Struct, kw_only=True, gc=False):
    """One observation as stations send it."""

    station: str
    time: _Instant
    type: Literal["obs"] | msgspec.UnsetType = msgspec.UNSET
    wind_ms: Measured = msgspec.UNSET
    gust_ms: Measured = msgspec.UNSET
    dir: Measured = msgspec.UNSET
    vis_m: Measured = msgspec.UNSET
    temp: Measured = msgspec.UNSET
    rh: Measured = msgspec.UNSET
    pressure_hpa: Measured = msgspec.UNSET
    rain_1h_mm: Measured = msgspec.UNSET


class WireWarning(msgspec.Struct, kw_only=True):
    """One warning. ``time`` says when it was issued; without it a warning counts as issued when it arrived."""

    type: Literal["warning"]
    id: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$")]
    hazard: _Word
    severity: _Word
    areas: Annotated[list[str], msgspec.Meta(min_length=1, max_length=64)]
    onset: _Instant
    expires: _Instant
    status: Literal["actual", "cancel"] = "actual"
    time: _Instant | None = None
    headline_vi: _Headline = ""
    headline_en: _Headline = ""


Wire = WireObservation | WireWarning | WireCell
READER: RecordReader[Wire] = RecordReader(
    {None: WireObservation, "obs": WireObservation, "warning": WireWarning, "cell": WireCell}, quick=WireObservation
)


class WeatherParser:
    """Parses observations and warnings, CAP messages, and files in the layout of NOAA's Integrated Surface Database."""

    def __init__(self, isd_station: str) -> None:
        self._isd_station = isd_station
        self._cap = CapReader()

    def __call__(self, payload: bytes, context: ParseContext) -> Parsed:
        """Parse a payload.

        Raises:
            MalformedPayloadError: nothing in it can be read.
        """
        if context.form is Form.NOAA_ISD:
            return parse_noaa_isd(payload, context, station=self._isd_station)
        if context.form is Form.CAP:
            return self._cap.parse(payload, context)
        return READER.parse(payload, context, to_events)


def to_events(record: Wire, context: ParseContext) -> list[Event]:
    """Make the events of one record: one for an observation or a cell, one per area for a warning.

    Raises:
        RefusedRecordError: a time, a name or a value cannot be true.
    """
    if isinstance(record, WireWarning):
        return _to_warnings(record, context)
    if isinstance(record, WireCell):
        return [to_cell(record, context)]
    station, time, _, *wire = msgspec.structs.astuple(record)
    asset_id = station if station.startswith("met.") else f"met.{station}"
    check_name(asset_id, what="station")
    values, found = MEASURES.convert(tuple(wire))
    event = context.make_event(
        WeatherObservation(**dict(zip(MEASURES.names, values, strict=True))),
        asset_id=asset_id,
        observed_at=check_instant(time, context.latest_at),
        quality=None if found else Quality.BAD,
    )
    return [event]


def _to_warnings(record: WireWarning, context: ParseContext) -> list[Event]:
    farthest_at = context.received_at + _FARTHEST_WARNING
    onset_at = check_instant(record.onset, farthest_at, what="onset")
    expires_at = check_instant(record.expires, farthest_at, what="expires")
    if expires_at <= onset_at:
        raise RefusedRecordError("expires: not after onset")
    issued_at = context.received_at if record.time is None else check_instant(record.time, context.latest_at)
    return [
        context.make_event(
            WeatherWarning(
                warning_key=record.id,
                hazard=record.hazard,
                severity=record.severity,
                zone_id=check_name(area, what="areas"),
                status=record.status,
                onset_at=onset_at,
                expires_at=expires_at,
                headline_vi=record.headline_vi,
                headline_en=record.headline_en,
            ),
            asset_id=f"area.{area}",
            observed_at=issued_at,
            source_key=f"{record.id}/{area}/{record.status}",
            is_fixed=False,
        )
        for area in dict.fromkeys(record.areas)
    ]
