"""The channel of feeds: how each one does, judged by our own clock as well."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from ioc.api.views import now_ms
from ioc.api.wall.channels import StateChannel
from ioc.ports import Clock

FEED_FIELDS = (
    "id", "state", "last_at", "received_at", "rate_per_min", "expected_period_s", "assets", "dead_letters",
)  # fmt: skip
FEED_LATE_PERIODS, FEED_LOST_PERIODS = 2, 3
PERIOD = timedelta(seconds=2)

FeedStatuses = Callable[[], Awaitable[Sequence[Mapping[str, Any]]]]


class FeedStates:
    """Keeps the channel up with what the intakes report.

    Args:
        statuses: every feed's status, as on the wire.
        channel: where walls see it.
        clock: time between looks.

    ``newest`` is what was seen last.
    """

    def __init__(self, statuses: FeedStatuses, channel: StateChannel, clock: Clock) -> None:
        self._statuses, self._channel, self._clock = statuses, channel, clock
        self.newest: Sequence[Mapping[str, Any]] = ()

    async def watch_feeds(self) -> None:
        """Live until cancelled.

        Raises:
            StoreUnavailableError: the store went away; watch again.
        """
        while True:
            at_ms = now_ms(self._clock)
            self.newest = [judge_feed(status, at_ms) for status in await self._statuses()]
            for name in self._channel.rows.keys() - {status["feed_id"] for status in self.newest}:
                self._channel.drop(name)
            for status in self.newest:
                row = [status["feed_id"], *(status[name] for name in FEED_FIELDS[1:])]
                self._channel.put(status["feed_id"], row)
            await self._clock.sleep(PERIOD)


def judge_feed(status: Mapping[str, Any], at_ms: int) -> Mapping[str, Any]:
    """Judge a feed by our own clock too: a report of an intake that has died would stay "live" for ever."""
    received_at, state = status["received_at"], status["state"]
    if received_at is None or state == "lost":
        return status
    periods = (at_ms - received_at) / 1000 / status["expected_period_s"]
    if periods > FEED_LOST_PERIODS:
        return {**status, "state": "lost"}
    return {**status, "state": "late"} if periods > FEED_LATE_PERIODS else status
