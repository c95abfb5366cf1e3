"""Stored rows as columns and columns as events: what is done per column is not done per row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg import sql

from ioc.domain.events import Event
from ioc.domain.kinds import Kind
from ioc.domain.rows import make_events, to_instants
from ioc.storage.statements import load_statements
from ioc.storage.tables import KindTable

_SQL = load_statements("stored_events")
_ID_BYTES = 16
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SINCE_1970_US = (_EPOCH - datetime(1970, 1, 1, tzinfo=UTC)) // _MICROSECOND
_INSTANTS = ("received_at", "observed_at")
_FORMS = {"event_id": "as_ids"} | dict.fromkeys(_INSTANTS, "as_instants")


def to_us(at: datetime) -> int:
    """Count an instant as the store does: microseconds since 2000."""
    return (at - _EPOCH) // _MICROSECOND


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Events with what orders them: arrival (µs since 2000) and the two halves of the event id."""

    events: list[Event]
    received_us: NDArray[np.int64]
    ids: bytes

    def __len__(self) -> int:
        return len(self.events)


@dataclass(frozen=True, slots=True)
class StoredColumns:
    """Rows of one kind, column by column, in the order in which the table gave them; times in µs since 2000."""

    kind: Kind
    columns: Mapping[str, Sequence[Any]]
    received_us: NDArray[np.int64]
    observed_us: NDArray[np.int64]
    ids: bytes

    def to_arrivals(self, places: Sequence[int] | None = None) -> Arrivals:
        """Make events of the rows at some places, or of all."""
        columns, received_us, ids = self.columns, self.received_us, self.ids
        if places is not None:
            columns = {name: [column[place] for place in places] for name, column in columns.items()}
            received_us = received_us[places]
            ids = b"".join(ids[_ID_BYTES * place : _ID_BYTES * (place + 1)] for place in places)
        event_ids = [ids[place : place + _ID_BYTES] for place in range(0, len(ids), _ID_BYTES)]
        return Arrivals(make_events(self.kind, {**columns, "event_id": event_ids}), received_us, ids)


@dataclass(frozen=True, slots=True)
class StoredSlice:
    """What came in one slice: columns of the store by kind, and what of it was in the archive already."""

    stored: Mapping[str, StoredColumns]
    archived: Sequence[Arrivals]

    def __len__(self) -> int:
        return sum(len(part.received_us) for part in self.stored.values()) + sum(map(len, self.archived))

    def to_events(self, places: Mapping[str, Sequence[int]] | None = None) -> list[Event]:
        """Give the events in the order of their arrival; of kinds in ``places`` only these rows of the store."""
        parts = [part.to_arrivals(None if places is None else places.get(kind)) for kind, part in self.stored.items()]
        return merge([*parts, *self.archived])


def list_columns(table: KindTable) -> sql.Composed:
    """Give the select list of ``read_slice``: every column as one value."""
    parts = [_SQL[_FORMS.get(name, "as_array")].format(column=sql.Identifier(name)) for name in table.columns]
    return sql.SQL(", ").join(parts)


def to_columns(table: KindTable, row: Sequence[Any]) -> StoredColumns | None:
    """Sort the one row that ``read_slice`` gives, with what ``list_columns`` asks for; None: nothing came."""
    columns = dict(zip(table.columns, row, strict=True))
    if (ids := columns.pop("event_id")) is None:
        return None
    instants = {name: np.frombuffer(columns[name], ">i8").astype(np.int64) for name in _INSTANTS}
    columns |= {name: to_instants(since_2000_us + _SINCE_1970_US) for name, since_2000_us in instants.items()}
    return StoredColumns(table.kind, columns, instants["received_at"], instants["observed_at"], ids)


def merge(parts: Sequence[Arrivals]) -> list[Event]:
    """Put the events of several tables in the order of arrival; of equal instants, in the order of their ids."""
    parts = [part for part in parts if len(part)]
    if not parts:
        return []
    received = np.concatenate([part.received_us for part in parts])
    halves = np.frombuffer(b"".join(part.ids for part in parts), ">u8").astype(np.uint64).reshape(-1, 2)
    order = np.lexsort((halves[:, 1], halves[:, 0], received))
    events = [event for part in parts for event in part.events]
    return [events[place] for place in order.tolist()]
