"""What scenarios can make happen, and what each effect is told: checked by name, type and what the province has."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from geo.catalogue import load_places, load_stations, load_units, load_zones
from geo.installations import load_installations

FEEDS = (
    "air", "weather", "vessels", "border", "tourism", "units", "water", "traffic", "energy", "cameras", "tthc",
    "citizens", "networks", "registers", "passengers",
)  # fmt: skip
DATABASES = (
    "population", "land", "civil-status", "business", "insurance", "tax", "health", "education", "labour", "driving",
    "officials", "customs", "construction", "legal-texts",
)  # fmt: skip
"""The 14 national databases, by short names of ours."""
WIRE_FAULTS = (
    "gap", "duplicate", "out_of_order", "clock_skew", "stuck", "spike", "drift", "null", "zero", "broken", "disconnect",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that an effect is told; ``refuse`` gives the reason why a value is not usable, or nothing."""

    refuse: Callable[[Any], str]
    is_needed: bool = True


def _number(value: Any) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return "" if is_number else "must be a number"


def _text(value: Any) -> str:
    return "" if isinstance(value, str) and value else "must be a text"


def _numbers(value: Any) -> str:
    is_list = isinstance(value, list) and value and all(type(item) is int and item > 0 for item in value)
    return "" if is_list else "must be a list of boats' numbers, from 1"


def _share(value: Any) -> str:
    return _number(value) or ("" if 0 <= value <= 1 else "must lie between 0 and 1")


def _percent(value: Any) -> str:
    return _number(value) or ("" if 0 <= value <= 100 else "must lie between 0 and 100")


def _bearing(value: Any) -> str:
    return _number(value) or ("" if 0 <= value <= 360 else "must lie between 0 and 360")


def _one_of(*names: str) -> Callable[[Any], str]:
    return lambda value: "" if value in names else f"must be one of {', '.join(names)}"


def _known(what: str, names: Callable[[], frozenset[str]]) -> Callable[[Any], str]:
    return lambda value: "" if isinstance(value, str) and value in names() else f"there is no {what} {value!r}"


def _each(refuse: Callable[[Any], str]) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if not isinstance(value, list) or not value:
            return "must be a list"
        return "; ".join(filter(None, map(refuse, value)))

    return check


@cache
def _stations() -> frozenset[str]:
    return frozenset(station.asset_id for station in load_stations())


@cache
def _zones() -> frozenset[str]:
    return frozenset(zone.zone_id for zone in load_zones())


@cache
def _assets(kind: str) -> frozenset[str]:
    return frozenset(
        place.asset_id.partition(".")[2] for place in load_places() if place.kind == kind and place.asset_id is not None
    )


@cache
def _installations(kind: str) -> frozenset[str]:
    return frozenset(item.asset_id for item in load_installations(kind))


_station = _known("station", _stations)
_tide, _rain, _water = (_known(f"{kind} gauge", partial(_installations, kind)) for kind in ("tide", "rain", "water"))
_road = _known("road counter", partial(_installations, "road"))
_camera = _known("camera", partial(_installations, "camera"))
_unit = _known("unit", lambda: frozenset(unit.code for unit in load_units()))
_zone = _known("zone", _zones)
EFFECTS: Mapping[str, Mapping[str, Fact]] = {
    "air.episode": {"station": Fact(_station), "add_ug_m3": Fact(_number)},
    "air.silent": {"station": Fact(_station)},
    "air.status": {"station": Fact(_station), "status": Fact(_one_of("maintenance", "fault", "off"))},
    "weather.silent": {"station": Fact(_station)},
    "weather.wind": {
        "stations": Fact(_each(_station)), "wind_m_s": Fact(_number), "gust_m_s": Fact(_number),
        "rain_mm": Fact(_number, is_needed=False),
    },
    "weather.warning": {
        "id": Fact(_text), "hazard": Fact(_text), "severity": Fact(_text), "areas": Fact(_each(_zone)),
        "headline_vi": Fact(_text), "headline_en": Fact(_text), "lasts_minutes": Fact(_number, is_needed=False),
    },
    "weather.cell": {
        "id": Fact(_text), "lon": Fact(_number), "lat": Fact(_number), "radius_km": Fact(_number),
        "move_dir_deg": Fact(_bearing), "move_m_s": Fact(_number), "gust_m_s": Fact(_number),
        "dbz": Fact(_number, is_needed=False),
    },
    "vessels.silent": {
        "vessels": Fact(_numbers, is_needed=False), "area": Fact(_zone, is_needed=False),
        "count": Fact(_number, is_needed=False),
    },
    "vessels.seek_shelter": {"share": Fact(_share)},
    "vessels.trip": {"vessel": Fact(_number)},
    "vessels.sos": {"vessel": Fact(_number), "cause": Fact(_text)},
    "ports.no_manifest": {"share": Fact(_share)},
    "ports.mismatch": {"share": Fact(_share)},
    "passengers.surge": {"gate": Fact(_one_of("bac-luan-1", "bac-luan-2")), "times": Fact(_number)},
    "tourism.crowd": {"site": Fact(_known("site", lambda: _assets("crowd_site"))), "density_p_m2": Fact(_number)},
    "border.queue": {
        "gate": Fact(_known("gate", lambda: _assets("border_gate"))), "vehicles": Fact(_number),
        "perishable_min": Fact(_number, is_needed=False),
    },
    "border.lane_closed": {
        "gate": Fact(_known("gate", lambda: _assets("border_gate"))), "lane": Fact(_one_of(*"123456")),
    },
    "border.gate_closed": {
        "gate": Fact(_known("gate", lambda: _assets("border_gate"))),
        "reason": Fact(_one_of("works", "weather", "systems", "congestion", "order", "other")),
    },
    "traffic.jam": {"counters": Fact(_each(_road)), "speed_km_h": Fact(_number)},
    "traffic.incident": {
        "id": Fact(_text), "counter": Fact(_road), "category": Fact(_text),
        "severity": Fact(_one_of("minor", "major", "critical")), "lanes_closed": Fact(_number, is_needed=False),
    },
    "energy.outage": {
        "units": Fact(_each(_unit)), "share": Fact(_share), "cause": Fact(_text, is_needed=False),
    },
    "camera.failure": {
        "cameras": Fact(_each(_camera)), "status": Fact(_one_of("offline", "degraded"), is_needed=False),
    },
    "camera.sees": {
        "camera": Fact(_camera), "label": Fact(_text), "objects": Fact(_number, is_needed=False),
        "confidence": Fact(_share, is_needed=False),
    },
    "water.rise": {"station": Fact(_water), "add_m": Fact(_number)},
    "water.rain": {"stations": Fact(_each(_rain)), "mm_h": Fact(_number)},
    "tide.surge": {"add_m": Fact(_number), "stations": Fact(_each(_tide), is_needed=False)},
    "tthc.slow": {"share": Fact(_share)},
    "cyber.incident": {
        "id": Fact(_text), "severity": Fact(_one_of("low", "medium", "high", "critical")), "category": Fact(_text),
        "links": Fact(_each(_unit), is_needed=False),
    },
    "network.down": {"units": Fact(_each(_unit), is_needed=False), "share": Fact(_share, is_needed=False)},
    "ndb.errors": {"database": Fact(_one_of(*DATABASES)), "error_pct": Fact(_percent)},
    "wire.fault": {
        "feed": Fact(_one_of(*FEEDS)), "kind": Fact(_one_of(*WIRE_FAULTS)), "share": Fact(_share, is_needed=False),
        "asset": Fact(_text, is_needed=False), "field": Fact(_text, is_needed=False),
        "by": Fact(_number, is_needed=False),
    },
}  # fmt: skip
"""Every effect with what it is told."""
