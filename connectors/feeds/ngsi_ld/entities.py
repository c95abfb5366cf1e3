"""NGSI-LD entities in any of their representations, as one: attribute name → value, instant and unit code."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.values import RefusedRecordError
from ioc.errors import MalformedPayloadError

MOST_ENTITIES = 10_000
_MOST = 1e300
_RESERVED = frozenset({"id", "type", "@context", "scope"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One attribute: its value as JSON has it, and what the source says of its time and unit."""

    value: Any
    observed_at: str | None = None
    unit_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """One entity, whichever way it was written."""

    entity_id: str
    type: str
    attributes: Mapping[str, Attribute]


def read_body(payload: bytes) -> tuple[list[Any], str | None]:
    """Give the entities of a notification, a list or a single one, and the notification's instant.

    Raises:
        MalformedPayloadError: it is no JSON, or holds no entities.
    """
    try:
        body = json.loads(payload, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedPayloadError(f"not JSON: {str(error)[:100]}") from error
    notified_at = None
    if isinstance(body, dict) and body.get("type") == "Notification":
        notified_at = body.get("notifiedAt") if isinstance(body.get("notifiedAt"), str) else None
        body = body.get("data")
    found = body if isinstance(body, list) else [body]
    if not found or not all(isinstance(item, dict) for item in found):
        raise MalformedPayloadError("neither a notification nor entities")
    if len(found) > MOST_ENTITIES:
        raise MalformedPayloadError(f"more than {MOST_ENTITIES} entities")
    return found, notified_at


def read_entity(raw: Mapping[str, Any]) -> Entity:
    """Read one entity: normalized, concise or key-values, also mixed.

    Raises:
        RefusedRecordError: it has no id or no type.
    """
    entity_id, kind = raw.get("id", raw.get("@id")), raw.get("type", raw.get("@type"))
    if isinstance(kind, list):
        kind = next((item for item in kind if isinstance(item, str)), None)
    if not isinstance(entity_id, str) or not entity_id or not isinstance(kind, str):
        raise RefusedRecordError("id and type: an entity needs both")
    attributes = {name: _read_attribute(value) for name, value in raw.items() if name not in _RESERVED}
    # Types may be written as whole addresses of a vocabulary; the last part names the model.
    return Entity(entity_id=entity_id, type=kind.rstrip("/").rpartition("/")[2], attributes=attributes)


def _read_attribute(raw: Any) -> Attribute:
    if isinstance(raw, list) and raw and all(isinstance(item, dict) and "value" in item for item in raw):
        raw = raw[0]  # several datasets of one attribute: the first is the default one
    if not isinstance(raw, dict):
        return Attribute(value=raw)
    is_wrapped = raw.get("type") in ("Property", "GeoProperty", "Relationship", "LanguageProperty", "VocabProperty")
    if not is_wrapped and "value" not in raw and "object" not in raw:
        return Attribute(value=_unwrap(raw))
    value = raw.get("value", raw.get("object", raw.get("vocab")))
    return Attribute(
        value=_unwrap(value), observed_at=_text(raw.get("observedAt")), unit_code=_text(raw.get("unitCode"))
    )


def _unwrap(value: Any) -> Any:
    """Give the inside of a JSON-LD literal: ``{"@type": "DateTime", "@value": …}``."""
    return value["@value"] if isinstance(value, dict) and "@value" in value else value


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def is_number(value: Any) -> bool:
    """Whether JSON meant a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def iterate_numbers(entity: Entity) -> Iterator[tuple[str, Attribute, float]]:
    """Give the attributes that hold one finite number."""
    for name, attribute in entity.attributes.items():
        value = attribute.value
        if (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and abs(value) < 1e300
            and math.isfinite(value)
        ):
            yield name, attribute, float(value)
