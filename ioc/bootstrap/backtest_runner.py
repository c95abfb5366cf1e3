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
        self._held: set[UUID] = set()

    async def run(self) -> None:
        """Start runs until cancelled; those that are running then end as failed."""
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    self._runs.added.clear()
                    try:
                        for run_id in await self._runs.sweep():
                            _log.warning("backtest.gone", run=str(run_id))
                        while (claimed := await self._claim()) is not None:
                            group.create_task(self._play(claimed), name=f"backtest:{claimed}")
                    except StoreUnavailableError as error:
                        _log.warning("backtest.store_lost", reason=str(error))
                    with suppress(TimeoutError):
                        async with cancellation.timeout(_LOOK_EVERY.total_seconds()):
                            await self._runs.added.wait()
        finally:
            # Left here: what was ours before its task took its first step.
            for run_id in list(self._held):
                await self._finish(run_id, RESTARTED)

    async def _claim(self) -> UUID | None:
        """Take a run. Who is ended in the midst still learns what the store gave: nobody else would end that run."""
        claiming = asyncio.create_task(self._hold(), name="backtest:claim")
        try:
            return await asyncio.shield(claiming)
        except asyncio.CancelledError:
            await cancellation.let_finish(claiming)
            raise

    async def _hold(self) -> UUID | None:
        claimed = await self._runs.claim(at_once=self._at_once)
        if claimed is not None:
            self._held.add(claimed)
        return claimed

    async def _play(self, run_id: UUID) -> None:
        reason = RESTARTED
        try:
            reason = await self._have_played(run_id)
        except OSError as error:
            reason = f"no process could be started: {error}"[:_MOST_REASON]
        finally:
            await self._finish(run_id, reason)
            self._runs.added.set()

    async def _have_played(self, run_id: UUID) -> str:
        """Run the process of one backtest, and give how it ended."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ioc.bootstrap.backtest_process", str(run_id),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        if process.stdin is None or process.stderr is None:
            raise RuntimeError("a process without pipes")
        _log.info("backtest.started", run=str(run_id), pid=process.pid)
        try:
            # The pipe stays open: its end tells the process that we are gone.
            process.stdin.write(self._line)
            said = await _read_last_line(process.stderr)
            code = await process.wait()
        finally:
            process.stdin.close()
            await _end(process)
            _log.info("backtest.ended", run=str(run_id), code=process.returncode)
        return f"the process of the backtest ended with {code}: {said}"[:_MOST_REASON]

    async def _finish(self, run_id: UUID, reason: str) -> None:
        """Say that a run failed. What ended well has said so itself, and then this changes nothing."""
        with suppress(StoreUnavailableError):
            await self._runs.finish(run_id, RunState.FAILED, reason=reason)
        self._held.discard(run_id)


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
