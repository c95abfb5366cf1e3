"""How the feeds stand: written by ingest processes, read by every api process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.types.json import Jsonb

from ioc.ports import Clock
from ioc.storage.pool import Database
from ioc.storage.statements import load_statements

_SQL = load_statements("feed_status")


class FeedStatusStore:
    """The newest status of each feed. Several ingest processes may report; the newest report of a feed counts."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def report(self, statuses: Sequence[Mapping[str, object]]) -> None:
        """Keep statuses as ``FeedStatus.to_wire`` gives them."""
        now = self._clock.now()
        rows = [(status["feed_id"], now, Jsonb(dict(status))) for status in statuses]
        async with self._database.transaction() as connection, connection.cursor() as cursor:
            await cursor.executemany(_SQL["report"], rows)

    async def statuses(self) -> list[dict[str, Any]]:
        """Give the statuses with ``reported_at`` (ms): old reports mean that ingest is away."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_SQL["list"])).fetchall()
        return [{**row[1], "reported_at": round(row[0].timestamp() * 1000)} for row in rows]
