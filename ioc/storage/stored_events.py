"""What was stored, as events in the order of their arrival: for backtests, and for whoever looks back at what came."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

from psycopg import AsyncConnection, sql

from ioc.domain.events import Event
from ioc.storage.archived_arrivals import ArchivedArrivals
from ioc.storage.arrivals import ArrivalSlice, Plan
from ioc.storage.pool import Database
from ioc.storage.questions import find_table
from ioc.storage.statements import load_statements
from ioc.storage.stored_columns import Arrivals, StoredColumns, StoredSlice, list_columns, to_columns
from ioc.storage.tables import TABLES

_SQL = load_statements("stored_events")
_DEADLINE = timedelta(minutes=15)
SLICE_ROWS = 50_000
_BUSY = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    kinds: Sequence[str]
    start: datetime
    end: datetime
    asset_ids: Sequence[str] | None

    @property
    def only(self) -> sql.SQL:
        return sql.SQL("") if self.asset_ids is None else _SQL["only_assets"]


class StoredEvents:
    """Reads tables of many kinds as one stream, in the order of (``received_at``, ``event_id``).

    The order is that of arrival, so a reading that came late comes late. What was sent twice was stored once and comes
    once, at its first arrival; only a reading that was sent again after its day had gone to the archive is there
    twice, and comes twice, as it did live.

    Tables lie by the source's time. ``arrivals.py`` says how slices of arrival are read from them, whatever is late;
    a block range index on the arrival finds the pages. At most a slice is in memory, and a row group of each file of
    the archive that is being read. Days that leave the store meanwhile are noticed, and the slice is read again, then
    from the archive. Nothing is locked and no snapshot is held for longer than a slice, so that writers, retention and
    vacuum do not wait for a reader.

    Args:
        database: the open pool; one connection is used at a time.
        archive: the folder of what is past its retention; without it the store alone answers.
        slice_rows: how many rows are read in one piece, if not more of them came in one second.
    """

    def __init__(self, database: Database, archive: Path | None = None, *, slice_rows: int = SLICE_ROWS) -> None:
        self._database, self._archive, self._slice_rows = database, archive, slice_rows
        self.unreadable_files: dict[str, str] = {}
        """Files of the archive that could not be read, with the reason: their events are missing."""
        self.planned_count: int | None = None
        """How many events the read that began last will give, about; None before it knows."""

    async def count(
        self, *, kinds: Sequence[str], start: datetime, end: datetime, asset_ids: Sequence[str] | None = None
    ) -> int:
        """Say how many events ``read`` will give, about: rows of the archive are told from footers.

        Raises:
            NotFoundError: no such kind.
            StoreUnavailableError: the store did not answer.
        """
        wanted = _Wanted(kinds=kinds, start=start, end=end, asset_ids=asset_ids)
        return (await self._plan(wanted, start, end, self._open_archive(wanted))).rows_count

    async def read(
        self,
        *,
        kinds: Sequence[str],
        start: datetime,
        end: datetime,
        asset_ids: Sequence[str] | None = None,
        chunk: int = 4_000,
    ) -> AsyncGenerator[list[Event], None]:
        """Give what came from ``start`` (inclusive) to ``end`` (exclusive), at most ``chunk`` events at a time.

        What is stored only after the read began may be missing.

        Raises:
            NotFoundError: no such kind.
            StoreUnavailableError: the store did not answer.
        """
        async for piece in self.read_slices(kinds=kinds, start=start, end=end, asset_ids=asset_ids):
            events = piece.to_events()
            for place in range(0, len(events), chunk):
                yield events[place : place + chunk]

    async def read_slices(
        self, *, kinds: Sequence[str], start: datetime, end: datetime, asset_ids: Sequence[str] | None = None
    ) -> AsyncGenerator[StoredSlice, None]:
        """Give what ``read`` gives as slices that follow each other: whoever needs few of the rows makes few events.

        Raises:
            NotFoundError: no such kind.
            StoreUnavailableError: the store did not answer.
        """
        wanted = _Wanted(kinds=kinds, start=start, end=end, asset_ids=asset_ids)
        archive = self._open_archive(wanted)
        self.planned_count = None
        async for piece in self._read(wanted, start, end, archive):
            yield piece

    async def find_silences(
        self, *, start: datetime, end: datetime, longer_than: timedelta
    ) -> list[tuple[datetime, datetime]]:
        """Find the spans in which nothing at all came, of any kind, exact to half a minute.

        Spans of which something is in the archive count as busy: there the readings of the asked kinds must do.

        Raises:
            StoreUnavailableError: the store did not answer.
        """
        values = {"start": start, "end": end, "width_us": _BUSY // timedelta(microseconds=1), "kinds": list(TABLES)}
        busy: set[int] = {-1, (end - start) // _BUSY + 1}
        async with self._database.connection(deadline=_DEADLINE) as connection:
            if self._archive is not None:
                files = await (await connection.execute(_SQL["list_files"], values)).fetchall()
                archive = ArchivedArrivals(self._archive, None, self.unreadable_files)
                for group in await asyncio.to_thread(archive.survey, [name for name, _ in files], start, end):
                    first, last = ((at - start) // _BUSY for at in (group.first_at, group.last_at))
                    busy.update(range(max(0, first), min((end - start) // _BUSY, last) + 1))
            for table in TABLES.values():
                if not _list_gaps(busy, longer_than):
                    break  # somebody always spoke
                statement = _SQL["list_busy_spans"].format(table=table.identifier)
                rows = await (await connection.execute(statement, values)).fetchall()
                busy.update(span for (span,) in rows)
        gaps = _list_gaps(busy, longer_than)
        return [(start + max(0, first) * _BUSY, min(end, start + last * _BUSY)) for first, last in gaps]

    async def _read(
        self, wanted: _Wanted, start: datetime, end: datetime, archive: ArchivedArrivals | None
    ) -> AsyncGenerator[StoredSlice, None]:
        while start < end:
            files = await self._count_files(wanted)
            plan = await self._plan(wanted, start, end, archive)
            if self.planned_count is None:
                self.planned_count = plan.rows_count
            for piece in plan.slices():
                if plan.is_too_large(piece):
                    async for finer in self._read(wanted, piece.start, piece.end, archive):
                        yield finer
                else:
                    found = await self._read_slice(wanted, piece, archive)
                    if files != await self._count_files(wanted):
                        break  # days went to the archive meanwhile: from here on everything is looked for anew
                    yield found
                start = piece.end
                if archive is not None:
                    archive.forget(start)
            else:
                return

    async def _plan(self, wanted: _Wanted, start: datetime, end: datetime, archive: ArchivedArrivals | None) -> Plan:
        plan = Plan(start, end, self._slice_rows)
        if start >= end:
            return plan
        values = {
            "start": start, "end": end, "width_us": plan.width // timedelta(microseconds=1),
            "kinds": list(wanted.kinds), "asset_ids": wanted.asset_ids and list(wanted.asset_ids),
        }  # fmt: skip
        async with self._database.connection(deadline=_DEADLINE) as connection:
            for kind in wanted.kinds:
                table = find_table(kind)
                statement = _SQL["count_arrivals"].format(table=table.identifier, only=wanted.only)
                plan.add(kind, await (await connection.execute(statement, values)).fetchall())
            if archive is not None:
                files = await (await connection.execute(_SQL["list_files"], values)).fetchall()
                for group in await asyncio.to_thread(archive.survey, [name for name, _ in files], start, end):
                    plan.add_archived(group.first_at, group.last_at, group.rows_count)
        return plan

    async def _read_slice(self, wanted: _Wanted, piece: ArrivalSlice, archive: ArchivedArrivals | None) -> StoredSlice:
        stored, archived = dict[str, StoredColumns](), list[Arrivals]()
        async with self._database.connection(deadline=_DEADLINE) as connection:
            for kind in piece.counts:
                if (columns := await _read_table(connection, wanted, piece, kind)) is not None:
                    stored[kind] = columns
        if archive is not None:
            archived = await asyncio.to_thread(archive.read, piece.start, piece.end)
        return StoredSlice(stored, archived)

    async def _count_files(self, wanted: _Wanted) -> int:
        if self._archive is None:
            return 0
        async with self._database.connection() as connection:
            row = await (await connection.execute(_SQL["count_files"], {"kinds": list(wanted.kinds)})).fetchone()
        return 0 if row is None else int(row[0])

    def _open_archive(self, wanted: _Wanted) -> ArchivedArrivals | None:
        if self._archive is None:
            return None
        return ArchivedArrivals(self._archive, wanted.asset_ids, self.unreadable_files)


def _list_gaps(busy: set[int], longer_than: timedelta) -> list[tuple[int, int]]:
    """Give the runs of spans that are not busy: first span, and the span after the last."""
    return [(one + 1, two) for one, two in pairwise(sorted(busy)) if (two - one - 1) * _BUSY > longer_than]


async def _read_table(
    connection: AsyncConnection, wanted: _Wanted, piece: ArrivalSlice, kind: str
) -> StoredColumns | None:
    table, count = find_table(kind), piece.counts[kind]
    statement = _SQL["read_slice"].format(columns=list_columns(table), table=table.identifier, only=wanted.only)
    values = {
        "start": piece.start, "end": piece.end, "oldest_at": count.oldest_at, "newest_at": count.newest_at,
        "asset_ids": wanted.asset_ids and list(wanted.asset_ids),
    }  # fmt: skip
    cursor = await connection.cursor(binary=True).execute(statement, values)
    row = await cursor.fetchone()
    return None if row is None else to_columns(table, row)
