"""Whether alerts are judged: what came on the log, beside how far the worker's stored positions have come."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

from ioc.errors import IocError
from ioc.logs import logger
from ioc.ports import Clock, EventLog, Topic, TopicPartition

_log = logger("wall.judging")

TOPICS = (Topic.EVENTS, Topic.SIGNALS)
PERIOD = timedelta(seconds=2)
PATIENCE = timedelta(seconds=15)
PATIENCE_AT_START = timedelta(seconds=60)
"""Until the worker has been seen at work: it may be starting too, or be catching up."""

MOST_ARRIVALS = 1_800
"""An hour's looks; what comes after them counts as come with the last of them."""

Positions = Callable[[frozenset[TopicPartition]], Awaitable[Mapping[TopicPartition, int]]]


class Judging:
    """Follows how far alerts are judged.

    An arrival is what grew on the log between two looks, and where its end was then. It is judged when the stored
    positions have passed that end. Where nothing comes, nothing waits: an idle province is never late.

    Args:
        log: its ends.
        positions: where the worker's group stands.
        clock: time between looks.

    ``unjudged_since`` is when the oldest came of what has waited for too long; None while nothing has.
    """

    def __init__(self, log: EventLog, positions: Positions, clock: Clock) -> None:
        self._log, self._positions, self._clock = log, positions, clock
        self._ends: Mapping[TopicPartition, int] | None = None
        self._arrivals: deque[tuple[datetime, dict[TopicPartition, int]]] = deque()
        self._patience = PATIENCE_AT_START
        self.unjudged_since: datetime | None = None

    async def watch(self) -> None:
        """Live until cancelled. While the store is away nothing is seen to be judged, so what comes waits."""
        while True:
            try:
                await self.look()
            except IocError as error:
                _log.debug("judging.unknown", reason=str(error))
            await self._clock.sleep(PERIOD)

    async def look(self) -> None:
        """Look once.

        Raises:
            LogUnavailableError: what was known stands.
            StoreUnavailableError: what has come since the last look waits.
        """
        ends = await self._log.end_offsets(TOPICS)
        now = self._clock.now()
        self._note(ends, now)
        try:
            self._strike(await self._positions(frozenset(ends)))
        finally:
            oldest = self._arrivals[0][0] if self._arrivals else now
            self.unjudged_since = oldest if now - oldest > self._patience else None

    def describe(self) -> str:
        """Say it in words, for whoever asks how the process does."""
        since = self.unjudged_since
        return "alerts are judged" if since is None else f"alerts have not been judged since {since:%Y-%m-%dT%H:%M:%SZ}"

    def _note(self, ends: Mapping[TopicPartition, int], now: datetime) -> None:
        known, self._ends = self._ends, ends
        if known is None:
            return
        grown = {partition: end for partition, end in ends.items() if end > known.get(partition, 0)}
        if grown and len(self._arrivals) < MOST_ARRIVALS:
            self._arrivals.append((now, grown))
        elif grown:
            self._arrivals[-1][1].update(grown)

    def _strike(self, positions: Mapping[TopicPartition, int]) -> None:
        while self._arrivals and all(positions.get(part, 0) >= end for part, end in self._arrivals[0][1].items()):
            self._arrivals.popleft()
            self._patience = PATIENCE
