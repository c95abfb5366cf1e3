"""Entities to events: Smart Data Models to the kinds that we have, everything else number by number."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.feed import ParseContext
from connectors.feeds.ngsi_ld.config import NgsiLdConfig
from connectors.feeds.ngsi_ld.entities import Attribute, Entity, is_number, iterate_numbers, read_body, read_entity
from connectors.feeds.ngsi_ld.redaction import PERSONAL, TIMES
from connectors.open_formats import find_first_point, to_place
from connectors.pseudonym import to_pseudonym
from connectors.units import convert
from connectors.values import RefusedRecordError, check_instant
from geo.position import Position
from ioc.domain.events import Event, Parsed, Rejected
from ioc.domain.kinds import (
    KINDS,
    AirReading,
    Crowd,
    Observation,
    Payload,
    TrafficFlow,
    VehiclePosition,
    WaterLevel,
)
from ioc.domain.quantities import Quality

_MOST_GENERIC = 64
_SLUG = re.compile(r"[^a-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class _Field:
    """Where a field of ours comes from, and the unit that the model means where none is written."""

    attribute: str
    default_code: str = ""


@dataclass(frozen=True, slots=True)
class _Model:
    prefix: str
    payload: type[Payload]
    fields: Mapping[str, _Field]
    texts: Mapping[str, str]


_MODELS: Mapping[str, _Model] = {
    "AirQualityObserved": _Model(
        "air",
        AirReading,
        {
            "pm25_ug_m3": _Field("pm25"),
            "pm10_ug_m3": _Field("pm10"),
            "so2_ug_m3": _Field("so2"),
            "no2_ug_m3": _Field("no2"),
            "o3_ug_m3": _Field("o3"),
            "co_ug_m3": _Field("co"),
            "temp_celsius": _Field("temperature"),
            "rh_pct": _Field("relativeHumidity", "C62"),
        },
        {},
    ),
    "WaterObserved": _Model("water", WaterLevel, {"level_m": _Field("height"), "flow_m3_s": _Field("flow")}, {}),
    "TrafficFlowObserved": _Model(
        "road",
        TrafficFlow,
        {
            "vehicles_count": _Field("intensity"),
            "speed_km_h": _Field("averageVehicleSpeed"),
            "occupancy_pct": _Field("occupancy", "C62"),
        },
        {"direction": "laneDirection"},
    ),
    "CrowdFlowObserved": _Model("site", Crowd, {"people_count": _Field("peopleCount")}, {}),
    "Vehicle": _Model(
        "vehicle",
        VehiclePosition,
        {"speed_km_h": _Field("speed"), "bearing_deg": _Field("bearing")},
        {"status": "serviceStatus"},
    ),
}


class NgsiLdParser:
    """Reads bodies of brokers; pure."""

    def __init__(self, config: NgsiLdConfig) -> None:
        self._zone, self._region = config.time_zone, config.region

    def __call__(self, payload: bytes, context: ParseContext) -> Parsed:
        """Parse a notification, a list of entities or one.

        Raises:
            MalformedPayloadError: nothing in it can be read.
        """
        found, notified_at = read_body(payload)
        events: list[Event] = []
        rejected: list[Rejected] = []
        ignored_count = 0
        for index, raw in enumerate(found):
            try:
                made = self._to_events(read_entity(raw), notified_at, context)
            except RefusedRecordError as refusal:
                kept = json.dumps(raw, ensure_ascii=True).encode()
                rejected.append(Rejected(raw=kept, reason=str(refusal), index=index))
                continue
            events += made
            ignored_count += not made
        return Parsed(events=events, rejected=rejected, ignored_count=ignored_count)

    def _to_events(self, entity: Entity, notified_at: str | None, context: ParseContext) -> list[Event]:
        position, is_doubtful = self._find_position(entity)
        quality = Quality.UNCERTAIN if is_doubtful else None
        model = _MODELS.get(entity.type)
        if model is None:
            return self._to_observations(entity, notified_at, context, position, quality)
        values = _measure(entity, model)
        used = [entity.attributes[field.attribute] for name, field in model.fields.items() if name in values]
        if not values and model.payload is not VehiclePosition:
            raise RefusedRecordError(f"none of {', '.join(field.attribute for field in model.fields.values())}")
        asset_id = f"{model.prefix}.{_name(entity, context, is_personal=model.payload is VehiclePosition)}"
        data = _make(model, values, entity)
        return [
            context.make_event(
                data,
                asset_id=asset_id,
                observed_at=self._find_instant(entity, used, notified_at, context),
                source_key=f"{entity.type}/{asset_id}",
                is_fixed=False,
                position=position,
                quality=quality,
            )
        ]

    def _to_observations(
        self,
        entity: Entity,
        notified_at: str | None,
        context: ParseContext,
        position: Position | None,
        quality: Quality | None,
    ) -> list[Event]:
        asset_id = f"thing.{_name(entity, context, is_personal=False)}"
        numbers = [item for item in iterate_numbers(entity) if PERSONAL.search(item[0]) is None][:_MOST_GENERIC]
        return [
            context.make_event(
                Observation(quantity=_to_quantity(name), value=value),
                asset_id=asset_id,
                observed_at=self._find_instant(entity, [attribute], notified_at, context),
                source_key=f"{asset_id}/{_to_quantity(name)}",
                is_fixed=False,
                position=position,
                quality=quality,
            )
            for name, attribute, value in numbers
        ]

    def _find_instant(
        self, entity: Entity, used: Sequence[Attribute], notified_at: str | None, context: ParseContext
    ) -> datetime:
        written = [attribute.observed_at for attribute in used]
        written += [_interval_end(entity.attributes[name].value) for name in TIMES if name in entity.attributes]
        for text in [*written, notified_at]:
            if not isinstance(text, str):
                continue
            try:
                at = datetime.fromisoformat(text)
            except ValueError as error:
                raise RefusedRecordError("time: not an instant") from error
            return check_instant(at if at.tzinfo is not None else at.replace(tzinfo=self._zone), context.latest_at)
        raise RefusedRecordError("time: no observedAt, dateObserved or notifiedAt")

    def _find_position(self, entity: Entity) -> tuple[Position | None, bool]:
        """Give where it is, and whether that is to be doubted.

        Raises:
            RefusedRecordError: the axes are swapped, or it is no place on the Earth.
        """
        attribute = entity.attributes.get("location")
        return to_place(None if attribute is None else find_first_point(attribute.value), self._region)


def _measure(entity: Entity, model: _Model) -> dict[str, float]:
    """Give the model's numbers in our units.

    Raises:
        RefusedRecordError: a unit that cannot become ours, or a value that the instrument cannot give.
    """
    kind, found = KINDS[model.payload.KIND], {}
    for name, field in model.fields.items():
        attribute = entity.attributes.get(field.attribute)
        value = None if attribute is None else attribute.value
        if attribute is None or value is None:
            continue
        if not is_number(value):
            raise RefusedRecordError(f"{field.attribute}: not a number")
        quantity = kind.quantities[name]
        code = attribute.unit_code or field.default_code
        number: float | None = float(value) if abs(value) < 1e300 else None
        if number is not None and code and code != quantity.unit:
            number = convert(number, code, quantity.unit)
            if number is None:
                raise RefusedRecordError(f"{field.attribute}: no way from unit {code[:16]!r} to {quantity.unit}")
        if number is None or (fault := quantity.find_fault(number)) is not None:
            raise RefusedRecordError(f"{field.attribute}: {'not a number' if number is None else fault}")
        found[name] = number
    return found


def _make(model: _Model, values: Mapping[str, float], entity: Entity) -> Payload:
    integers = {item.name for item in KINDS[model.payload.KIND].fields if item.type is int}
    fields: dict[str, Any] = {}
    for name, value in values.items():
        if name in integers and not float(value).is_integer():
            raise RefusedRecordError(f"{model.fields[name].attribute}: not a whole number")
        fields[name] = int(value) if name in integers else value
    for name, attribute in model.texts.items():
        text = entity.attributes[attribute].value if attribute in entity.attributes else None
        if isinstance(text, str) and re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,31}", text):
            fields[name] = text
    if model.payload is WaterLevel:
        fields["datum"] = "unknown"  # the model names none
    return model.payload(**fields)


def _name(entity: Entity, context: ParseContext, *, is_personal: bool) -> str:
    """Make a name of the entity's id: its last parts, readable; what is cut or changed is told apart by a digest."""
    if is_personal:
        return to_pseudonym(entity.entity_id, context.pseudonym_key)
    parts = [part for part in entity.entity_id.split(":") if part.lower() not in ("urn", "uri", "ngsi-ld", "ngsi")]
    text = "-".join(parts).lower().removeprefix(f"{entity.type.lower()}-")
    slug = _SLUG.sub("-", text).strip("-._")
    if slug == text and len(slug) <= 48:
        return slug or _digest(entity.entity_id)
    return f"{slug[:40].strip('-._')}-{_digest(entity.entity_id)}".lstrip("-")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _to_quantity(name: str) -> str:
    """Write an attribute's name as quantities are: ``averageHeadwayTime`` → ``average_headway_time``."""
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.rstrip("/").rpartition("/")[2]).lower()
    return re.sub(r"[^a-z0-9_]+", "_", text).strip("_")[:64] or "value"


def _interval_end(value: Any) -> str | None:
    return value.rpartition("/")[2] if isinstance(value, str) else None
