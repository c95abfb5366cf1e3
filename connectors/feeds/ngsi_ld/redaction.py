"""What of an entity may be about somebody, and dead letters without it."""

from __future__ import annotations

import json
import re
from typing import Any

from connectors.pseudonym import to_pseudonym

TIMES = ("dateObserved", "observationDateTime", "dateObservedTo", "dateObservedFrom", "dateModified", "modifiedAt")
"""Attributes that say when it was observed, in the order in which they are believed."""

PERSONAL = re.compile(
    r"name|phone|tel|mail|owner|person|plate|licen|passport|birth|gender|address|sim|imei|account|document|cccd|card",
    re.IGNORECASE,
)
"""Numbers under such names are about somebody; the generic case leaves them out."""


def redact(raw: bytes, pseudonym_key: bytes) -> bytes:
    """Keep of a refused entity what names nobody: numbers, times and places under harmless names."""
    try:
        entity = json.loads(raw)
    except (ValueError, RecursionError):
        return re.sub(rb"[^\W_]+|[^\x00-\x7f]+", lambda found: b"x" * len(found[0]), raw)
    if not isinstance(entity, dict):
        return b'"x"'
    kept: dict[str, Any] = {}
    for name, value in entity.items():
        if name in ("id", "@id"):
            kept[name] = f"pseudonym:{to_pseudonym(str(value), pseudonym_key)}"
        elif name in ("type", "@type"):
            kept[name] = value if isinstance(value, str) and re.fullmatch(r"[\w:/.#-]{1,100}", value) else "x"
        elif name in (*TIMES, "location"):
            kept[name] = _without_texts(value, is_time=name != "location")
        elif PERSONAL.search(name) is None and re.fullmatch(r"[A-Za-z][\w]{0,63}", name):
            kept[name] = _without_texts(value, is_time=False)
    return json.dumps(kept).encode()


_WORDS = frozenset({"Property", "GeoProperty", "Relationship", "Point", "LineString", "Polygon", "DateTime"})
_HARMLESS = frozenset({"type", "value", "observedAt", "unitCode", "coordinates", "@type", "@value", "object"})
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT[0-9TZ:.+/-]{4,60}")


def _without_texts(value: Any, *, is_time: bool, depth: int = 0) -> Any:
    if isinstance(value, dict) and depth < 4:
        return {
            key: _without_texts(item, is_time=is_time or key == "observedAt", depth=depth + 1)
            for key, item in value.items()
            if key in _HARMLESS
        }
    if isinstance(value, list) and depth < 6:
        return [_without_texts(item, is_time=is_time, depth=depth + 1) for item in value[:100]]
    if isinstance(value, str):
        harmless = value in _WORDS or re.fullmatch(r"[A-Z0-9]{2,3}", value) or (is_time and _INSTANT.fullmatch(value))
        return value if harmless else "x"
    return value if value is None or isinstance(value, int | float) else "x"
