"""How the feeds stand: written by ingest processes, read by every api process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from ioc.ports import Clock
from ioc.storage.pool import Database
from ioc.storage.statements import load_statements

_SQL = load_statements("feed_status")
_AWAY_AFTER = timedelta(seconds=15)
_LOST_AFTER = timedelta(seconds=60)
"""Ingest reports every 2 s. When it is silent for longer, what it said last no longer speaks for the present."""


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

    async def heard(self) -> dict[str, tuple[datetime, datetime]]:
        """Give each feed's newest source time and newest arrival, after the reports and the readings that are stored.

        Either may lack what the other has: a process is killed before its next report, readings are on their way.
        """
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_SQL["list_heard"])).fetchall()
        return {feed_id: (last_at, received_at) for feed_id, last_at, received_at in rows}

    async def statuses(self) -> list[dict[str, Any]]:
        """Give the statuses with ``reported_at`` (ms). Without a fresh report no feed is live: ingest is away."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_SQL["list"])).fetchall()
        return [_judge(status, reported_at, self._clock.now()) for reported_at, status in rows]


def _judge(status: Mapping[str, Any], reported_at: datetime, now: datetime) -> dict[str, Any]:
    shown = {**status, "reported_at": round(reported_at.timestamp() * 1000)}
    silence = now - reported_at
    if silence > _AWAY_AFTER:
        shown["rate_per_min"] = 0.0
        if silence > _LOST_AFTER and status["state"] != "never":
            shown["state"] = "lost"
        elif status["state"] == "live":
            shown["state"] = "late"
    return shown
