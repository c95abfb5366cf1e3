"""Stored rows as columns and columns as events: what is done per column is not done per row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from psycopg import sql

from ioc.domain.events import Event
from ioc.domain.kinds import Kind, Payload
from ioc.storage.statements import load_statements
from ioc.storage.tables import KindTable

_SQL = load_statements("stored_events")
_ID_BYTES = 16


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Events with what orders them: arrival (µs since 2000) and the two halves of the event id."""

    events: list[Event]
    received_us: NDArray[np.int64]
    ids: bytes

    def __len__(self) -> int:
        return len(self.events)


def list_columns(table: KindTable) -> sql.Composed:
    """Give the select list of ``read_slice``: every column as one value, and the arrivals once more as numbers."""
    parts = [_SQL["as_instants"].format(column=sql.Identifier("received_at"))]
    for name in table.columns:
        form = "as_ids" if name == "event_id" else "as_array"
        parts.append(_SQL[form].format(column=sql.Identifier(name)))
    return sql.SQL(", ").join(parts)


def to_arrivals(table: KindTable, row: Sequence[Any]) -> Arrivals:
    """Make events of the one row that ``read_slice`` gives: columns in the order of ``list_columns``."""
    instants, *columns = row
    if instants is None:
        return Arrivals([], np.empty(0, np.int64), b"")
    by_name = dict(zip(table.columns, columns, strict=True))
    ids: bytes = by_name["event_id"]
    by_name["event_id"] = [ids[place : place + _ID_BYTES] for place in range(0, len(ids), _ID_BYTES)]
    received: NDArray[np.int64] = np.frombuffer(instants, ">i8").astype(np.int64)
    return Arrivals(make_events(table.kind, by_name), received, ids)


def make_events(kind: Kind, columns: Mapping[str, Sequence[Any]]) -> list[Event]:
    """Make events of columns by name; ids as bytes, instants as aware datetimes."""
    payloads = _make_payloads(kind, columns)
    return [
        Event(
            event_id=event_id, feed_id=feed_id, asset_id=asset_id, observed_at=observed_at, received_at=received_at,
            data=data, lon_deg=lon_deg, lat_deg=lat_deg, unit_code=unit_code, quality=quality,
        )
        for event_id, feed_id, asset_id, observed_at, received_at, data, lon_deg, lat_deg, unit_code, quality in zip(
            columns["event_id"], columns["feed_id"], columns["asset_id"], columns["observed_at"],
            columns["received_at"], payloads, columns["lon_deg"], columns["lat_deg"], columns["unit_code"],
            columns["quality"], strict=True,
        )
    ]  # fmt: skip


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


def _make_payloads(kind: Kind, columns: Mapping[str, Sequence[Any]]) -> list[Any]:
    """Make the payloads; a field that is newer than a row has its default."""
    payload, names = kind.payload, []
    values: list[Sequence[Any]] = []
    for field in msgspec.structs.fields(payload):
        if (column := columns.get(field.name)) is None:
            continue  # a file that is older than the field
        if field.default is not msgspec.NODEFAULT and field.default is not None and None in column:
            column = [field.default if value is None else value for value in column]
        names.append(field.name)
        values.append(column)
    return _maker_of(payload, tuple(names))(zip(*values, strict=True))


@cache
def _maker_of(payload: type[Payload], names: tuple[str, ...]) -> Callable[[Iterable[tuple[Any, ...]]], list[Any]]:
    """Make what turns rows into payloads, written for the class: keywords from a dict cost three times as much.

    The names are those of the class's own fields, so nothing else gets into the code.
    """
    keywords = ", ".join(f"{name}={name}" for name in names)
    code = f"lambda rows: [payload({keywords}) for {', '.join(names)}, in rows]"
    maker: Callable[[Iterable[tuple[Any, ...]]], list[Any]] = eval(code, {"payload": payload})
    return maker
