"""The archive: readings that are past their retention, as Parquet files by kind, feed and day (UTC).

A day leaves the store in one transaction: its rows are written and counted again in the file, the file gets its name,
the index names the file, the rows go. Whatever ends the program in between leaves the rows where they were; a file
that no index names is written anew by the next pass.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from psycopg import AsyncConnection, sql

from ioc.logs import logger
from ioc.ports import Clock
from ioc.recordings import columns
from ioc.recordings.columns import ColumnWriter
from ioc.recordings.whole import to_sha256
from ioc.storage.edition import Edition
from ioc.storage.partitions import list_partitions
from ioc.storage.pool import Database, cut_after
from ioc.storage.statements import load_statements
from ioc.storage.tables import ENVELOPE_COLUMNS, KindTable

_SQL = load_statements("archive")
_TABLES_SQL = load_statements("tables")
_log = logger("archive")

_DAY = timedelta(days=1)
_KIND_DEADLINE = timedelta(hours=6)
_DAY_DEADLINE_S = 1_800.0
_FETCH_ROWS = 5_000
_FEED, _OBSERVED = ENVELOPE_COLUMNS.index("feed_id"), ENVELOPE_COLUMNS.index("observed_at")


class Archive:
    """Moves whole days from the store to files.

    Args:
        database: the open pool.
        clock: for the note of when a day was archived.
        folder: where the files lie; every process that answers history must see the same.
    """

    def __init__(self, database: Database, clock: Clock, folder: Path) -> None:
        self._database, self._clock, self._folder = database, clock, folder

    async def move_days(self, table: KindTable, edition: Edition, *, before: datetime) -> int:
        """Archive and drop every day of a kind that lies wholly before an instant; give the number of days.

        Raises:
            StoreUnavailableError: the database does not answer, or the disk takes no more; what was moved stays so.
            UnreadableFileError: a file does not hold what was written to it; its rows stay in the store.
        """
        async with (
            self._database.connection(deadline=_KIND_DEADLINE) as connection,
            _session_lock(connection, table.kind.name) as is_ours,
        ):
            if not is_ours:
                return 0
            if edition.has_hypertables:
                return await self._move_chunks(connection, table, before)
            moved = 0
            for day, name in sorted((await list_partitions(connection, table.name)).items()):
                if _start_of(day) + _DAY <= before:
                    await self._move_partition(connection, table, day, sql.Identifier(name))
                    moved += 1
            return moved + await self._move_strays(connection, table, before)

    async def _move_partition(
        self, connection: AsyncConnection, table: KindTable, day: date, partition: sql.Identifier
    ) -> None:
        async with _day_transaction(connection):
            await connection.execute(_SQL["hold_still"].format(relation=partition))
            await self._write_day(connection, table, partition, day)
            await connection.execute(_TABLES_SQL["drop_partition"].format(partition=partition))

    async def _move_strays(self, connection: AsyncConnection, table: KindTable, before: datetime) -> int:
        """Move what lies in the default partition: readings of days that had no partition when they came."""
        default = sql.Identifier(f"{table.name}_default")
        whole = datetime.combine(before.astimezone(UTC).date(), time(), UTC)
        cursor = await connection.execute(_SQL["list_stray_days"].format(relation=default), (whole,))
        days = [row[0] for row in await cursor.fetchall()]
        for day in days:
            async with _day_transaction(connection):
                # One snapshot for both: a reading that comes in between is neither written nor deleted.
                await connection.execute(_SQL["keep_snapshot"])
                await self._write_day(connection, table, default, day)
                span = {"start": _start_of(day), "end": _start_of(day) + _DAY}
                await connection.execute(_SQL["delete_strays"].format(relation=default), span)
        return len(days)

    async def _move_chunks(self, connection: AsyncConnection, table: KindTable, before: datetime) -> int:
        cursor = await connection.execute(_SQL["list_old_chunks"], (table.name, before))
        chunks: list[tuple[str, str, datetime, datetime]] = await cursor.fetchall()
        for schema, name, start, end in chunks:
            async with _day_transaction(connection):
                await connection.execute(_SQL["hold_still"].format(relation=sql.Identifier(schema, name)))
                day = start.astimezone(UTC).date()
                while _start_of(day) < end:
                    await self._write_day(connection, table, table.identifier, day, within=(start, end))
                    day += _DAY
                drop = _SQL["drop_chunk"].format(
                    table=sql.Literal(table.name), start=sql.Literal(start), end=sql.Literal(end)
                )
                await connection.execute(drop)
        return len(chunks)

    async def _write_day(
        self,
        connection: AsyncConnection,
        table: KindTable,
        relation: sql.Identifier,
        day: date,
        *,
        within: tuple[datetime, datetime] | None = None,
    ) -> None:
        """Write a file per feed, and name it in the index."""
        span = {"start": _start_of(day), "end": _start_of(day) + _DAY}
        if within is not None:
            span = {"start": max(span["start"], within[0]), "end": min(span["end"], within[1])}
        statement = _SQL["list_rows"].format(columns=table.column_list, relation=relation)
        file: _DayFile | None = None
        try:
            async with connection.cursor(name="archive") as cursor:
                cursor.itersize = _FETCH_ROWS
                await cursor.execute(statement, span)
                while rows := await cursor.fetchmany(_FETCH_ROWS):
                    for feed_id, part in _split_by_feed(rows):
                        if file is not None and file.feed_id != feed_id:
                            await self._keep(connection, file)
                            file = None
                        if file is None:
                            file = await self._begin(connection, table, feed_id, day)
                        await asyncio.to_thread(file.write, part)
            if file is not None:
                await self._keep(connection, file)
                file = None
        finally:
            if file is not None:
                file.writer.discard()

    async def _begin(self, connection: AsyncConnection, table: KindTable, feed_id: str, day: date) -> _DayFile:
        kind = table.kind.name
        row = await (await connection.execute(_SQL["find_last_part"], (kind, feed_id, day))).fetchone()
        part = 1 + (0 if row is None else int(row[0]))
        name = f"kind={kind}/feed={quote(feed_id, safe='')}/{day.isoformat()}.{part}{columns.SUFFIX}"
        writer = ColumnWriter(self._folder / name, table.kind, {"ioc.feed": feed_id, "ioc.day": day.isoformat()})
        return _DayFile(kind=kind, feed_id=feed_id, day=day, part=part, name=name, writer=writer)

    async def _keep(self, connection: AsyncConnection, file: _DayFile) -> None:
        described = await asyncio.to_thread(file.finish, self._folder)
        await connection.execute(_SQL["add_file"], described | {"archived_at": self._clock.now()})
        _log.info("archive.written", file=file.name, rows=described["rows_count"], bytes=described["bytes_count"])


@dataclass(slots=True, kw_only=True)
class _DayFile:
    """One file that is being written."""

    kind: str
    feed_id: str
    day: date
    part: int
    name: str
    writer: ColumnWriter
    first_at: datetime = field(default=datetime.max.replace(tzinfo=UTC))
    last_at: datetime = field(default=datetime.min.replace(tzinfo=UTC))

    def write(self, rows: Sequence[tuple[Any, ...]]) -> None:
        self.writer.write(rows)
        self.first_at = min(self.first_at, min(row[_OBSERVED] for row in rows))
        self.last_at = max(self.last_at, max(row[_OBSERVED] for row in rows))

    def finish(self, folder: Path) -> dict[str, object]:
        """Verify the file and give it its name; say what it is."""
        self.writer.commit()
        path = folder / self.name
        return {
            "kind": self.kind, "feed_id": self.feed_id, "day": self.day, "part": self.part, "name": self.name,
            "rows_count": self.writer.rows_count, "bytes_count": path.stat().st_size, "sha256": to_sha256(path),
            "first_at": self.first_at, "last_at": self.last_at,
        }  # fmt: skip


@asynccontextmanager
async def _session_lock(connection: AsyncConnection, kind: str) -> AsyncIterator[bool]:
    """Let one replica at a time move a kind. Taken before any snapshot, so that it sees what the one before did."""
    row = await (await connection.execute(_SQL["try_session_lock"], (kind,))).fetchone()
    is_ours = row is not None and bool(row[0])
    try:
        yield is_ours
    finally:
        if is_ours and not connection.closed:
            await connection.execute(_SQL["unlock_session"], (kind,))


@asynccontextmanager
async def _day_transaction(connection: AsyncConnection) -> AsyncIterator[None]:
    with cut_after(connection, _DAY_DEADLINE_S):
        async with connection.transaction():
            await connection.execute(_SQL["limit_waiting"])
            yield


def _split_by_feed(rows: Sequence[tuple[Any, ...]]) -> list[tuple[str, list[tuple[Any, ...]]]]:
    parts: list[tuple[str, list[tuple[Any, ...]]]] = []
    for row in rows:
        if not parts or parts[-1][0] != row[_FEED]:
            parts.append((row[_FEED], []))
        parts[-1][1].append(row)
    return parts


def _start_of(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
