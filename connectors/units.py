"""Unit codes of UN/CEFACT Recommendation 20, as far as sources write them, and how they become our units."""

from __future__ import annotations

from collections.abc import Mapping

_TO: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "µg/m³": {"GQ": (1, 0), "GP": (1_000, 0)},
    "%": {"P1": (1, 0), "C62": (100, 0)},
    "°C": {"CEL": (1, 0), "KEL": (1, -273.15), "FAH": (5 / 9, -160 / 9)},
    "m/s": {"MTS": (1, 0), "KMH": (1 / 3.6, 0), "KNT": (0.514444, 0)},
    "km/h": {"KMH": (1, 0), "MTS": (3.6, 0), "KNT": (1.852, 0)},
    "m": {"MTR": (1, 0), "CMT": (0.01, 0), "MMT": (0.001, 0), "KMT": (1_000, 0)},
    "mm": {"MMT": (1, 0), "CMT": (10, 0), "MTR": (1_000, 0)},
    "m³/s": {"MQS": (1, 0)},
    "hPa": {"A97": (1, 0), "PAL": (0.01, 0), "KPA": (10, 0)},
    "°": {"DD": (1, 0), "C81": (57.29577951308232, 0)},
    "kW": {"KWT": (1, 0), "WTT": (0.001, 0)},
    "V": {"VLT": (1, 0), "KVT": (1_000, 0)},
}
"""Our unit → the source's code → factor and offset, applied as ``value × factor + offset``."""


def convert(value: float, code: str, unit: str) -> float | None:
    """Convert a value from a unit code to one of our units; None where there is no way from one to the other."""
    found = _TO.get(unit, {}).get(code)
    return None if found is None else value * found[0] + found[1]
