"""One rule of a mapping made ready: does a record fit it, and which events come of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from connectors.feed import ParseContext
from connectors.mapping.config import EventRule, FieldRule, MappingConfig, QuantityRule, Scalar
from connectors.mapping.paths import Path
from connectors.mapping.template import Template
from connectors.mapping.values import is_missing, is_stand_in, read_field, read_instant, read_number, to_text, to_whole
from connectors.pseudonym import to_pseudonym
from connectors.units import convert
from connectors.values import RefusedRecordError, check_instant, check_name, check_position
from geo.position import Position
from ioc.domain.events import Event
from ioc.domain.kinds import KINDS, Field, Observation, Payload
from ioc.domain.quantities import Quality, Quantity


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """A record with the body that it lies in, and the key of pseudonyms."""

    record: Any
    root: Any
    pseudonym_key: bytes

    def find(self, path: Path) -> Any:
        """Give what lies at a path."""
        return path.find(self.record, self.root)


@dataclass(frozen=True, slots=True)
class _Measured:
    name: str
    rule: QuantityRule
    path: Path
    unit_path: Path | None
    quantity: Quantity | None
    is_whole: bool

    @classmethod
    def prepare(cls, name: str, rule: QuantityRule, entry: Field | None) -> _Measured:
        unit_path = None if rule.unit_from is None else Path.read(rule.unit_from)
        quantity, is_whole = (None, False) if entry is None else (entry.quantity, entry.type is int)
        return cls(name, rule, Path.read(rule.source), unit_path, quantity, is_whole)


@dataclass(frozen=True, slots=True)
class _Stated:
    name: str
    rule: FieldRule
    path: Path | None
    entry: Field


class Rule:
    """One entry of ``becomes``. ``is_only``: no other entry makes events of its kind."""

    def __init__(self, rule: EventRule, config: MappingConfig, *, is_only: bool) -> None:
        self._rule, self._config = rule, config
        kind = KINDS[rule.kind]
        entries = {entry.name: entry for entry in kind.fields}
        self._payload: type[Payload] = kind.payload
        self._measured = [_Measured.prepare(name, part, entries.get(name)) for name, part in rule.quantities.items()]
        self._stated = [
            _Stated(name, part, None if part.source is None else Path.read(part.source), entries[name])
            for name, part in rule.fields.items()
        ]
        self._conditions = [
            (Path.read(path), [to_text(word) or "" for word in (wanted if isinstance(wanted, tuple) else (wanted,))])
            for path, wanted in rule.when.items()
        ]
        self._needed = tuple(entry.name for entry in msgspec.structs.fields(self._payload) if entry.required)
        self._asset = Template.read(rule.asset_id)
        self._unit = None if rule.unit_code is None else Template.read(rule.unit_code)
        self._times = [Path.read(path) for path in rule.observed_at.sources]
        place = rule.position
        self._place = [
            Path.read(path) for path in (() if place is None else (place.point or place.lon, place.lat)) if path
        ]
        self._personal = frozenset(Path.read(path) for path in config.personal)
        # Two rules of one kind would give the same id to two readings of one thing at one time.
        self._suffix = "" if is_only else "/" + "+".join(sorted([*rule.quantities, *rule.fields]))

    def find_difference(self, source: SourceRecord) -> str | None:
        """Say in what a record does not meet the conditions, None when it does."""
        for path, wanted in self._conditions:
            if to_text(source.find(path)) not in wanted:
                return f"{path.text} is not {' or '.join(wanted)}"
        return None

    def make_events(self, source: SourceRecord, context: ParseContext) -> Iterator[Event]:
        """Make the events of a record that meets the conditions.

        Raises:
            RefusedRecordError: it lacks what the kind needs, or a value cannot be true.
        """
        asset_id = self._find_name(source)
        at = check_instant(self._find_instant(source), context.latest_at, what="observed_at")
        position = self._find_position(source)
        values = self._measure(source)
        quality = Quality.BAD if self._measured and not values else None
        for data, part in self._make_payloads(values, source):
            event = context.make_event(
                data,
                asset_id=asset_id,
                observed_at=at,
                source_key=f"{asset_id}{part}",
                position=position,
                is_fixed=position is None,
                quality=quality,
            )
            yield self._place_in_unit(event, source, context)

    def _make_payloads(self, values: dict[str, float], source: SourceRecord) -> Iterator[tuple[Payload, str]]:
        if self._payload is Observation:
            for name, value in values.items():
                yield Observation(quantity=name, value=value), f"/{name}"
            if not values:
                raise RefusedRecordError("none of its quantities is there")
            return
        fields: dict[str, Any] = {**values, **self._state(source)}
        needed = [name for name in self._needed if name not in fields]
        if needed:
            raise RefusedRecordError(f"{', '.join(needed)}: missing")
        yield self._payload(**fields), self._suffix

    def _measure(self, source: SourceRecord) -> dict[str, float]:
        found: dict[str, float] = {}
        for part in self._measured:
            value = source.find(part.path)
            if is_missing(value, self._config.missing):
                continue
            try:
                number = self._to_number(part, value, source)
            except RefusedRecordError as refusal:
                raise RefusedRecordError(f"{part.name}: {refusal}") from refusal
            if number is not None:
                found[part.name] = number
        return found

    def _to_number(self, part: _Measured, value: Any, source: SourceRecord) -> float | None:
        number = read_number(value, is_comma=self._config.decimal_comma)
        quantity = part.quantity
        if quantity is not None and is_stand_in(number, quantity):
            return None
        unit = part.rule.unit if part.unit_path is None else to_text(source.find(part.unit_path))
        if quantity is not None and (unit is not None or part.unit_path is not None):
            converted = None if unit is None else convert(number, unit, quantity.unit)
            if converted is None:
                raise RefusedRecordError(f"no way from its unit to {quantity.unit}")
            number = converted
        if quantity is not None and (fault := quantity.find_fault(number)) is not None:
            raise RefusedRecordError(fault)
        return to_whole(number) if part.is_whole else number

    def _state(self, source: SourceRecord) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for part in self._stated:
            value = part.rule.value if part.path is None else source.find(part.path)
            if is_missing(value, self._config.missing):
                continue
            try:
                if part.path in self._personal:
                    value = self._hide(value, source)
                elif part.rule.words:
                    value = _translate(value, part.rule)
                found[part.name] = read_field(
                    value,
                    part.entry.type,
                    zone=self._rule.observed_at.zone,
                    is_comma=self._config.decimal_comma,
                )
            except RefusedRecordError as refusal:
                raise RefusedRecordError(f"{part.name}: {refusal}") from refusal
        return found

    def _find_name(self, source: SourceRecord) -> str:
        name = self._asset.fill(lambda path: self._find_text(path, source))
        if name is None:
            raise RefusedRecordError("asset_id: what it is made of is missing")
        return check_name(name, what="asset_id")

    def _find_text(self, path: Path, source: SourceRecord) -> str | None:
        value = source.find(path)
        if is_missing(value, self._config.missing):
            return None
        return self._hide(value, source) if path in self._personal else (to_text(value) or "").strip()

    def _hide(self, value: Any, source: SourceRecord) -> str:
        text = to_text(value)
        if text is None:
            raise RefusedRecordError("not a single value")
        return to_pseudonym(text.strip(), source.pseudonym_key)

    def _find_instant(self, source: SourceRecord) -> Any:
        values = [source.find(path) for path in self._times]
        if any(is_missing(value, self._config.missing) for value in values):
            raise RefusedRecordError("observed_at: missing")
        try:
            return read_instant(values, self._rule.observed_at)
        except RefusedRecordError as refusal:
            raise RefusedRecordError(f"observed_at: {refusal}") from refusal

    def _find_position(self, source: SourceRecord) -> Position | None:
        values = [source.find(path) for path in self._place]
        if len(values) == 1:
            point = values[0].get("coordinates") if isinstance(values[0], dict) else values[0]
            if point is None:
                return None
            if not isinstance(point, list) or len(point) < 2:
                raise RefusedRecordError("position: not a point")
            values = point[:2]
        present = [None if is_missing(value, self._config.missing) else value for value in values]
        if present in ([], [None, None]):
            return None
        if None in present:
            raise RefusedRecordError("position: half of it is missing")
        lon, lat = (read_number(value, is_comma=self._config.decimal_comma) for value in present)
        return check_position(lon, lat)

    def _place_in_unit(self, event: Event, source: SourceRecord, context: ParseContext) -> Event:
        if self._unit is None:
            return event
        code = self._unit.fill(lambda path: self._find_text(path, source))
        if code is None:
            return event
        if f"unit.{code}" not in context.stations:
            raise RefusedRecordError("unit_code: no such commune-level unit")
        return msgspec.structs.replace(event, unit_code=code)


def _translate(value: Any, rule: FieldRule) -> Scalar:
    word = to_text(value)
    if word is None or word not in rule.words:
        raise RefusedRecordError(f"none of the words {', '.join(rule.words)}")
    return rule.words[word]
