"""Observations, warnings and nowcasts of the meteorological service."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar

from ioc.domain.kinds.payload import Payload
from ioc.domain.quantities import Quantity


class WeatherObservation(Payload, frozen=True, kw_only=True, array_like=True, tag="met.obs"):
    """One observation of a weather station (WMO surface observation)."""

    KIND: ClassVar[str] = "met.obs"
    ASSET_CLASS: ClassVar[str] = "sensor"

    wind_m_s: Annotated[float | None, Quantity(unit="m/s", vi="Gió", en="Wind", low=0, high=120)] = None
    gust_m_s: Annotated[float | None, Quantity(unit="m/s", vi="Gió giật", en="Gust", low=0, high=150)] = None
    wind_dir_deg: Annotated[float | None, Quantity(unit="°", vi="Hướng gió", en="Wind direction", low=0, high=360)] = (
        None
    )
    visibility_m: Annotated[float | None, Quantity(unit="m", vi="Tầm nhìn", en="Visibility", low=0, high=160_000)] = (
        None
    )
    temp_celsius: Annotated[float | None, Quantity(unit="°C", vi="Nhiệt độ", en="Temperature", low=-40, high=60)] = None
    rh_pct: Annotated[float | None, Quantity(unit="%", vi="Độ ẩm", en="Relative humidity", low=0, high=100)] = None
    pressure_hpa: Annotated[float | None, Quantity(unit="hPa", vi="Khí áp", en="Pressure", low=800, high=1_100)] = None
    rain_1h_mm: Annotated[float | None, Quantity(unit="mm", vi="Mưa 1 giờ", en="Rain 1 h", low=0, high=500)] = None


class WeatherWarning(Payload, frozen=True, kw_only=True, array_like=True, tag="met.warning"):
    """A warning of the meteorological service for one area (fields after CAP 1.2 ``info``).

    The asset is the area (``area.<zone id>``); ``status`` is ``actual`` or ``cancel``.
    """

    KIND: ClassVar[str] = "met.warning"
    ASSET_CLASS: ClassVar[str] = "warning"

    warning_key: str
    hazard: str
    severity: str
    zone_id: str
    status: str
    onset_at: datetime
    expires_at: datetime
    headline_vi: str = ""
    headline_en: str = ""
    urgency: str = ""
    certainty: str = ""


class NowcastCell(Payload, frozen=True, kw_only=True, array_like=True, tag="met.nowcast_cell"):
    """A squall cell as radar sees it: its outline, where it goes, the gusts under it. The position is its centre."""

    KIND: ClassVar[str] = "met.nowcast_cell"
    ASSET_CLASS: ClassVar[str] = "cell"

    polygon_wkt: str
    valid_until: datetime
    gust_m_s: Annotated[float | None, Quantity(unit="m/s", vi="Gió giật", en="Gust", low=0, high=150)] = None
    move_dir_deg: Annotated[
        float | None, Quantity(unit="°", vi="Hướng di chuyển", en="Moves towards", low=0, high=360)
    ] = None
    move_m_s: Annotated[float | None, Quantity(unit="m/s", vi="Tốc độ di chuyển", en="Moves at", low=0, high=100)] = (
        None
    )
    reflectivity_dbz: Annotated[
        float | None, Quantity(unit="dBZ", vi="Phản hồi", en="Reflectivity", low=-30, high=90)
    ] = None
    status: str = "actual"
