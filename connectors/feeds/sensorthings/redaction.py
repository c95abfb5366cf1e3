"""Dead letters of SensorThings without names and notes of people: what is not needed to read them again is dropped."""

from __future__ import annotations

import json
import re
from typing import Any

_KEPT = frozenset(
    {
        *("result", "phenomenonTime", "resultTime", "@iot.id", "@iot.selfLink", "Datastream", "dataArray"),
        *("Datastream@iot.navigationLink", "unitOfMeasurement", "symbol", "ObservedProperty", "name", "Thing"),
        *("Locations", "location", "FeatureOfInterest", "feature", "geometry", "type", "coordinates"),
    }
)
_NAMED = frozenset({"ObservedProperty", "Datastream"})
"""Entities whose name says what is measured; the name of a thing or a place may be somebody's."""

_WORD = re.compile(r"[\w .,:/()%°µ³²^+*'\[\]-]{1,64}")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT[0-9TZ:.+/-]{4,60}")
_LINK = re.compile(r"[A-Za-z0-9._~:/()%'-]{1,200}")
_RAW = re.compile(rb"[^\W_]+|[^\x00-\x7f]+")


def redact(raw: bytes, pseudonym_key: bytes) -> bytes:
    """Keep of a refused observation its numbers, times, units, places and links."""
    try:
        entity = json.loads(raw)
    except (ValueError, RecursionError):
        return _RAW.sub(lambda found: b"x" * len(found[0]), raw)
    return json.dumps(_prune(entity, "", 0)).encode()


def _prune(value: Any, holder: str, depth: int, key: str = "") -> Any:
    if depth > 8:
        return "x"
    if isinstance(value, dict):
        return {
            name: _prune(inside, name if isinstance(inside, dict | list) else holder, depth + 1, name)
            for name, inside in value.items()
            if name in _KEPT and (name != "name" or holder in _NAMED)
        }
    if isinstance(value, list):
        return [_prune(inside, holder, depth + 1, key) for inside in value[:100]]
    if isinstance(value, str) and key in ("phenomenonTime", "resultTime"):
        return value if _INSTANT.fullmatch(value) else "x"
    if isinstance(value, str) and key in ("Datastream@iot.navigationLink", "@iot.selfLink", "@iot.id"):
        return value if _LINK.fullmatch(value) else "x"
    if isinstance(value, str):
        return value if key not in ("", "result", "dataArray") and _WORD.fullmatch(value) else "x"
    return value
