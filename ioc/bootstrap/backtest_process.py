"""The process of one backtest: ``python -m ioc.bootstrap.backtest_process RUN``, started by an api process.

It is a process of its own, and a polite one, so that walls never wait for it. It gets its settings by its standard
input, and ends when that ends: then whoever started it is gone.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

import uvloop

from alerts.rulebook.book import Rulebook
from ioc import cancellation, logs
from ioc.bootstrap.backtest_accounts import to_summary
from ioc.bootstrap.backtests import Account, Period, Progress, backtest_stored
from ioc.bootstrap.timelines import draw_timelines
from ioc.clocks import SystemClock
from ioc.errors import IocError
from ioc.logs import logger
from ioc.settings import Settings
from ioc.storage.backtest_runs import BacktestRunStore, RunState
from ioc.storage.pool import Database

_log = logger("backtest")

NICENESS = 10
RESTARTED = "the server was restarted"
_BEAT = timedelta(seconds=1)


def describe_settings(settings: Settings, conninfo: str) -> bytes:
    """Give what the process needs of the settings, in one line. It goes through a pipe: it names the database."""
    wanted: dict[str, Any] = {
        "data_dir": str(settings.data_dir), "log_level": settings.log_level, "log_form": settings.log_form,
        "store": {"url": conninfo, "schema_name": settings.store.schema_name},
        "archive": settings.archive.model_dump(mode="json"), "alerts": settings.alerts.model_dump(mode="json"),
    }  # fmt: skip
    return json.dumps(wanted).encode() + b"\n"


async def play(settings: Settings, run_id: UUID, orphaned: threading.Event) -> None:
    """Run one backtest and leave its result, or why there is none, in the store."""
    clock = SystemClock()
    url = "" if settings.store.url is None else settings.store.url.get_secret_value()
    async with Database(url, schema=settings.store.schema_name, max_size=2) as database:
        runs = BacktestRunStore(database, clock)
        task = await runs.find_task(run_id)
        if task is None:
            return
        report = _Report(runs, run_id, orphaned)
        beating = asyncio.create_task(report.run(clock))
        try:
            account = await backtest_stored(
                settings, database, Rulebook.read(task.rules, "rules"),
                Period(start=task.start, end=task.end, unit_code=task.unit_code),
                on_progress=report.note, is_stopped=report.is_stopped,
            )  # fmt: skip
        except IocError as error:
            _log.error("backtest.failed", run=str(run_id), reason=str(error))
            await runs.finish(run_id, RunState.FAILED, reason=str(error))
            return
        finally:
            beating.cancel()
            with suppress(asyncio.CancelledError):
                await beating
        await report.tell()
        await _keep(runs, run_id, account, is_orphan=orphaned.is_set())


async def _keep(runs: BacktestRunStore, run_id: UUID, account: Account, *, is_orphan: bool) -> None:
    if is_orphan:
        await runs.finish(run_id, RunState.FAILED, reason=RESTARTED)
        return
    comparison = account.comparison
    await runs.finish(
        run_id,
        RunState.CANCELLED if account.is_partial else RunState.DONE,
        result=to_summary(account),
        plot=draw_timelines(comparison, account.period.start),
    )


class _Report:
    """Tells the store once a second how far the run is, and hears from it whether to stop."""

    def __init__(self, runs: BacktestRunStore, run_id: UUID, orphaned: threading.Event) -> None:
        self._runs, self._run_id, self._orphaned = runs, run_id, orphaned
        self._progress: Progress | None = None
        self._is_cancelled = False

    def note(self, progress: Progress) -> None:
        """Keep the newest progress."""
        self._progress = progress

    def is_stopped(self) -> bool:
        """Say whether the run is to end."""
        return self._is_cancelled or self._orphaned.is_set()

    async def run(self, clock: SystemClock) -> None:
        """Tell until cancelled. A store that is away for a moment hears the next time."""
        while True:
            with suppress(IocError):
                await self.tell()
            await clock.sleep(_BEAT)

    async def tell(self) -> None:
        """Tell once."""
        reached = self._progress
        self._is_cancelled |= await self._runs.beat(
            self._run_id,
            events_count=0 if reached is None else reached.events_count,
            events_estimate=None if reached is None else reached.estimate,
            rate_per_s=0.0 if reached is None else reached.rate_per_s,
            reached_at=None if reached is None else reached.reached_at,
        )


def main() -> None:
    """Read the settings, step back behind everybody else, and run."""
    os.nice(NICENESS)
    settings = Settings.model_validate_json(sys.stdin.buffer.readline())
    logs.configure(level=settings.log_level, form=settings.log_form)
    cancellation.mend_wait_for()
    orphaned = threading.Event()
    threading.Thread(target=wait_for_end, args=(orphaned,), daemon=True).start()
    uvloop.run(play(settings, UUID(sys.argv[1]), orphaned))


def wait_for_end(orphaned: threading.Event) -> None:
    """Wait until whoever started this process is gone: its end of our input closes then."""
    # Not by the buffer, whose lock a thread would hold to the end: the interpreter aborts when it finds it taken then.
    while os.read(sys.stdin.fileno(), 4_096):
        pass
    orphaned.set()


if __name__ == "__main__":
    main()
