"""Lets go of what is past its retention, and makes room for the days to come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from psycopg import AsyncConnection, sql

from ioc.errors import ConfigurationError, StoreUnavailableError, UnreadableFileError
from ioc.logs import logger
from ioc.ports import Clock
from ioc.storage.archive import Archive
from ioc.storage.buckets import Bucket
from ioc.storage.edition import Edition, detect_edition
from ioc.storage.partitions import create_partitions, drop_partitions
from ioc.storage.pool import Database
from ioc.storage.statements import load_statements
from ioc.storage.tables import TABLES, KindTable

_SQL = load_statements("retention")
_log = logger("retention")

_DAYS_AHEAD = 7
_DEADLINE = timedelta(minutes=10)
_PASS_DEADLINE = timedelta(hours=6)
_LATEST_MARGIN = timedelta(days=7)
"""``latest`` keeps an asset longer than its readings last: the writer takes an unknown asset for one without rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long things are kept. ``readings`` counts for every kind that ``readings_of`` does not name.

    Raises:
        ConfigurationError: roll-ups would go before the readings that they are made of, or an age is under two days.
    """

    readings: timedelta = timedelta(days=90)
    readings_of: Mapping[str, timedelta] = field(default_factory=dict)
    rollups: Mapping[Bucket, timedelta] = field(
        default_factory=lambda: {
            Bucket.MINUTE: timedelta(days=400),
            Bucket.QUARTER: timedelta(days=800),
            Bucket.HOUR: timedelta(days=3_660),
        }
    )
    dead_letters: timedelta = timedelta(days=90)

    def __post_init__(self) -> None:
        faults = [f"retention of unknown kind {kind!r}" for kind in self.readings_of if kind not in TABLES]
        longest = max([self.readings, *self.readings_of.values()])
        shortest = min([self.readings, *self.readings_of.values()])
        if shortest < timedelta(days=2):
            faults.append("readings must be kept for two days at least")
        faults += [
            f"roll-ups of {bucket} must be kept longer than readings"
            for bucket, age in self.rollups.items()
            if age < longest
        ]
        if faults:
            raise ConfigurationError(faults)

    def age_of(self, kind: str) -> timedelta:
        """How long readings of a kind are kept."""
        return self.readings_of.get(kind, self.readings)


class RetentionJob:
    """Drops old readings by whole days and old roll-ups by rows, and creates the partitions of the next days.

    On the Community edition TimescaleDB's own policies drop; this job sets them to the ages asked for. With an archive,
    readings are dropped by nobody but the archive, once their file is whole.

    Args:
        database: the open pool.
        clock: says what is old.
        keep: how long things are kept.
        period: time between two passes.
        archive: where readings go before they are dropped.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        keep: Retention,
        period: timedelta = timedelta(hours=1),
        archive: Archive | None = None,
    ) -> None:
        self._database, self._clock, self._keep, self._period = database, clock, keep, period
        self._archive = archive
        self._with_policy: set[str] = set()
        self._without_policy: set[str] = set()

    async def run(self) -> None:
        """Look after retention until cancelled."""
        while True:
            try:
                await self.enforce()
            except StoreUnavailableError as error:
                _log.warning("retention.postponed", reason=error.reason)
            except UnreadableFileError as error:
                _log.error("archive.refused", file=error.path, reason=error.reason)
            await self._clock.sleep(self._period)

    async def enforce(self) -> int:
        """Do one pass; give the number of partitions or chunks that were dropped. Nothing, while a replica is at it.

        Raises:
            StoreUnavailableError: the database does not answer, or the archive's disk takes no more.
            UnreadableFileError: the archive does not hold what was written to it; nothing of that was dropped.
        """
        async with self._turn() as is_ours:
            return await self._enforce() if is_ours else 0

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[bool]:
        """Say whether the pass is ours: two that make and drop partitions at once would deadlock."""
        async with self._database.connection(deadline=_PASS_DEADLINE) as connection:
            row = await (await connection.execute(_SQL["try_turn"])).fetchone()
            is_ours = row is not None and bool(row[0])
            try:
                yield is_ours
            finally:
                if is_ours and not connection.closed:
                    await connection.execute(_SQL["end_turn"])

    async def _enforce(self) -> int:
        dropped = 0
        now = self._clock.now()
        for kind, table in TABLES.items():
            async with self._database.connection(deadline=_DEADLINE) as connection:
                edition = await detect_edition(connection)
                if self._archive is None:
                    dropped += await self._drop_readings(connection, table, edition)
                else:
                    await self._prepare(connection, table, edition)
                if table.has_rollups:
                    await self._drop_rollups(connection, table, edition)
                before = now - self._keep.age_of(kind) - _LATEST_MARGIN
                await connection.execute(_SQL["delete_latest"], (kind, before))
            if self._archive is not None:
                oldest = now - self._keep.age_of(kind)
                dropped += await self._archive.move_days(table, edition, before=oldest)
        async with self._database.connection(deadline=_DEADLINE) as connection:
            await connection.execute(_SQL["delete_letters"], (now - self._keep.dead_letters,))
        if dropped:
            _log.info("retention.dropped", days=dropped)
        return dropped

    async def _drop_readings(self, connection: AsyncConnection, table: KindTable, edition: Edition) -> int:
        age = self._keep.age_of(table.kind.name)
        now = self._clock.now()
        match edition:
            case Edition.TIMESCALE_COMMUNITY:
                await self._set_policy(connection, table.name, age)
                return 0
            case Edition.TIMESCALE_APACHE:
                statement = _SQL["drop_chunks"].format(table=sql.Literal(table.name))
                row = await (await connection.execute(statement, (now - age,))).fetchone()
                return 0 if row is None else int(row[0])
            case Edition.PLAIN:
                await self._make_room(connection, table)
                async with connection.transaction():
                    dropped = await drop_partitions(connection, table.name, before=now - age)
                    default = sql.Identifier(f"{table.name}_default")
                    await connection.execute(_SQL["delete_readings"].format(partition=default), (now - age,))
                return dropped

    async def _prepare(self, connection: AsyncConnection, table: KindTable, edition: Edition) -> None:
        """Make room, and let no policy of the database drop what the archive has not taken."""
        if edition is Edition.PLAIN:
            await self._make_room(connection, table)
        elif edition is Edition.TIMESCALE_COMMUNITY and table.name not in self._without_policy:
            await connection.execute(_SQL["remove_policy"].format(relation=sql.Literal(table.name)))
            self._without_policy.add(table.name)

    async def _make_room(self, connection: AsyncConnection, table: KindTable) -> None:
        async with connection.transaction():
            yesterday = self._clock.now().date() - timedelta(days=1)
            await create_partitions(connection, table.name, first_on=yesterday, day_count=_DAYS_AHEAD + 2)

    async def _drop_rollups(self, connection: AsyncConnection, table: KindTable, edition: Edition) -> None:
        for bucket, age in self._keep.rollups.items():
            if edition.has_continuous_aggregates:
                await self._set_policy(connection, f"{table.name}_{bucket}", age)
            else:
                statement = _SQL["delete_rollup"].format(rollup=table.rollup(bucket))
                await connection.execute(statement, (self._clock.now() - age,))

    async def _set_policy(self, connection: AsyncConnection, relation: str, age: timedelta) -> None:
        # Once per process: setting a policy anew would put its next run off.
        if relation in self._with_policy:
            return
        name = sql.Literal(relation)
        async with connection.transaction():
            await connection.execute(_SQL["remove_policy"].format(relation=name))
            await connection.execute(_SQL["add_policy"].format(relation=name, age=sql.Literal(age)))
        self._with_policy.add(relation)
