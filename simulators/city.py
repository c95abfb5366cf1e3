"""The city: every source on one world clock, its messages in order, carried to the wire."""

from __future__ import annotations

import asyncio
import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from ioc.ports import Clock
from simulators.feeds.air import AirStations
from simulators.feeds.border import BorderGates
from simulators.feeds.tourism import Sites
from simulators.feeds.units import UnitReports
from simulators.feeds.vessels import Boats
from simulators.feeds.weather import WeatherStations
from simulators.message import Message
from simulators.province import Process
from simulators.scenario import Scenario
from simulators.wire.lines import LineServer
from simulators.wire.mqtt import Publisher, broker
from simulators.wire.push import Pusher

SOURCES: tuple[type[Process], ...] = (AirStations, WeatherStations, Boats, BorderGates, Sites, UnitReports)
PUSHED = ("weather", "border", "tourism", "units")
TICK = timedelta(milliseconds=200)


class City:
    """The pretend province.

    The world runs ``speed`` times as fast as the clock; what is written on the wire is the clock's time, so a faster
    world sends more and never from the future. The same scenario, seed, scale and start give the same messages, byte by byte.

    Args:
        scenario: what happens.
        start_at: the world's beginning, which is also the first time on the wire.
        seed: of everything that is drawn.
        speed: world time to clock time.
        scale: how many boats, trucks and stations beside the real ones.
    """

    def __init__(
        self, scenario: Scenario, *, start_at: datetime, seed: int = 7, speed: float = 1.0, scale: float = 1.0
    ) -> None:
        self.scenario, self.start_at, self.speed = scenario, start_at, speed
        self._sources: list[Process] = [
            source(scenario, start_at, Random(f"{seed}/{source.feed_id}"), self.to_wire_time, scale)  # type: ignore[call-arg]
            for source in SOURCES
        ]

    def to_wire_time(self, world_at: datetime) -> datetime:
        """Give the clock's time at an instant of the world; before the beginning both run alike."""
        passed = world_at - self.start_at
        return world_at if passed < timedelta(0) else self.start_at + passed / self.speed

    def to_world_time(self, at: datetime) -> datetime:
        """Give the world's time at an instant of the clock."""
        return self.start_at + (at - self.start_at) * self.speed

    def beginning(self) -> Iterator[Message]:
        """Give what sources hand over at the start."""
        for source in self._sources:
            yield from source.beginning()

    def messages(self, until: datetime) -> Iterator[Message]:
        """Give everything up to an instant of the world, in order."""
        return heapq.merge(*(source.run_until(until) for source in self._sources), key=lambda message: message.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Where the city's messages go."""

    url: str
    keys: Mapping[str, str]
    mqtt_port: int
    nmea_port: int


class Carrier:
    """Runs a city against the clock: an MQTT broker and an NMEA server of its own, pushes to the IOC."""

    def __init__(self, city: City, reach: Reach, clock: Clock) -> None:
        self._city, self._reach, self._clock = city, reach, clock
        self._pusher = Pusher(reach.url, reach.keys)
        self._publisher = Publisher(reach.mqtt_port)
        self.sent: Counter[str] = Counter()

    @property
    def rejected(self) -> Mapping[str, int]:
        """Records that the IOC could not read, by feed; a city without faults has none."""
        return self._pusher.rejected

    async def run(self, on_tick: Callable[[Carrier], None] = lambda _: None) -> None:
        """Live until cancelled."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(broker(self._reach.mqtt_port))
            lines = await stack.enter_async_context(LineServer(self._reach.nmea_port))
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pusher.run(), name="push")
                group.create_task(self._publisher.run(), name="mqtt")
                group.create_task(self._tick(lines, on_tick), name="city")

    async def _tick(self, lines: LineServer, on_tick: Callable[[Carrier], None]) -> None:
        for message in self._city.beginning():
            self._carry(message, lines)
        while True:
            for message in self._city.messages(self._city.to_world_time(self._clock.now())):
                self._carry(message, lines)
            on_tick(self)
            await self._clock.sleep(TICK)

    def _carry(self, message: Message, lines: LineServer) -> None:
        self.sent[message.feed_id] += 1
        if message.topic:
            self._publisher.send(message.topic, message.payload)
        elif message.feed_id == "vessels":
            lines.send(message.payload)
        else:
            self._pusher.send(message.feed_id, message.payload)
