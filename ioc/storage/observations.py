"""Writes readings: one binary COPY per kind and batch, the newest reading of every asset, marks for the roll-ups."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import psycopg
from psycopg import AsyncConnection, sql

from ioc.domain.events import Event
from ioc.errors import StoreUnavailableError
from ioc.ports import RecordResult
from ioc.storage.rows import LATEST_TYPES, Row, RowBuilder, make_builders, sort_by_kind, to_micros
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
    """One batch's events of one kind, by the way they are written."""

    fresh: list[Row] = field(default_factory=list)
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
        newest: list[Row] = []
        unstorable_before = len(self.unstorable)
        for kind, of_kind in sort_by_kind(events).items():
            sound = self._sift(kind, of_kind)
            await self._find_heads(connection, kind, sound)
            parts = self._sort(kind, sound)
            written, came_late = await self._write(connection, self._builders[kind], parts)
            stored += written
            late_ids |= came_late
            marks.extend((kind, minute) for minute in parts.minutes)
            newest.extend(map(self._builders[kind].build_latest, parts.newest.values()))
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

    def _sift(self, kind: str, events: Iterable[Event]) -> list[Event]:
        find_fault = self._builders[kind].find_fault
        sound = []
        for event in events:
            if (fault := find_fault(event)) is None:
                sound.append(event)
            else:
                self.unstorable.append((event, fault))
        return sound

    async def _find_heads(self, connection: AsyncConnection, kind: str, events: Iterable[Event]) -> None:
        heads, moved = self._heads[kind], self._moved.setdefault(kind, {})
        assets = {event.asset_id for event in events}
        unknown = [asset_id for asset_id in assets if asset_id not in heads and asset_id not in moved]
        if unknown:
            cursor = await connection.execute(_SQL["find_heads"], (kind, unknown))
            moved.update(await cursor.fetchall())

    def _sort(self, kind: str, events: Iterable[Event]) -> _Sorted:
        heads, moved = self._heads[kind], self._moved[kind]
        builder, parts = self._builders[kind], _Sorted()
        build, newest, minutes = builder.build, parts.newest, parts.minutes
        # After rows turned up that the heads did not tell of, the kind's next batch takes the way that looks first.
        after_head = parts.repeated if kind in self._distrusted else parts.fresh
        for event in events:
            asset_id, observed_us = event.asset_id, to_micros(event.observed_at)
            row = build(event, observed_us)
            head = moved.get(asset_id)
            if head is None:
                head = heads.get(asset_id, _BEFORE_ALL)
            if observed_us > head:
                after_head.append(row)
                newest[asset_id] = row
                moved[asset_id] = observed_us
            else:
                parts.repeated.append(row)
                if observed_us < head:
                    parts.late_ids.add(event.event_id)
            minutes.add(observed_us // _MICROS_PER_MIN)
        return parts

    async def _write(self, connection: AsyncConnection, builder: RowBuilder, parts: _Sorted) -> tuple[int, set[bytes]]:
        """Write the rows of one kind; give the number of new rows and the ids of those that came late."""
        table = builder.table
        columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
        if parts.fresh:
            statement = _SQL["copy_rows"].format(table=table.identifier, columns=columns)
            try:
                await _copy(connection, statement, builder.types, parts.fresh)
            except psycopg.errors.UniqueViolation as error:
                self._heads[builder.table.kind.name].clear()
                self._distrusted.add(builder.table.kind.name)
                raise StoreUnavailableError("another writer was on this series; its state is read again") from error
        if not parts.repeated:
            return len(parts.fresh), set()
        staging = sql.Identifier(f"{table.name}_staging")
        await connection.execute(_SQL["create_staging"].format(staging=staging, table=table.identifier))
        statement = _SQL["copy_rows"].format(table=staging, columns=columns)
        await _copy(connection, statement, builder.types, parts.repeated)
        cursor = await connection.execute(
            _SQL["insert_staged"].format(table=table.identifier, staging=staging, columns=columns)
        )
        new_ids = [row[0].bytes for row in await cursor.fetchall()]
        return len(parts.fresh) + len(new_ids), parts.late_ids.intersection(new_ids)


async def _write_latest(connection: AsyncConnection, rows: Sequence[Row]) -> None:
    if rows:
        await connection.execute(_SQL["create_latest_staging"])
        await _copy(connection, _SQL["copy_latest"], LATEST_TYPES, rows)
        await connection.execute(_SQL["upsert_latest"])


async def _copy(
    connection: AsyncConnection, statement: sql.SQL | sql.Composed, types: Sequence[str], rows: Iterable[Row]
) -> None:
    async with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(types)
        for row in rows:
            await copy.write_row(row)
