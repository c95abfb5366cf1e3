"""Events as rows for binary COPY, and why an event cannot become one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from operator import itemgetter

import msgspec
from msgspec.structs import astuple

from ioc.domain.events import Event
from ioc.storage.tables import ENVELOPE_COLUMNS, TABLES, KindTable

Row = tuple[object, ...]

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_INT8_MIN, _INT8_MAX = -(2**63), 2**63 - 1
_MAX_KEY_BYTES = 512  # an index entry holds at most 2,704 bytes
_MAX_KNOWN_TEXTS = 100_000
_MAX_KNOWN_LENGTH = 128  # such a text is also short enough for a name, whatever its characters
_ID_BYTES = 16
_KEY_PLACES = tuple(map(ENVELOPE_COLUMNS.index, ("asset_id", "feed_id", "unit_code")))

# Binary COPY carries no types: a declared type only chooses how the client packs a value. An instant goes as the
# microseconds it is (int8), a uuid as its bytes (bytea), jsonb as version byte and text (bytea): all packed in C.
ENVELOPE_TYPES = ("text", "int8", "int8", "bytea", "int2", "text", "text", "float8", "float8")
LATEST_TYPES = ("text", *ENVELOPE_TYPES, "bytea")
_PACKED_AS = {float: "float8", int: "int8", str: "text", bool: "bool", datetime: "timestamptz", date: "date"}
_JSONB_VERSION = b"\x01"
_encode_json = msgspec.json.Encoder().encode


class RowBuilder:
    """Makes rows of one kind's events; ``types`` are the types to declare to the COPY, in the order of the columns."""

    def __init__(self, table: KindTable) -> None:
        self.table = table
        fields = table.kind.fields
        self.types = (*ENVELOPE_TYPES, *(_PACKED_AS[field.type] for field in fields))
        self._names = (*ENVELOPE_COLUMNS, *(field.name for field in fields))
        first = len(ENVELOPE_COLUMNS)
        self._texts = tuple(first + place for place, field in enumerate(fields) if field.type is str)
        self._ints = tuple(first + place for place, field in enumerate(fields) if field.type is int)
        self._instants = tuple(first + place for place, field in enumerate(fields) if field.type is datetime)
        self._pick_texts = itemgetter(*_KEY_PLACES, *self._texts)
        self._sound_texts: set[object] = {None}

    def build(self, event: Event) -> Row:
        """Make the row of an event.

        Raises:
            TypeError: an instant has no time zone (``find_fault`` says which).
        """
        return (
            event.asset_id,
            (event.observed_at - _EPOCH) // _MICROSECOND,
            (event.received_at - _EPOCH) // _MICROSECOND,
            event.event_id,
            event.quality,
            event.feed_id,
            event.unit_code,
            event.lon_deg,
            event.lat_deg,
            *astuple(event.data),
        )

    def build_latest(self, row: Row) -> Row:
        """Make the row of ``latest`` from a row of the kind's table."""
        first = len(ENVELOPE_COLUMNS)
        data = _JSONB_VERSION + _encode_json(dict(zip(self._names[first:], row[first:], strict=True)))
        return (self.table.kind.name, *row[:first], data)

    def is_sound(self, row: Row) -> bool:
        """Say whether the table can hold the row. Texts that were sound once are not looked at again."""
        if not self._sound_texts.issuperset(self._pick_texts(row)) and self._find_text_fault(row) is not None:
            return False
        if len(row[3]) != _ID_BYTES:  # type: ignore[arg-type]
            return False
        return not (self._ints or self._instants) or self._find_value_fault(row) is None

    def find_fault(self, event: Event) -> str:
        """Say why no table can hold an event of which no sound row can be made.

        Ranges of quantities are the parser's matter; this is about what the types of the columns can hold. The
        database would refuse the whole batch for it.
        """
        if event.observed_at.tzinfo is None or event.received_at.tzinfo is None:
            return "instant without a time zone"
        if len(event.event_id) != _ID_BYTES:
            return f"event id is not {_ID_BYTES} bytes"
        row = self.build(event)
        return self._find_text_fault(row) or self._find_value_fault(row) or "not a row"

    def is_sound_key(self, key: str) -> bool:
        """Say whether a column can hold the name of an asset."""
        return key in self._sound_texts or _find_key_fault(key) is None

    def _find_text_fault(self, row: Row) -> str | None:
        if len(self._sound_texts) > _MAX_KNOWN_TEXTS:
            self._sound_texts = {None}
        for place in (*_KEY_PLACES, *self._texts):
            text = row[place]
            if not isinstance(text, str) or text in self._sound_texts:
                continue
            fault = _find_key_fault(text) if place in _KEY_PLACES else _find_text_fault(text)
            if fault is not None:
                return f"{self._names[place]}: {fault}"
            if len(text) <= _MAX_KNOWN_LENGTH:
                self._sound_texts.add(text)
        return None

    def _find_value_fault(self, row: Row) -> str | None:
        for place in self._ints:
            number = row[place]
            if number is not None and not _INT8_MIN <= number <= _INT8_MAX:  # type: ignore[operator]
                return f"{self._names[place]}: number that a column cannot hold"
        for place in self._instants:
            instant = row[place]
            if isinstance(instant, datetime) and instant.tzinfo is None:
                return f"{self._names[place]}: instant without a time zone"
        return None


def _find_key_fault(key: str) -> str | None:
    fault = _find_text_fault(key)
    if fault is None and len(key) * 4 > _MAX_KEY_BYTES and (size := len(key.encode())) > _MAX_KEY_BYTES:
        return f"name of {size} bytes is too long"
    return fault


def _find_text_fault(text: str) -> str | None:
    if "\x00" in text:
        return "text holds a NUL character"
    return None if text.isascii() or not _has_surrogate(text) else "text is not Unicode"


def _has_surrogate(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def make_builders() -> dict[str, RowBuilder]:
    """Give a row builder for every kind, by the kind's name."""
    return {kind: RowBuilder(table) for kind, table in TABLES.items()}


def sort_by_kind(events: Iterable[Event]) -> dict[str, list[Event]]:
    """Split a batch by kind; each kind's events stay in order."""
    kinds: dict[str, list[Event]] = {}
    for event in events:
        kind = event.data.KIND
        if (found := kinds.get(kind)) is None:
            kinds[kind] = [event]
        else:
            found.append(event)
    return kinds
