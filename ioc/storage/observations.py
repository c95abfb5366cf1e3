"""Writes readings: one binary COPY per kind and batch, the newest reading of every asset, marks for the roll-ups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

import psycopg
from psycopg import AsyncConnection, sql
from psycopg.types.string import BytesBinaryDumper

from ioc.domain.events import Event
from ioc.errors import StoreUnavailableError
from ioc.ports import RecordResult
from ioc.storage.rows import LATEST_TYPES, Row, RowBuilder, make_builders, sort_by_kind
from ioc.storage.statements import load_statements
from ioc.storage.tables import TABLES

_SQL = load_statements("observations")
_MICROS_PER_MIN = 60_000_000
_MAX_HEADS = 500_000
_BEFORE_ALL = -(2**63)

Heads = dict[str, int]
"""Newest stored ``observed_at`` per asset of one kind, in microseconds since 2000-01-01 UTC."""


@dataclass(slots=True)
class _Sorted:
    """What became of one batch's events of one kind: rows behind the head are written, the others still to be."""

    fresh_count: int = 0
    repeated: list[Row] = field(default_factory=list)
    late_ids: set[bytes] = field(default_factory=set)
    newest: dict[str, Row] = field(default_factory=dict)
    minutes: set[int] = field(default_factory=set)


class ObservationWriter:
    """Writes batches of readings and remembers up to when each series has readings (its head).

    A reading after its series' head cannot be in the table yet and goes there directly. One at or before the head
    (late, or sent again) goes through a staging table that drops what is there already. Heads are read from
    ``latest`` when an asset is first seen, and follow committed transactions only. Each asset has one writer: the
    log's partitions see to that, and the position check fences a writer that lost its partition.
    """

    def __init__(self) -> None:
        self._heads: dict[str, Heads] = {kind: {} for kind in TABLES}
        self._builders = make_builders()
        self._distrusted: set[str] = set()

    def begin(self) -> Recording:
        """Start recording for one transaction; ``confirm`` the result after its commit."""
        if sum(len(heads) for heads in self._heads.values()) > _MAX_HEADS:
            self.forget()
        return Recording(self._heads, self._builders, self._distrusted)

    def forget(self) -> None:
        """Forget all heads: partitions changed hands, or nobody knows whether a commit took place."""
        for heads in self._heads.values():
            heads.clear()


class Recording:
    """What one transaction records. Nothing of it is remembered before ``confirm``."""

    def __init__(self, heads: dict[str, Heads], builders: dict[str, RowBuilder], distrusted: set[str]) -> None:
        self._heads, self._builders, self._distrusted = heads, builders, distrusted
        self._moved: dict[str, Heads] = {}
        self._has_staged_latest = False
        self.unstorable: list[tuple[Event, str]] = []

    def confirm(self) -> None:
        """Remember the heads: the transaction is committed."""
        for kind, moved in self._moved.items():
            self._heads[kind].update(moved)
        self._distrusted.difference_update(self._moved)
        self._moved = {}

    async def record(self, connection: AsyncConnection, events: Sequence[Event]) -> RecordResult:
        """Write events inside the connection's open transaction.

        Events that no table can hold are counted, and stand in ``unstorable`` with the reason.

        Raises:
            StoreUnavailableError: somebody else wrote a series of ours; the heads are forgotten, the next try is right.
        """
        stored, late_ids = 0, set[bytes]()
        marks: list[tuple[str, int]] = []
        newest: list[tuple[RowBuilder, Row]] = []
        unstorable_before = len(self.unstorable)
        for kind, of_kind in sort_by_kind(events).items():
            builder = self._builders[kind]
            await self._find_heads(connection, kind, of_kind)
            parts = await self._write_fresh(connection, builder, of_kind)
            new_ids = await _write_repeated(connection, builder, parts.repeated)
            stored += parts.fresh_count + len(new_ids)
            late_ids |= parts.late_ids & new_ids
            marks.extend((kind, minute) for minute in parts.minutes)
            newest.extend((builder, row) for row in parts.newest.values())
        if self._has_staged_latest:
            await connection.execute(_SQL["clear_latest_staging"])
        await _write_latest(connection, newest)
        self._has_staged_latest = True
        if marks:
            await connection.execute(_SQL["mark_rollups"], tuple(map(list, zip(*marks, strict=True))))
        unstorable = len(self.unstorable) - unstorable_before
        return RecordResult(
            stored_count=stored,
            duplicate_count=len(events) - stored - unstorable,
            unstorable_count=unstorable,
            late_ids=frozenset(late_ids),
        )

    async def _find_heads(self, connection: AsyncConnection, kind: str, events: Iterable[Event]) -> None:
        heads, moved = self._heads[kind], self._moved.setdefault(kind, {})
        is_sound = self._builders[kind].is_sound_key
        assets = {event.asset_id for event in events}.difference(heads, moved)
        unknown = [asset_id for asset_id in assets if is_sound(asset_id)]
        if unknown:
            cursor = await connection.execute(_SQL["find_heads"], (kind, unknown))
            moved.update(await cursor.fetchall())

    async def _write_fresh(self, connection: AsyncConnection, builder: RowBuilder, events: Iterable[Event]) -> _Sorted:
        """Write the rows behind their series' heads; the server works on them while the next ones are made."""
        kind, parts = builder.table.kind.name, _Sorted()
        if kind in self._distrusted:
            # Rows turned up that the heads did not tell of: the kind's next batch takes the way that looks first.
            behind_head = list(self._sort(builder, events, parts))
            parts.repeated += behind_head
            return parts
        statement = _SQL["copy_rows"].format(table=builder.table.identifier, columns=builder.table.column_list)
        try:
            parts.fresh_count = await _copy(connection, statement, builder.types, self._sort(builder, events, parts))
        except psycopg.errors.UniqueViolation as error:
            self._heads[kind].clear()
            self._distrusted.add(kind)
            raise StoreUnavailableError("another writer was on this series; its state is read again") from error
        return parts

    def _sort(self, builder: RowBuilder, events: Iterable[Event], parts: _Sorted) -> Iterator[Row]:
        """Give the rows behind their series' heads and note in ``parts`` what else is to be done for the events."""
        kind = builder.table.kind.name
        heads, moved = self._heads[kind], self._moved[kind]
        build, is_sound = builder.build, builder.is_sound
        newest, minutes = parts.newest, parts.minutes
        for event in events:
            try:
                row = build(event)
            except TypeError:
                self.unstorable.append((event, builder.find_fault(event)))
                continue
            if not is_sound(row):
                self.unstorable.append((event, builder.find_fault(event)))
                continue
            asset_id, observed_us = event.asset_id, cast(int, row[1])
            head = moved.get(asset_id)
            if head is None:
                head = heads.get(asset_id, _BEFORE_ALL)
            minutes.add(observed_us // _MICROS_PER_MIN)
            if observed_us > head:
                newest[asset_id] = row
                moved[asset_id] = observed_us
                yield row
            else:
                parts.repeated.append(row)
                if observed_us < head:
                    parts.late_ids.add(event.event_id)


async def _write_repeated(connection: AsyncConnection, builder: RowBuilder, rows: Sequence[Row]) -> set[bytes]:
    """Write those rows that are not in the table yet; give their event ids."""
    if not rows:
        return set()
    table, columns = builder.table, builder.table.column_list
    staging = sql.Identifier(f"{table.name}_staging")
    await connection.execute(_SQL["create_staging"].format(staging=staging, table=table.identifier))
    await _copy(connection, _SQL["copy_rows"].format(table=staging, columns=columns), builder.types, rows)
    statement = _SQL["insert_staged"].format(table=table.identifier, staging=staging, columns=columns)
    cursor = await connection.execute(statement)
    return {row[0].bytes for row in await cursor.fetchall()}


async def _write_latest(connection: AsyncConnection, newest: Sequence[tuple[RowBuilder, Row]]) -> None:
    if not newest:
        return
    await connection.execute(_SQL["create_latest_staging"])
    rows = (builder.build_latest(row) for builder, row in newest)
    await _copy(connection, _SQL["copy_latest"], LATEST_TYPES, rows)
    # Nearly always every asset is there already, and an update alone costs half of what an upsert does.
    if (await connection.execute(_SQL["update_latest"])).rowcount < len(newest):
        await connection.execute(_SQL["upsert_latest"])


async def _copy(
    connection: AsyncConnection, statement: sql.SQL | sql.Composed, types: Sequence[str], rows: Iterable[Row]
) -> int:
    count = 0
    async with connection.cursor() as cursor:
        # The driver's default for bytes is written in Python; this one is not.
        cursor.adapters.register_dumper(bytes, BytesBinaryDumper)
        async with cursor.copy(statement) as copy:
            copy.set_types(types)
            write_row = copy.write_row
            for row in rows:
                await write_row(row)
                count += 1
    return count
