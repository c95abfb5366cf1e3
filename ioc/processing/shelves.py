"""Shelves end: an alert that was put aside until an instant comes back to the operators' list."""

from __future__ import annotations

from datetime import timedelta

from ioc.errors import StoreUnavailableError
from ioc.logs import logger
from ioc.ports import Clock
from ioc.storage.alerts import PostgresAlertStore

_log = logger("shelves")
PERIOD = timedelta(seconds=5)
TIDY = timedelta(hours=1)


class ShelfKeeper:
    """Takes alerts off the shelf when their time is over, and forgets old Idempotency-Keys; replicas may share it."""

    def __init__(self, alerts: PostgresAlertStore, clock: Clock) -> None:
        self._alerts, self._clock = alerts, clock

    async def run(self) -> None:
        """Live until cancelled; while the store is away, shelves wait."""
        tidy_at = self._clock.now()
        while True:
            try:
                if self._clock.now() >= tidy_at:
                    await self._alerts.forget_actions(now=self._clock.now())
                    tidy_at = self._clock.now() + TIDY
                ended = await self._alerts.end_shelves(now=self._clock.now())
                if ended:
                    _log.info("shelves.ended", count=ended)
            except StoreUnavailableError as error:
                _log.warning("shelves.waiting", reason=error.reason)
            await self._clock.sleep(PERIOD)
