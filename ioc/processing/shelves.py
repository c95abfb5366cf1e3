"""What time does to alerts: shelves and suppressions end, and what was minor and ended long ago leaves the list."""

from __future__ import annotations

from datetime import timedelta

from ioc.errors import StoreUnavailableError
from ioc.logs import logger
from ioc.ports import Clock
from ioc.storage.alert_actions import AlertActions
from ioc.storage.kept_answers import KeptAnswers
from ioc.storage.suppressions import SuppressionStore

_log = logger("shelves")
PERIOD = timedelta(seconds=5)
TIDY = timedelta(hours=1)


class ShelfKeeper:
    """Gives alerts back whose shelf or suppression is over, and forgets old answers; replicas may share it.

    Args:
        actions: what time does to alerts.
        suppressions: the register of what is off the list.
        answers: what requests with an ``Idempotency-Key`` were answered.
        clock: the time.
        returned_after: minor and info alerts that ended this long ago are acknowledged by themselves.
    """

    def __init__(
        self,
        actions: AlertActions,
        suppressions: SuppressionStore,
        answers: KeptAnswers,
        clock: Clock,
        *,
        returned_after: timedelta,
    ) -> None:
        self._actions, self._suppressions, self._answers = actions, suppressions, answers
        self._clock, self._returned_after = clock, returned_after

    async def run(self) -> None:
        """Live until cancelled; while the store is away, shelves wait."""
        tidy_at = self._clock.now()
        while True:
            try:
                if self._clock.now() >= tidy_at:
                    await self._answers.forget()
                    tidy_at = self._clock.now() + TIDY
                ended = await self._actions.end_shelves(now=self._clock.now())
                over = await self._suppressions.end_due(now=self._clock.now())
                now = self._clock.now()
                left = await self._actions.acknowledge_returned(ended_before=now - self._returned_after, now=now)
                if left:
                    _log.info("returned.acknowledged", count=left)
                if over:
                    _log.info("suppressions.ended", count=over)
                if ended:
                    _log.info("shelves.ended", count=ended)
            except StoreUnavailableError as error:
                _log.warning("shelves.waiting", reason=error.reason)
            await self._clock.sleep(PERIOD)
