"""Events as rows for binary COPY, and why an event cannot become one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import msgspec

from ioc.domain.events import Event
from ioc.storage.tables import TABLES, KindTable

Row = tuple[object, ...]

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_INT8_MIN, _INT8_MAX = -(2**63), 2**63 - 1
_MAX_KEY_BYTES = 512  # an index entry holds at most 2,704 bytes
_MAX_KNOWN_TEXTS = 100_000

# Binary COPY carries no types: a declared type only chooses how the client packs a value. An instant goes as the
# microseconds it is (int8), a uuid as its bytes (bytea), jsonb as version byte and text (bytea): all packed in C.
ENVELOPE_TYPES = ("text", "int8", "int8", "bytea", "int2", "text", "text", "float8", "float8")
LATEST_TYPES = ("text", *ENVELOPE_TYPES, "bytea")
_PACKED_AS = {float: "float8", int: "int8", str: "text", bool: "bool", datetime: "timestamptz", date: "date"}
_JSONB_VERSION = b"\x01"


def to_micros(instant: datetime) -> int:
    """Give an aware instant as PostgreSQL counts: microseconds since 2000-01-01 UTC.

    Raises:
        TypeError: the instant has no time zone.
    """
    return (instant - _EPOCH) // _MICROSECOND


class RowBuilder:
    """Makes rows of one kind's events; ``types`` are the types to declare to the COPY, in the order of the columns."""

    def __init__(self, table: KindTable) -> None:
        self.table = table
        fields = table.kind.fields
        self.types = (*ENVELOPE_TYPES, *(_PACKED_AS[field.type] for field in fields))
        self._names = tuple(field.name for field in fields)
        self._texts = tuple(place for place, field in enumerate(fields) if field.type is str)
        self._ints = tuple(place for place, field in enumerate(fields) if field.type is int)
        self._instants = tuple(place for place, field in enumerate(fields) if field.type is datetime)
        self._sound_keys: set[str | None] = {None}

    def build(self, event: Event, observed_us: int) -> Row:
        """Make the row of an event that was observed at ``observed_us`` (see ``to_micros``)."""
        return (
            event.asset_id,
            observed_us,
            (event.received_at - _EPOCH) // _MICROSECOND,
            event.event_id,
            event.quality,
            event.feed_id,
            event.unit_code,
            event.lon_deg,
            event.lat_deg,
            *msgspec.structs.astuple(event.data),
        )

    def build_latest(self, row: Row) -> Row:
        """Make the row of ``latest`` from a row of the kind's table."""
        values = dict(zip(self._names, row[len(ENVELOPE_TYPES) :], strict=True))
        data = _JSONB_VERSION + msgspec.json.encode(values)
        return (self.table.kind.name, *row[: len(ENVELOPE_TYPES)], data)

    def find_fault(self, event: Event) -> str | None:
        """Say why no table can hold the event, or None. The database would refuse the whole batch for it.

        Ranges of quantities are the parser's matter; this is about what the types of the columns can hold.
        """
        sound = self._sound_keys
        for key in (event.asset_id, event.feed_id, event.unit_code):
            if key not in sound and (fault := self._find_key_fault(key)) is not None:
                return fault
        if len(event.event_id) != 16:
            return "event id is not 16 bytes"
        if event.observed_at.tzinfo is None or event.received_at.tzinfo is None:
            return "instant without a time zone"
        if self._texts or self._ints or self._instants:
            return self._find_value_fault(msgspec.structs.astuple(event.data))
        return None

    def _find_key_fault(self, key: str | None) -> str | None:
        if key is None:
            return None
        if len(self._sound_keys) > _MAX_KNOWN_TEXTS:
            self._sound_keys = {None}
        try:
            size = len(key.encode())
        except UnicodeEncodeError:
            return "text is not Unicode"
        if size > _MAX_KEY_BYTES:
            return f"name of {size} bytes is too long"
        if "\x00" in key:
            return "text holds a NUL character"
        self._sound_keys.add(key)
        return None

    def _find_value_fault(self, values: Row) -> str | None:
        for place in self._texts:
            text = values[place]
            if isinstance(text, str) and ("\x00" in text or (not text.isascii() and _has_surrogate(text))):
                return f"{self._names[place]}: text that a column cannot hold"
        for place in self._ints:
            number = values[place]
            if isinstance(number, int) and not _INT8_MIN <= number <= _INT8_MAX:
                return f"{self._names[place]}: number that a column cannot hold"
        for place in self._instants:
            instant = values[place]
            if isinstance(instant, datetime) and instant.tzinfo is None:
                return f"{self._names[place]}: instant without a time zone"
        return None


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
