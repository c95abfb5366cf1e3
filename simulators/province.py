"""What the pretend sources share: the clock of the world as a queue of things to do, and the scenario's effects."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from simulators.message import Message, WireTime
from simulators.scenario import Effect, Scenario

PROVINCE_TIME = ZoneInfo("Asia/Ho_Chi_Minh")


class Process:
    """A source as a queue of things to do in world time. The same seed does the same, however the time is cut up."""

    feed_id: ClassVar[str]

    def __init__(self, scenario: Scenario, start_at: datetime, random: Random, wire_time: WireTime) -> None:
        self.scenario, self.start_at, self.random, self.wire_time = scenario, start_at, random, wire_time
        self._queue: list[tuple[datetime, int, Any]] = []
        self._ordinals = count()

    def schedule(self, at: datetime, item: Any) -> None:
        """Plan something."""
        heapq.heappush(self._queue, (at, next(self._ordinals), item))

    def acting(self, name: str, at: datetime) -> list[tuple[Effect, float]]:
        """Give the scenario's effects of a name at an instant of the world, with their strength."""
        return self.scenario.acting(name, at - self.start_at)

    def beginning(self) -> Iterator[Message]:
        """Give what is sent at the very start, before time runs."""
        return iter(())

    def run_until(self, until: datetime) -> Iterator[Message]:
        """Do everything that is due before ``until``, in order."""
        while self._queue and self._queue[0][0] < until:
            at, _, item = heapq.heappop(self._queue)
            yield from self.act(at, item)

    def act(self, at: datetime, item: Any) -> Iterator[Message]:
        """Do one thing."""
        raise NotImplementedError

    def in_(self, low_s: float, high_s: float) -> timedelta:
        """Draw a span of time."""
        return timedelta(seconds=self.random.uniform(low_s, high_s))
