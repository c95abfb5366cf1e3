"""Levels, rain and tides to events: m above the gauge's datum, m³/s, mm of rain over a stated period."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from connectors.feed import ParseContext
from connectors.records import RecordReader
from connectors.values import Measured, Measures, RefusedRecordError, check_instant, check_name
from ioc.domain.events import Event, Parsed
from ioc.domain.kinds import KINDS, Rain, Tide, WaterLevel
from ioc.domain.quantities import Quality

_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_Station = Annotated[str, msgspec.Meta(max_length=64)]
_Datum = Annotated[str, msgspec.Meta(pattern=r"^([A-Z][A-Z0-9]{1,11}(-[A-Z0-9]{1,8})?|hải đồ)$")]
"""Name of a level of reference, in capitals; or chart datum."""

_LEVEL = Measures(KINDS[WaterLevel.KIND], ("level_m", "flow_m3_s"))
_RAIN = Measures(KINDS[Rain.KIND], ("rain_mm", "period_min"))
_TIDE = Measures(KINDS[Tide.KIND], ("level_m", "predicted_m"))


class WireLevel(msgspec.Struct, kw_only=True, gc=False, tag="level"):
    """Level of a river or reservoir in m above ``datum``, flow in m³/s."""

    station: _Station
    time: _Instant
    level_m: Measured = msgspec.UNSET
    flow_m3s: Measured = msgspec.UNSET
    datum: _Datum | msgspec.UnsetType = msgspec.UNSET


class WireRain(msgspec.Struct, kw_only=True, gc=False, tag="rain"):
    """Rain in mm over the ``period_min`` minutes before ``time``."""

    station: _Station
    time: _Instant
    rain_mm: Measured = msgspec.UNSET
    period_min: Measured = msgspec.UNSET


class WireTide(msgspec.Struct, kw_only=True, gc=False, tag="tide"):
    """Level of the sea and what the tide table says, both in m above ``datum``."""

    station: _Station
    time: _Instant
    level_m: Measured = msgspec.UNSET
    predicted_m: Measured = msgspec.UNSET
    datum: _Datum | msgspec.UnsetType = msgspec.UNSET


Wire = WireLevel | WireRain | WireTide
READER: RecordReader[Wire] = RecordReader({"level": WireLevel, "rain": WireRain, "tide": WireTide}, quick=Wire)


def parse(payload: bytes, context: ParseContext) -> Parsed:
    """Parse a body of levels, rain and tides.

    Raises:
        MalformedPayloadError: nothing in it can be read.
    """
    return READER.parse(payload, context, to_events)


def to_events(record: Wire, context: ParseContext) -> list[Event]:
    """Make the event of one record.

    Raises:
        RefusedRecordError: time, station or a value cannot be true.
    """
    observed_at = check_instant(record.time, context.latest_at)
    data: WaterLevel | Rain | Tide
    if isinstance(record, WireLevel):
        asset_id = _to_asset(record.station, "water.")
        (level_m, flow_m3_s), is_measured = _LEVEL.convert((record.level_m, record.flow_m3s))
        data = WaterLevel(level_m=level_m, flow_m3_s=flow_m3_s, datum=record.datum or "VN2000")
    elif isinstance(record, WireRain):
        asset_id = _to_asset(record.station, "rain.")
        (rain_mm, period_min), _ = _RAIN.convert((record.rain_mm, record.period_min))
        if not period_min:
            # Rain without its period cannot be summed with other rain: no number is better than a wrong one.
            raise RefusedRecordError("period_min: must be more than 0")
        data, is_measured = Rain(rain_mm=rain_mm, period_min=period_min), rain_mm is not None
    else:
        asset_id = _to_asset(record.station, "tide.")
        (level_m, predicted_m), _ = _TIDE.convert((record.level_m, record.predicted_m))
        data = Tide(level_m=level_m, predicted_m=predicted_m, datum=record.datum or "hải đồ")
        is_measured = level_m is not None
    quality = None if is_measured else Quality.BAD
    return [context.make_event(data, asset_id=asset_id, observed_at=observed_at, quality=quality)]


def _to_asset(station: str, prefix: str) -> str:
    return check_name(station if station.startswith(prefix) else prefix + station, what="station")
