"""Observations to events: known properties to the fields that we have, everything else as it is called."""

from __future__ import annotations

import hashlib
import json
import re
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from connectors.feed import ParseContext
from connectors.feeds.sensorthings.config import DatastreamConfig, SensorThingsConfig
from connectors.feeds.sensorthings.entities import LINK, find_datastream_id, is_datastream, read_body, to_id
from connectors.feeds.sensorthings.properties import KIND_OF_FIELD, PREFIXES, find_field, to_quantity
from connectors.open_formats import find_first_point, to_place
from connectors.transports.mqtt_topics import put_member
from connectors.units import convert
from connectors.values import MISSING_NUMBERS, RefusedRecordError, check_instant
from geo.position import Position
from ioc.domain.events import Event, Parsed, Rejected
from ioc.domain.kinds import KINDS, Observation, Payload, WaterLevel
from ioc.domain.quantities import Quality, Quantity
from ioc.errors import MalformedPayloadError

_MOST_REMEMBERED = 20_000
_NOTHING = DatastreamConfig()
_TOPIC = re.compile(r"(?:^|/)(Datastreams\([^()/]+\))/Observations$")


def prepare_message(topic: str, payload: bytes) -> bytes:
    """Put into an observation the datastream under whose topic it came (SensorThings 1.1, OGC 18-088)."""
    found = _TOPIC.search(topic)
    return payload if found is None else put_member(payload, LINK, found[1])


class SensorThingsParser:
    """Reads bodies of servers. Remembers what datastreams said of themselves, for observations that only link there."""

    def __init__(self, config: SensorThingsConfig) -> None:
        self._config, self._zone = config, config.time_zone
        self._known: OrderedDict[str, Mapping[str, Any]] = OrderedDict()

    def __call__(self, payload: bytes, context: ParseContext) -> Parsed:
        """Parse an observation, a list, a collection or a data array.

        Raises:
            MalformedPayloadError: nothing in it can be read.
        """
        events: list[Event] = []
        rejected: list[Rejected] = []
        ignored_count = 0
        for index, entity in enumerate(read_body(payload)):
            try:
                if not isinstance(entity, dict):
                    raise RefusedRecordError("not an entity")
                if is_datastream(entity):
                    self._remember(to_id(entity.get("@iot.id")), entity)
                    ignored_count += 1
                else:
                    events.append(self._to_event(entity, context))
            except RefusedRecordError as refusal:
                rejected.append(Rejected(raw=_write(entity), reason=str(refusal), index=index))
        return Parsed(events=events, rejected=rejected, ignored_count=ignored_count)

    def _to_event(self, observation: Mapping[str, Any], context: ParseContext) -> Event:
        if "result" not in observation:
            raise RefusedRecordError("result: missing")
        key = find_datastream_id(observation)
        about = self._find_datastream(key, observation)
        own = self._config.datastreams.get(key or "", _NOTHING)
        name = own.property or _find_property(about)
        if name is None:
            raise RefusedRecordError("Datastream: not known; expand it, or name it in datastreams of the configuration")
        field = find_field(name, self._config.properties)
        payload = Observation if field is None else KIND_OF_FIELD[field]
        asset_id = self._find_asset(about, own, key, PREFIXES.get(payload, "thing"))
        data, doubt = _make(payload, name, field, observation["result"], own.unit or _find_unit(about))
        position, is_doubtful = self._find_position(observation, about)
        return context.make_event(
            data,
            asset_id=asset_id,
            observed_at=self._find_instant(observation, context),
            source_key=f"{key or asset_id}/{to_quantity(name)}",
            is_fixed=position is None,
            position=position,
            quality=max(doubt, Quality.UNCERTAIN) if is_doubtful else doubt,
        )

    def _find_datastream(self, key: str | None, observation: Mapping[str, Any]) -> Mapping[str, Any]:
        brought = observation.get("Datastream")
        if isinstance(brought, dict) and _find_property(brought) is not None:
            self._remember(key, brought)
            return brought
        return self._known.get(key or "", {})

    def _remember(self, key: str | None, about: Mapping[str, Any]) -> None:
        if key is None:
            return
        self._known[key] = {name: about[name] for name in _TOLD if name in about}
        self._known.move_to_end(key)
        while len(self._known) > _MOST_REMEMBERED:
            self._known.popitem(last=False)

    def _find_asset(self, about: Mapping[str, Any], own: DatastreamConfig, key: str | None, prefix: str) -> str:
        if own.asset_id is not None:
            return own.asset_id
        thing = about.get("Thing")
        thing_id = to_id(thing.get("@iot.id")) if isinstance(thing, dict) else None
        if thing_id is not None and thing_id in self._config.things:
            return self._config.things[thing_id]
        # Without its thing a datastream stands for itself, and says so.
        name = thing_id if thing_id is not None else None if key is None else f"datastream-{key}"
        if name is None:
            raise RefusedRecordError("Datastream: neither its id nor its Thing is named")
        return f"{prefix}.{_to_name(name)}"

    def _find_instant(self, observation: Mapping[str, Any], context: ParseContext) -> datetime:
        for name in ("phenomenonTime", "resultTime"):
            text = observation.get(name)
            if text is None:
                continue
            try:
                # Of an interval the end counts: before it nobody could know the result.
                at = datetime.fromisoformat(text.rpartition("/")[2] if isinstance(text, str) else "")
            except ValueError as error:
                raise RefusedRecordError(f"{name}: not an instant") from error
            settled = at if at.tzinfo is not None else at.replace(tzinfo=self._zone)
            return check_instant(settled, context.latest_at, what=name)
        raise RefusedRecordError("phenomenonTime: missing")

    def _find_position(self, observation: Mapping[str, Any], about: Mapping[str, Any]) -> tuple[Position | None, bool]:
        """Give where it was observed, and whether that is to be doubted.

        Raises:
            RefusedRecordError: the axes are swapped, or it is no place on the Earth.
        """
        feature = observation.get("FeatureOfInterest")
        thing = about.get("Thing")
        locations = thing.get("Locations") if isinstance(thing, dict) else None
        first = locations[0] if isinstance(locations, list) and locations else None
        found = _find_point(feature.get("feature") if isinstance(feature, dict) else None)
        found = found or _find_point(first.get("location") if isinstance(first, dict) else None)
        return to_place(found, self._config.region)


def _write(entity: Any) -> bytes:
    try:
        return json.dumps(entity).encode()
    except RecursionError as error:
        raise MalformedPayloadError("nested too deeply") from error


_TOLD = ("name", "unitOfMeasurement", "ObservedProperty", "Thing")


def _make(
    payload: type[Payload], name: str, field: str | None, result: Any, unit: str | None
) -> tuple[Payload, Quality]:
    """Make the payload of one result; no result is a bad reading, one without a unit a doubtful one."""
    if field is None:
        if result is None:
            raise RefusedRecordError("result: null, and nothing else is known of this property")
        return Observation(quantity=to_quantity(name), value=_to_number(result)), Quality.GOOD
    quantity_name = field.partition("/")[2]
    quantity = KINDS[payload.KIND].quantities[quantity_name]
    extra = {"datum": "unknown"} if payload is WaterLevel else {}
    value = _to_ours(result, unit, quantity)
    doubt = Quality.BAD if value is None else Quality.UNCERTAIN if unit is None else Quality.GOOD
    return payload(**{quantity_name: value, **extra}), doubt


def _to_ours(result: Any, unit: str | None, quantity: Quantity) -> float | None:
    value = None if result is None else _to_number(result)
    if value is None or (value in MISSING_NUMBERS and quantity.find_fault(value) is not None):
        return None
    if unit is not None:
        value = convert(value, unit, quantity.unit)
    if value is None:
        raise RefusedRecordError(f"unitOfMeasurement: no way from it to {quantity.unit}")
    if (fault := quantity.find_fault(value)) is not None:
        raise RefusedRecordError(f"result: {fault}")
    return value


def _to_number(result: Any) -> float:
    if isinstance(result, bool) or not isinstance(result, int | float) or not -1e300 < result < 1e300:
        raise RefusedRecordError("result: not a number")
    return float(result)


def _find_property(about: Mapping[str, Any]) -> str | None:
    observed = about.get("ObservedProperty")
    name = observed.get("name") if isinstance(observed, dict) else about.get("name")
    return name.strip() if isinstance(name, str) and 0 < len(name.strip()) <= 200 else None


def _find_unit(about: Mapping[str, Any]) -> str | None:
    unit = about.get("unitOfMeasurement")
    symbol = unit.get("symbol") if isinstance(unit, dict) else None
    return symbol if isinstance(symbol, str) and symbol.strip() else None


def _find_point(value: Any) -> tuple[float, float] | None:
    """Give the first point of a GeoJSON geometry or feature."""
    if isinstance(value, dict) and isinstance(value.get("geometry"), dict):
        value = value["geometry"]
    return find_first_point(value)


def _to_name(text: str) -> str:
    """Make a part of an asset id of an entity's id; what is cut or changed is told apart by a digest."""
    slug = re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-._")
    if slug == text and len(slug) <= 48:
        return slug
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{slug[:40].strip('-._')}-{digest}".lstrip("-")
