"""Air, water, rain and tide stations of the environmental network."""

from __future__ import annotations

from typing import Annotated, ClassVar

from ioc.domain.kinds.payload import Payload
from ioc.domain.quantities import Quantity


class AirReading(Payload, frozen=True, kw_only=True, array_like=True, tag="env.air.reading"):
    """One reading of an automatic air station; concentrations as means over the station's own period."""

    KIND: ClassVar[str] = "env.air.reading"
    ASSET_CLASS: ClassVar[str] = "sensor"

    pm25_ug_m3: Annotated[float | None, Quantity(unit="µg/m³", vi="Bụi PM2,5", en="PM2.5", low=0, high=2_000)] = None
    pm10_ug_m3: Annotated[float | None, Quantity(unit="µg/m³", vi="Bụi PM10", en="PM10", low=0, high=5_000)] = None
    so2_ug_m3: Annotated[float | None, Quantity(unit="µg/m³", vi="SO₂", en="SO₂", low=0, high=10_000)] = None
    no2_ug_m3: Annotated[float | None, Quantity(unit="µg/m³", vi="NO₂", en="NO₂", low=0, high=10_000)] = None
    o3_ug_m3: Annotated[float | None, Quantity(unit="µg/m³", vi="O₃", en="O₃", low=0, high=5_000)] = None
    co_ug_m3: Annotated[float | None, Quantity(unit="µg/m³", vi="CO", en="CO", low=0, high=200_000)] = None
    temp_celsius: Annotated[float | None, Quantity(unit="°C", vi="Nhiệt độ", en="Temperature", low=-40, high=60)] = None
    rh_pct: Annotated[float | None, Quantity(unit="%", vi="Độ ẩm", en="Relative humidity", low=0, high=100)] = None


class StationStatus(Payload, frozen=True, kw_only=True, array_like=True, tag="env.station.status"):
    """What an automatic station says of itself; ``status`` is ``ok``, ``maintenance``, ``fault`` or ``off``."""

    KIND: ClassVar[str] = "env.station.status"
    ASSET_CLASS: ClassVar[str] = "sensor"

    status: str
    battery_v: Annotated[float | None, Quantity(unit="V", vi="Ắc quy", en="Battery", low=0, high=60)] = None
    uptime_s: Annotated[
        float | None, Quantity(unit="s", vi="Thời gian chạy", en="Uptime", low=0, high=1_000_000_000)
    ] = None


class WaterLevel(Payload, frozen=True, kw_only=True, array_like=True, tag="env.water.level"):
    """Level of a river, reservoir or the sea above ``datum``, and the flow where it is gauged."""

    KIND: ClassVar[str] = "env.water.level"
    ASSET_CLASS: ClassVar[str] = "sensor"

    level_m: Annotated[float | None, Quantity(unit="m", vi="Mực nước", en="Water level", low=-50, high=500)] = None
    flow_m3_s: Annotated[float | None, Quantity(unit="m³/s", vi="Lưu lượng", en="Flow", low=0, high=50_000)] = None
    datum: str = "VN2000"


class Rain(Payload, frozen=True, kw_only=True, array_like=True, tag="env.rain"):
    """Rain of the last ``period_min`` minutes, up to the observation."""

    KIND: ClassVar[str] = "env.rain"
    ASSET_CLASS: ClassVar[str] = "sensor"

    rain_mm: Annotated[float | None, Quantity(unit="mm", vi="Lượng mưa", en="Rain", low=0, high=500)] = None
    period_min: Annotated[float, Quantity(unit="min", vi="Trong", en="Over", low=0, high=1_440)] = 10.0


class Tide(Payload, frozen=True, kw_only=True, array_like=True, tag="env.tide"):
    """Sea level at a tide gauge beside the level that the tide table predicts, both above ``datum``."""

    KIND: ClassVar[str] = "env.tide"
    ASSET_CLASS: ClassVar[str] = "sensor"

    level_m: Annotated[float | None, Quantity(unit="m", vi="Mực triều", en="Sea level", low=-10, high=20)] = None
    predicted_m: Annotated[
        float | None, Quantity(unit="m", vi="Triều dự báo", en="Predicted tide", low=-10, high=20)
    ] = None
    datum: str = "hải đồ"
