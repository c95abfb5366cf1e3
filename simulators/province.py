"""What the pretend sources share: one world with its clock and its sky, and a queue of things to do."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from simulators.message import Message, WireTime
from simulators.scenario import Effect, Scenario
from simulators.sky import Sky

PROVINCE_TIME = ZoneInfo("Asia/Ho_Chi_Minh")


@dataclass(frozen=True)
class World:
    """What every source knows: the scenario, when it began, and which time to write on the wire."""

    scenario: Scenario
    start_at: datetime
    seed: int
    scale: float
    wire_time: WireTime
    sky: Sky = field(init=False)

    def __post_init__(self) -> None:
        sky = Sky(self.scenario, self.start_at, self.hour, Random(f"{self.seed}/sky"))
        object.__setattr__(self, "sky", sky)

    def hour(self, at: datetime) -> float:
        """Give the hour of the province's day, 0–24; a scenario may begin its day at an hour of its own."""
        if self.scenario.begins_at_h is None:
            local = at.astimezone(PROVINCE_TIME)
            return local.hour + local.minute / 60 + local.second / 3_600
        return (self.scenario.begins_at_h + (at - self.start_at).total_seconds() / 3_600) % 24

    def acting(self, name: str, at: datetime) -> list[tuple[Effect, float]]:
        """Give the scenario's effects of a name at an instant of the world, with their strength."""
        return self.scenario.acting(name, at - self.start_at)

    def random(self, name: str) -> Random:
        """Give a source of chance of one's own."""
        return Random(f"{self.seed}/{name}")

    def write_time(self, at: datetime) -> str:
        """Write an instant as it goes on the wire, in the province's time."""
        return self.wire_time(at).astimezone(PROVINCE_TIME).isoformat(timespec="milliseconds")


class Process:
    """A source as a queue of things to do in world time. The same seed does the same, however the time is cut up."""

    feed_id: ClassVar[str]

    def __init__(self, world: World) -> None:
        self.world = world
        self.random = world.random(self.feed_id)
        self._queue: list[tuple[datetime, int, Any]] = []
        self._ordinals = count()

    def schedule(self, at: datetime, item: Any) -> None:
        """Plan something."""
        heapq.heappush(self._queue, (at, next(self._ordinals), item))

    def beginning(self) -> Iterator[Message]:
        """Give what is sent at the very start, before time runs."""
        return iter(())

    def under_way(self) -> list[dict[str, Any]]:
        """Give what would never be heard to end, were the world stopped now, as records that JSON can carry."""
        return []

    def finish(self, left: list[dict[str, Any]], at: datetime) -> Iterator[Message]:
        """Say that what another world left ``under_way`` was over at an instant of the clock."""
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
