"""Units as sources write them, codes of UN/CEFACT Recommendation 20 or symbols, and how they become our units."""

from __future__ import annotations

from collections.abc import Mapping

_TO: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "µg/m³": {"GQ": (1, 0), "GP": (1_000, 0)},
    "%": {"P1": (1, 0), "C62": (100, 0)},
    "°C": {"CEL": (1, 0), "KEL": (1, -273.15), "FAH": (5 / 9, -160 / 9)},
    "m/s": {"MTS": (1, 0), "KMH": (1 / 3.6, 0), "KNT": (0.514444, 0)},
    "km/h": {"KMH": (1, 0), "MTS": (3.6, 0), "KNT": (1.852, 0)},
    "kn": {"KNT": (1, 0), "KMH": (1 / 1.852, 0), "MTS": (3.6 / 1.852, 0)},
    "m": {"MTR": (1, 0), "CMT": (0.01, 0), "MMT": (0.001, 0), "KMT": (1_000, 0)},
    "mm": {"MMT": (1, 0), "CMT": (10, 0), "MTR": (1_000, 0)},
    "m³/s": {"MQS": (1, 0), "G51": (0.001, 0)},
    "hPa": {"A97": (1, 0), "MBR": (1, 0), "PAL": (0.01, 0), "KPA": (10, 0)},
    "°": {"DD": (1, 0), "C81": (57.29577951308232, 0)},
    "kW": {"KWT": (1, 0), "WTT": (0.001, 0), "MAW": (1_000, 0)},
    "V": {"VLT": (1, 0), "KVT": (1_000, 0), "2Z": (0.001, 0)},
    "A": {"AMP": (1, 0), "4K": (0.001, 0)},
    "s": {"SEC": (1, 0), "C26": (0.001, 0), "MIN": (60, 0), "HUR": (3_600, 0), "DAY": (86_400, 0)},
    "ms": {"C26": (1, 0), "SEC": (1_000, 0)},
    "min": {"MIN": (1, 0), "SEC": (1 / 60, 0), "HUR": (60, 0), "DAY": (1_440, 0)},
    "t": {"TNE": (1, 0), "KGM": (0.001, 0)},
}
"""Our unit → the source's code → factor and offset, applied as ``value × factor + offset``."""

_SYMBOLS: Mapping[str, str] = {
    "ug/m3": "GQ", "mg/m3": "GP", "%": "P1", "percent": "P1", "1": "C62", "ratio": "C62",
    "°c": "CEL", "degc": "CEL", "c": "CEL", "cel": "CEL", "k": "KEL", "°f": "FAH", "degf": "FAH", "[degf]": "FAH",
    "m/s": "MTS", "km/h": "KMH", "kmh": "KMH", "kn": "KNT", "kt": "KNT", "knot": "KNT", "[kn_i]": "KNT",
    "m": "MTR", "cm": "CMT", "mm": "MMT", "km": "KMT", "m3/s": "MQS", "l/s": "G51",
    "hpa": "A97", "mbar": "MBR", "pa": "PAL", "kpa": "KPA", "°": "DD", "deg": "DD", "rad": "C81",
    "w": "WTT", "kw": "KWT", "v": "VLT", "kv": "KVT", "a": "AMP",
    "s": "SEC", "ms": "C26", "min": "MIN", "h": "HUR", "d": "DAY", "t": "TNE", "kg": "KGM",
}  # fmt: skip
"""Symbols of the SI and of UCUM, in small letters. Only where small letters cannot be mistaken; see ``_EXACT``."""

_EXACT: Mapping[str, str] = {"MW": "MAW", "mV": "2Z", "mA": "4K"}
"""Symbols in which the case tells mega from milli; they are looked up as they stand, and no other way."""

_ASK_EXACT = frozenset(symbol.lower() for symbol in _EXACT)

_PLAIN = str.maketrans({"µ": "u", "μ": "u", "³": "3", "²": "2", "^": "", " ": "", "*": "", "º": "°", "℃": ""})


def convert(value: float, code: str, unit: str) -> float | None:
    """Convert a value from a unit, a code or a symbol, to one of ours; None where no way leads there.

    A code of Recommendation 20 comes before a symbol that reads the same.
    """
    written = code.strip()
    if written == unit:
        return value
    ways = _TO.get(unit, {})
    found = ways.get(written) or ways.get(_to_code(written))
    if found is None or found == (1, 0):
        return None if found is None else value
    # 1 215.5 cm are 12.155 m and not 12.155000000000001: no instrument gives twelve digits.
    return float(f"{value * found[0] + found[1]:.12g}")


def _to_code(written: str) -> str:
    if written.lower() in _ASK_EXACT:
        return _EXACT.get(written, "")
    if "℃" in written:
        return "CEL"
    return _SYMBOLS.get(written.translate(_PLAIN).lower(), "")
