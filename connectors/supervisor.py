"""Keeps every feed's connector running, each on its own, and says once when a feed is lost and once when it is back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from random import Random

from connectors.status import FeedBoard, FeedState
from ioc import telemetry
from ioc.errors import IocError
from ioc.logs import logger
from ioc.ports import Clock, Connector, Sink
from ioc.retry import Backoff

_log = logger("connectors.supervisor")


class Supervisor:
    """Runs connectors until cancelled. One that fails is started again after a growing wait; the others never notice.

    ``steady_after`` is how long a connector must have run for its next failure to count as the first.
    """

    def __init__(
        self,
        connectors: Sequence[Connector],
        sink: Sink,
        board: FeedBoard,
        clock: Clock,
        *,
        random: Random,
        backoff: Backoff | None = None,
        sweep: timedelta = timedelta(seconds=1),
        steady_after: timedelta = timedelta(seconds=60),
    ) -> None:
        self._connectors = connectors
        self._sink = sink
        self._board = board
        self._clock = clock
        self._random = random
        self._backoff = backoff or Backoff()
        self._sweep = sweep
        self._steady_after = steady_after

    async def run(self) -> None:
        """Live until cancelled."""
        async with asyncio.TaskGroup() as group:
            for connector in self._connectors:
                group.create_task(self._keep(connector), name=f"connector:{connector.feed_id}")
            group.create_task(self._watch(), name="feeds:watch")

    async def _keep(self, connector: Connector) -> None:
        """Start a connector again and again."""
        waits = self._backoff.waits(self._random)
        failures_count = 0
        while True:
            started_at = self._clock.now()
            reason = await self._run_once(connector, failures_count=failures_count)
            if self._clock.now() - started_at >= self._steady_after:
                waits, failures_count = self._backoff.waits(self._random), 0
            failures_count += 1
            wait = next(waits)
            self._note_connection(connector.feed_id, is_connected=False)
            _log.debug("connector.waits", feed=connector.feed_id, seconds=wait.total_seconds(), reason=reason)
            await self._clock.sleep(wait)

    async def _run_once(self, connector: Connector, *, failures_count: int) -> str:
        """Run a connector to its end and say why it ended. The first failure in a row is logged, others are not."""
        self._note_connection(connector.feed_id, is_connected=True)
        try:
            await connector.run(self._sink)
        except IocError as error:
            if failures_count == 0:
                speak = _log.warning if error.retryable else _log.error
                speak("connector.stopped", feed=connector.feed_id, error=type(error).__name__, reason=str(error))
            return type(error).__name__
        except Exception:  # noqa: BLE001  one of the three supervisors
            # A fault in one feed's code must not take the other feeds down; it is logged with its traceback.
            if failures_count == 0:
                _log.exception("connector.failed", feed=connector.feed_id)
            return "fault"
        return "ended"

    async def _watch(self) -> None:
        """Look at every feed once per sweep; a change of state is logged once."""
        known: dict[str, FeedState] = {}
        while True:
            for status in self._board.statuses(self._clock.now()):
                before = known.get(status.feed_id, FeedState.NEVER)
                known[status.feed_id] = status.state
                if status.state is FeedState.LOST and before is not FeedState.LOST:
                    _log.warning("feed.lost", feed=status.feed_id, last_at=status.last_at)
                elif status.state is FeedState.LIVE and before is FeedState.LOST:
                    _log.info("feed.recovered", feed=status.feed_id, last_at=status.last_at)
            await self._clock.sleep(self._sweep)

    def _note_connection(self, feed_id: str, *, is_connected: bool) -> None:
        telemetry.feed_up.labels(feed_id).set(1 if is_connected else 0)
        monitor = self._board.monitor(feed_id)
        if monitor is not None:
            monitor.is_connected = is_connected
