"""Backtests that people asked for, as rows: whoever runs one, every replica can show it, and stop it."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from ioc.errors import NotFoundError, OverloadedError
from ioc.ports import Clock
from ioc.storage.pool import Database
from ioc.storage.statements import load_statements

_SQL = load_statements("backtests")

MOST_QUEUED = 8
KEEP = timedelta(days=7)
SILENCE = timedelta(seconds=30)
"""A run that has not been heard of for so long has no process any more."""
_COME_AGAIN = timedelta(seconds=30)


class RunState(enum.StrEnum):
    """Where a run is; the last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestRun:
    """One run as the list shows it. ``events_estimate`` is None until the store has counted."""

    run_id: UUID
    created_at: datetime
    created_by: str
    period_from: datetime
    period_to: datetime
    unit_code: str | None
    state: str
    is_cancel_asked: bool
    started_at: datetime | None
    finished_at: datetime | None
    events_count: int
    events_estimate: int | None
    rate_per_s: float
    reached_at: datetime | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestTask:
    """What a run is to do: YAML documents of draft rules, over a period, for one unit or for all."""

    rules: str
    start: datetime
    end: datetime
    unit_code: str | None


class BacktestRunStore:
    """The table of runs.

    Args:
        database: the open pool.
        clock: for the instants that people read; whether a process still lives goes by the database's clock.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self.added = asyncio.Event()
        """Set when a run was queued here, so that a runner of this process need not look for it."""

    async def add(self, task: BacktestTask, *, created_by: str) -> UUID:
        """Queue a run.

        Raises:
            OverloadedError: too many wait already.
        """
        run_id = uuid4()
        row = {
            "run_id": run_id, "created_at": self._clock.now(), "created_by": created_by, "rules": task.rules,
            "start": task.start, "end": task.end, "unit_code": task.unit_code,
        }  # fmt: skip
        async with self._database.transaction() as connection:
            await connection.execute(_SQL["lock"])
            waiting = await (await connection.execute(_SQL["count_queued"])).fetchone()
            if waiting is not None and waiting[0] >= MOST_QUEUED:
                raise OverloadedError(retry_after=_COME_AGAIN, reason=f"{waiting[0]} backtests wait already")
            await connection.execute(_SQL["add"], row)
        self.added.set()
        return run_id

    async def claim(self, *, at_once: int) -> UUID | None:
        """Take the run that has waited longest, unless ``at_once`` are running already, here or elsewhere."""
        async with self._database.transaction() as connection:
            await connection.execute(_SQL["lock"])
            values = {"now": self._clock.now(), "at_once": at_once}
            row = await (await connection.execute(_SQL["claim"], values)).fetchone()
        return None if row is None else row[0]

    async def find_task(self, run_id: UUID) -> BacktestTask | None:
        """Give what a running run is to do; None if it is not running any more."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(_SQL["find_task"], {"run_id": run_id})).fetchone()
        return None if row is None else BacktestTask(rules=row[0], start=row[1], end=row[2], unit_code=row[3])

    async def beat(
        self,
        run_id: UUID,
        *,
        events_count: int = 0,
        events_estimate: int | None = None,
        rate_per_s: float = 0.0,
        reached_at: datetime | None = None,
    ) -> bool:
        """Say how far a run is, and that its process lives; give whether it is to stop."""
        values = {
            "run_id": run_id, "events_count": events_count, "events_estimate": events_estimate,
            "rate_per_s": rate_per_s, "reached_at": reached_at,
        }  # fmt: skip
        async with self._database.connection() as connection:
            row = await (await connection.execute(_SQL["beat"], values)).fetchone()
        # A run that others gave up is not to go on either.
        return row is None or bool(row[0])

    async def finish(
        self,
        run_id: UUID,
        state: RunState,
        *,
        reason: str | None = None,
        result: Mapping[str, Any] | None = None,
        plot: str | None = None,
    ) -> None:
        """End a running run; one that has ended stays as it is."""
        values = {
            "run_id": run_id, "state": state.value, "now": self._clock.now(), "reason": reason, "plot": plot,
            "result": None if result is None else Jsonb(dict(result)),
        }  # fmt: skip
        async with self._database.connection() as connection:
            await connection.execute(_SQL["finish"], values)

    async def ask_cancel(self, run_id: UUID) -> BacktestRun:
        """Have a run stop; one that has ended stays as it is.

        Raises:
            NotFoundError: there is none with this id.
        """
        async with self._database.connection() as connection:
            await connection.execute(_SQL["ask_cancel"], {"run_id": run_id, "now": self._clock.now()})
        return await self.get(run_id)

    async def sweep(self) -> list[UUID]:
        """Give up runs whose process is gone, and give their ids; forget what is older than a week."""
        now = self._clock.now()
        async with self._database.connection() as connection:
            cursor = await connection.execute(_SQL["give_up_silent"], {"now": now, "silence": SILENCE})
            rows = await cursor.fetchall()
            await connection.execute(_SQL["forget_old"], {"before": now - KEEP})
        return [row[0] for row in rows]

    async def get(self, run_id: UUID) -> BacktestRun:
        """Give one run.

        Raises:
            NotFoundError: there is none with this id.
        """
        found = await self._list({"run_id": run_id, "before": None, "before_id": None, "limit": 1})
        if not found:
            raise NotFoundError("backtest", str(run_id))
        return found[0]

    async def list_runs(
        self, *, before: tuple[datetime, UUID] | None = None, limit: int = 50
    ) -> tuple[list[BacktestRun], tuple[datetime, UUID] | None]:
        """Give the newest runs first, and where the next page begins."""
        at, run_id = before or (None, None)
        found = await self._list({"run_id": None, "before": at, "before_id": run_id, "limit": limit + 1})
        page = found[:limit]
        return page, (page[-1].created_at, page[-1].run_id) if len(found) > limit else None

    async def result(self, run_id: UUID) -> Mapping[str, Any] | None:
        """Give what a run found; None while it has found nothing.

        Raises:
            NotFoundError: there is none with this id.
        """
        found: Mapping[str, Any] | None = await self._find("find_result", run_id)
        return found

    async def plot(self, run_id: UUID) -> str | None:
        """Give the drawing of a run, as SVG; None while there is none.

        Raises:
            NotFoundError: there is none with this id.
        """
        found: str | None = await self._find("find_plot", run_id)
        return found

    async def _find(self, statement: str, run_id: UUID) -> Any:
        async with self._database.connection() as connection:
            row = await (await connection.execute(_SQL[statement], {"run_id": run_id})).fetchone()
        if row is None:
            raise NotFoundError("backtest", str(run_id))
        return row[0]

    async def _list(self, values: Mapping[str, Any]) -> list[BacktestRun]:
        async with self._database.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(BacktestRun))
            return await (await cursor.execute(_SQL["list_runs"], values)).fetchall()
