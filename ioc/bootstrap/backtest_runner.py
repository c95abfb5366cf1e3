"""Starts the processes of backtests that people asked for, a bounded number at once over all replicas."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from ioc import cancellation
from ioc.bootstrap.backtest_process import RESTARTED, describe_settings
from ioc.errors import StoreUnavailableError
from ioc.logs import logger
from ioc.settings import Settings
from ioc.storage.backtest_runs import BacktestRunStore, RunState

_log = logger("backtest")

_LOOK_EVERY = timedelta(seconds=5)
"""How often it looks for runs that were queued elsewhere, and for those whose process is gone."""
_END_WITHIN = timedelta(seconds=5)
_MOST_REASON = 300


class BacktestRunner:
    """Takes queued runs and has each run in a process of its own.

    Args:
        settings: what the process gets; the pool size and the keys stay here.
        conninfo: of the database.
        runs: the table of runs.
    """

    def __init__(self, settings: Settings, conninfo: str, runs: BacktestRunStore) -> None:
        self._line = describe_settings(settings, conninfo)
        self._at_once = settings.alerts.backtests_at_once
        self._runs = runs

    async def run(self) -> None:
        """Start runs until cancelled; those that are running then end as failed."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._runs.added.clear()
                try:
                    for run_id in await self._runs.sweep():
                        _log.warning("backtest.gone", run=str(run_id))
                    while (claimed := await self._runs.claim(at_once=self._at_once)) is not None:
                        group.create_task(self._play(claimed), name=f"backtest:{claimed}")
                except StoreUnavailableError as error:
                    _log.warning("backtest.store_lost", reason=str(error))
                with suppress(TimeoutError):
                    async with cancellation.timeout(_LOOK_EVERY.total_seconds()):
                        await self._runs.added.wait()

    async def _play(self, run_id: UUID) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ioc.bootstrap.backtest_process", str(run_id),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        if process.stdin is None or process.stderr is None:
            raise RuntimeError("a process without pipes")
        _log.info("backtest.started", run=str(run_id), pid=process.pid)
        reason = RESTARTED
        try:
            # The pipe stays open: its end tells the process that we are gone.
            process.stdin.write(self._line)
            said = await _read_last_line(process.stderr)
            code = await process.wait()
            reason = f"the process of the backtest ended with {code}: {said}"[:_MOST_REASON]
        finally:
            process.stdin.close()
            await _end(process)
            # What ended well has said so itself, and then this changes nothing.
            with suppress(StoreUnavailableError):
                await self._runs.finish(run_id, RunState.FAILED, reason=reason)
            self._runs.added.set()
            _log.info("backtest.ended", run=str(run_id), code=process.returncode)


async def _read_last_line(stream: asyncio.StreamReader) -> str:
    last = b""
    while chunk := await stream.read(65_536):
        last = (last + chunk)[-65_536:]
    lines = last.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""


async def _end(process: asyncio.subprocess.Process) -> None:
    """Wait for a process whose pipe is closed, for a while."""
    if process.returncode is not None:
        return
    try:
        async with cancellation.timeout(_END_WITHIN.total_seconds()):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
