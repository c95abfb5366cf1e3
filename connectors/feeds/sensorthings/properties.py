"""Observed properties by the names that servers give them, and the fields of ours that they are."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ioc.domain.kinds import KINDS, AirReading, Payload, WaterLevel, WeatherObservation

_PAYLOADS: tuple[type[Payload], ...] = (WeatherObservation, WaterLevel, AirReading)
PREFIXES: Mapping[type[Payload], str] = {WeatherObservation: "met", WaterLevel: "water", AirReading: "air"}

KIND_OF_FIELD: Mapping[str, type[Payload]] = {
    f"{payload.KIND}/{name}": payload for payload in _PAYLOADS for name in KINDS[payload.KIND].quantities
}
"""Fields of ours, written ``kind/quantity``: temperature is one of a weather station and one of an air station."""

_NAMES: Mapping[str, str] = {
    "pm25": "env.air.reading/pm25_ug_m3",
    "pm10": "env.air.reading/pm10_ug_m3",
    "so2": "env.air.reading/so2_ug_m3",
    "sulfurdioxide": "env.air.reading/so2_ug_m3",
    "no2": "env.air.reading/no2_ug_m3",
    "nitrogendioxide": "env.air.reading/no2_ug_m3",
    "o3": "env.air.reading/o3_ug_m3",
    "ozone": "env.air.reading/o3_ug_m3",
    "co": "env.air.reading/co_ug_m3",
    "carbonmonoxide": "env.air.reading/co_ug_m3",
    "temperature": "met.obs/temp_celsius",
    "airtemperature": "met.obs/temp_celsius",
    "humidity": "met.obs/rh_pct",
    "relativehumidity": "met.obs/rh_pct",
    "windspeed": "met.obs/wind_m_s",
    "windgust": "met.obs/gust_m_s",
    "winddirection": "met.obs/wind_dir_deg",
    "visibility": "met.obs/visibility_m",
    "pressure": "met.obs/pressure_hpa",
    "airpressure": "met.obs/pressure_hpa",
    "atmosphericpressure": "met.obs/pressure_hpa",
    "barometricpressure": "met.obs/pressure_hpa",
    "waterlevel": "env.water.level/level_m",
    "gageheight": "env.water.level/level_m",
    "gaugeheight": "env.water.level/level_m",
    "discharge": "env.water.level/flow_m3_s",
    "streamflow": "env.water.level/flow_m3_s",
}


def find_field(name: str, own: Mapping[str, str]) -> str | None:
    """Give the field that an observed property is, None where we have none: the deployment's list comes first."""
    return own.get(name) or _NAMES.get(re.sub(r"[^a-z0-9]", "", name.lower()))


def to_quantity(name: str) -> str:
    """Write the name of a property as quantities are: ``Sound Level`` → ``sound_level``."""
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return re.sub(r"[^a-z0-9_]+", "_", text).strip("_")[:64] or "value"
