"""Keeps the roll-ups (1 min, 15 min, 1 h, 1 day) equal to the readings, late ones included."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from psycopg import AsyncConnection, sql

from ioc.errors import StoreUnavailableError
from ioc.logs import logger
from ioc.ports import Clock
from ioc.storage.buckets import Bucket, floor_to_bucket
from ioc.storage.edition import detect_edition
from ioc.storage.pool import Database
from ioc.storage.statements import load_statements
from ioc.storage.tables import TABLES, KindTable

_SQL = load_statements("rollups")
_log = logger("rollups")

_PASS_MINUTES = 240
_PASS_MARKS = 20_000
_MINUTE = timedelta(minutes=1)
_DEADLINE = timedelta(minutes=10)

Span = tuple[datetime, datetime]


class RollupJob:
    """Recomputes the buckets that got readings, as the marks of the write path name them.

    A minute is rolled up when it is over; a minute that gets late readings is marked again and rolled up again.
    Every statement computes a bucket anew from what is stored, so a repetition changes nothing. On the Community
    edition the roll-ups are continuous aggregates, and the same marks say which of their buckets to refresh.

    Args:
        database: the open pool.
        clock: says which minutes are over.
        keep_readings: age at which readings are dropped. Older minutes are never recomputed: what their roll-ups
            hold can no longer be had from readings.
        period: time between two passes.
        patience: how long after its end a minute is given for readings that are on their way.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        keep_readings: timedelta | None = None,
        period: timedelta = timedelta(seconds=5),
        patience: timedelta = timedelta(seconds=5),
    ) -> None:
        self._database, self._clock, self._keep_readings = database, clock, keep_readings
        self._period, self._patience = period, patience

    async def run(self) -> None:
        """Roll up until cancelled. While the store is away the marks wait there."""
        is_lost = False
        while True:
            try:
                await self.roll_up()
                if is_lost:
                    _log.info("rollups.resumed")
                is_lost = False
            except StoreUnavailableError as error:
                if not is_lost:
                    _log.warning("rollups.paused", reason=error.reason)
                is_lost = True
            await self._clock.sleep(self._period)

    async def roll_up(self) -> int:
        """Roll up every marked minute that is over; give the number of minutes.

        Raises:
            StoreUnavailableError: the database does not answer.
        """
        until = floor_to_bucket(self._clock.now() - self._patience, Bucket.MINUTE)
        count = 0
        for table in TABLES.values():
            if table.has_rollups:
                while (done := await self._roll_up_kind(table, until)) > 0:
                    count += done
        return count

    async def _roll_up_kind(self, table: KindTable, until: datetime) -> int:
        async with self._database.connection(deadline=_DEADLINE) as connection:
            edition = await detect_edition(connection)
            if edition.has_continuous_aggregates:
                return await self._refresh(connection, table, until)
            async with connection.transaction():
                return await self._recompute(connection, table, until)

    async def _recompute(self, connection: AsyncConnection, table: KindTable, until: datetime) -> int:
        kind = table.kind.name
        if not await _fetch_flag(connection, _SQL["try_lock"], kind):
            return 0
        cursor = await connection.execute(_SQL["list_due_minutes"], (kind, until, _PASS_MINUTES))
        minutes: list[datetime] = [row[0] for row in await cursor.fetchall()]
        if minutes:
            await connection.execute(_SQL["take_marks"], (kind, minutes))
        kept = self._drop_ancient(minutes)
        for bucket in Bucket:
            statement = _recompute_statement(table, bucket)
            for start, end in merge_spans(kept, bucket):
                await connection.execute(statement, {"start": start, "end": end})
        return len(minutes)

    async def _refresh(self, connection: AsyncConnection, table: KindTable, until: datetime) -> int:
        kind = table.kind.name
        async with _session_lock(connection, kind) as is_ours:
            if not is_ours:
                return 0
            cursor = await connection.execute(_SQL["list_due_marks"], (kind, until, _PASS_MARKS))
            marks: list[tuple[int, datetime]] = await cursor.fetchall()
            kept = self._drop_ancient(sorted({minute for _, minute in marks}))
            for bucket in Bucket:
                for start, end in merge_spans(kept, bucket, gap=timedelta(days=1)):
                    name = sql.Literal(f"{table.name}_{bucket}")
                    await connection.execute(
                        _SQL["refresh_aggregate"].format(rollup=name, start=sql.Literal(start), end=sql.Literal(end))
                    )
            if marks:
                await connection.execute(_SQL["delete_marks"], ([mark_id for mark_id, _ in marks],))
            return len({minute for _, minute in marks})

    def _drop_ancient(self, minutes: list[datetime]) -> list[datetime]:
        if self._keep_readings is None:
            return minutes
        # The whole day of the oldest reading kept may be gone already, and so may part of its province day.
        oldest = floor_to_bucket(self._clock.now() - self._keep_readings, Bucket.DAY) + timedelta(days=2)
        return [minute for minute in minutes if minute >= oldest]


def merge_spans(minutes: Iterable[datetime], bucket: Bucket, *, gap: timedelta = timedelta()) -> Iterator[Span]:
    """Give the buckets of ascending minutes as few spans (start, end); spans no further apart than ``gap`` are one."""
    span: Span | None = None
    for minute in minutes:
        start = floor_to_bucket(minute, bucket)
        end = start + bucket.width
        if span is not None and start <= span[1] + gap:
            span = (span[0], max(end, span[1]))
            continue
        if span is not None:
            yield span
        span = (start, end)
    if span is not None:
        yield span


def _recompute_statement(table: KindTable, bucket: Bucket) -> sql.Composed:
    names = [sql.Identifier(name) for name, *_ in table.rollup_columns]
    parts: dict[str, sql.Composable] = {
        "rollup": table.rollup(bucket),
        "columns": sql.SQL(", ").join(names),
        "updates": sql.SQL(", ").join(sql.SQL("{name} = excluded.{name}").format(name=name) for name in names),
    }
    if bucket.source is None:
        return _SQL["roll_up_readings"].format(
            source=table.identifier, aggregates=table.aggregates_of_readings(), **parts
        )
    return _SQL["roll_up_rollup"].format(
        source=table.rollup(bucket.source),
        aggregates=table.aggregates_of_aggregates(),
        width=sql.Literal(bucket.width),
        origin=sql.Literal(bucket.origin),
        **parts,
    )


@asynccontextmanager
async def _session_lock(connection: AsyncConnection, kind: str) -> AsyncIterator[bool]:
    # A refresh commits on its own, so the lock cannot belong to a transaction.
    is_ours = await _fetch_flag(connection, _SQL["try_session_lock"], kind)
    try:
        yield is_ours
    finally:
        if is_ours and not connection.closed:
            await connection.execute(_SQL["unlock_session"], (kind,))


async def _fetch_flag(connection: AsyncConnection, statement: sql.SQL, kind: str) -> bool:
    row = await (await connection.execute(statement, (kind,))).fetchone()
    return row is not None and bool(row[0])
