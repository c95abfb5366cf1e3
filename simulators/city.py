"""The city: every source on one world clock, its messages in order, carried to the wire."""

from __future__ import annotations

import asyncio
import heapq
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path

from ioc import cancellation
from ioc.ports import Clock
from simulators.faults import WireFaults
from simulators.feeds import port_office
from simulators.feeds.air import AirStations
from simulators.feeds.border import BorderGates
from simulators.feeds.cameras import Cameras
from simulators.feeds.citizens import Citizens
from simulators.feeds.energy import Grid
from simulators.feeds.networks import Networks
from simulators.feeds.passengers import Passengers
from simulators.feeds.registers import Registers
from simulators.feeds.tourism import Sites
from simulators.feeds.traffic import Roads
from simulators.feeds.transit import Vehicles
from simulators.feeds.tthc import OneStopOffices
from simulators.feeds.units import UnitReports
from simulators.feeds.vessels import Boats
from simulators.feeds.water import Gauges
from simulators.feeds.weather import WeatherStations
from simulators.leftovers import Leftovers, read_leftovers, write_leftovers
from simulators.message import Message
from simulators.province import Process, World
from simulators.scenario import Scenario
from simulators.wire.lines import DatagramSender, LineServer
from simulators.wire.mqtt import Publisher, broker
from simulators.wire.push import Pusher
from simulators.wire.shown import Showcase

SOURCES: tuple[type[Process], ...] = (
    AirStations,
    WeatherStations,
    Boats,
    BorderGates,
    Sites,
    UnitReports,
    Gauges,
    Roads,
    Grid,
    Cameras,
    Vehicles,
    OneStopOffices,
    Citizens,
    Networks,
    Registers,
    Passengers,
)
FEEDS = (*(source.feed_id for source in SOURCES), port_office.FEED)
"""Every feed of the city; what ports write comes from the boats."""
PUSHED = tuple(feed_id for feed_id in FEEDS if feed_id not in {"air", "vessels", "transit"})
"""Feeds that are pushed over HTTP; stations of air speak MQTT, boats AIS, buses are asked."""
_LISTENERS_S = 5.0
TICK = timedelta(milliseconds=200)
_RATE_OVER = timedelta(seconds=10)
_KEEP_EVERY = timedelta(seconds=10)


class Stamps(Enum):
    """Which time is written on the wire.

    With the clock's, a world that runs faster sends more and never from the future. With the world's, the messages are
    the same byte by byte at any speed, and a world that begins in the past must not overtake the clock.
    """

    CLOCK = "clock"
    WORLD = "world"


class City:
    """The pretend province. The same scenario, seed, scale, start and stamps give the same messages, byte by byte.

    Args:
        scenario: what happens.
        start_at: the world's beginning, which is also the first time on the wire.
        seed: of everything that is drawn.
        speed: world time to clock time.
        scale: how many boats, trucks and stations beside the real numbers.
        stamps: the times on the wire.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        start_at: datetime,
        seed: int = 7,
        speed: float = 1.0,
        scale: float = 1.0,
        stamps: Stamps = Stamps.CLOCK,
    ) -> None:
        self.scenario, self.start_at, self.speed, self._stamps = scenario, start_at, speed, stamps
        world = World(scenario, start_at, seed, scale, self.to_wire_time)
        self.sources = {source.feed_id: source(world) for source in SOURCES}
        self.faults = {source.feed_id: WireFaults(world, source.feed_id) for source in SOURCES}

    def to_wire_time(self, world_at: datetime) -> datetime:
        """Give the time that is written at an instant of the world; before the beginning world and clock run alike."""
        passed = world_at - self.start_at
        if passed < timedelta(0) or self._stamps is Stamps.WORLD:
            return world_at
        return self.start_at + passed / self.speed

    def to_world_time(self, begun_at: datetime, now: datetime) -> datetime:
        """Give the world's time, ``now``, of a city that was set going at ``begun_at``."""
        world_at = self.start_at + (now - begun_at) * self.speed
        return min(world_at, now) if self._stamps is Stamps.WORLD else world_at

    def beginning(self) -> Iterator[Message]:
        """Give what sources hand over at the start: hours that stations kept, reports of this morning."""
        for source in self.sources.values():
            yield from source.beginning()

    def under_way(self, now: datetime) -> Leftovers:
        """Give what would be left behind, were the city stopped now."""
        left = {source.feed_id: source.under_way() for source in self.sources.values()}
        return Leftovers(at=now, under_way={feed_id: records for feed_id, records in left.items() if records})

    def finish(self, leftovers: Leftovers) -> Iterator[Message]:
        """Say that what an earlier city left behind ended with it."""
        for feed_id, source in self.sources.items():
            yield from source.finish(leftovers.under_way.get(feed_id, []), leftovers.at)

    def messages(self, until: datetime) -> Iterator[Message]:
        """Give everything up to an instant of the world, in order."""
        streams = [self.faults[source.feed_id].through(source.run_until(until)) for source in self.sources.values()]
        return heapq.merge(*streams, key=lambda message: message.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Where the city's messages go.

    ``air_by_http`` pushes the stations' readings instead of running a broker; ``nmea_udp_port`` has the boats' lines
    sent there as datagrams too; ``transit_port`` shows the buses' positions to who asks there.
    """

    url: str
    keys: Mapping[str, str]
    mqtt_port: int
    nmea_port: int
    air_by_http: bool = False
    nmea_udp_port: int | None = None
    transit_port: int | None = None


class Carrier:
    """Runs a city against the clock: an MQTT broker and an NMEA server of its own, pushes to the IOC.

    ``leftovers`` is the file that tells the next city on the same data what this one left under way.
    """

    def __init__(self, city: City, reach: Reach, clock: Clock, *, leftovers: Path | None = None) -> None:
        self._city, self._reach, self._clock, self._leftovers = city, reach, clock, leftovers
        self._kept_at: datetime | None = None
        self._pusher = Pusher(reach.url, reach.keys)
        self._publisher = Publisher(reach.mqtt_port)
        self._lines = LineServer(reach.nmea_port)
        self._datagrams: DatagramSender | None = None
        self._showcase = None if reach.transit_port is None else Showcase(reach.transit_port)
        self._recent: deque[tuple[datetime, Counter[str]]] = deque(maxlen=128)
        self._hang_ups = 0
        self.begun_at = clock.now()
        self.sent: Counter[str] = Counter()

    @property
    def rejected(self) -> Mapping[str, int]:
        """Records that the IOC could not read, by feed; a city without faults has none."""
        return self._pusher.rejected

    @property
    def dropped(self) -> Mapping[str, int]:
        """Messages given up because nobody took them, by feed."""
        return self._pusher.dropped + Counter(air=self._publisher.dropped_count)

    @property
    def waiting(self) -> Mapping[str, int]:
        """Messages that wait to be taken, by feed; lines of AIS wait for nobody."""
        return self._pusher.waiting + Counter(air=self._publisher.waiting_count)

    @property
    def listeners_count(self) -> int:
        """How many listen to the AIS shore station."""
        return self._lines.client_count

    def rates_per_s(self) -> Mapping[str, float]:
        """Give messages per second and feed over the last seconds."""
        if len(self._recent) < 2:
            return {}
        (first_at, before), (last_at, after) = self._recent[0], self._recent[-1]
        passed_s = max(1e-3, (last_at - first_at).total_seconds())
        return {feed_id: (count - before[feed_id]) / passed_s for feed_id, count in after.items()}

    async def run(self, on_tick: Callable[[Carrier], None] = lambda _: None) -> None:
        """Live until cancelled."""
        async with AsyncExitStack() as stack:
            if not self._reach.air_by_http:
                self._publisher.is_heard = await stack.enter_async_context(broker(self._reach.mqtt_port))
            await stack.enter_async_context(self._lines)
            if self._showcase is not None:
                await stack.enter_async_context(self._showcase)
            if self._reach.nmea_udp_port is not None:
                self._datagrams = stack.enter_context(DatagramSender("127.0.0.1", self._reach.nmea_udp_port))
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pusher.run(), name="push")
                if not self._reach.air_by_http:
                    group.create_task(self._publisher.run(), name="mqtt")
                group.create_task(self._tick(on_tick), name="city")

    async def _tick(self, on_tick: Callable[[Carrier], None]) -> None:
        await self._wait_for_listeners()
        begun_at = self.begun_at = self._kept_at = self._clock.now()
        for message in [*await self._finish_earlier(), *self._city.beginning()]:
            self._carry(message)
        while True:
            now = self._clock.now()
            for number, message in enumerate(self._city.messages(self._city.to_world_time(begun_at, now))):
                self._carry(message)
                if number % 500 == 499:
                    # A world that runs much faster than the clock must not keep the senders from sending.
                    await asyncio.sleep(0)
            self._hang_up()
            await self._keep(now)
            self._recent.append((now, Counter(self.sent)))
            while len(self._recent) > 2 and now - self._recent[0][0] > _RATE_OVER:
                self._recent.popleft()
            on_tick(self)
            await self._clock.sleep(TICK)

    async def _finish_earlier(self) -> list[Message]:
        if self._leftovers is None or (left := await asyncio.to_thread(read_leftovers, self._leftovers)) is None:
            return []
        # A step that it told after it last kept count is older than this, too.
        at = min(left.at + _KEEP_EVERY, self.begun_at)
        return list(self._city.finish(replace(left, at=at)))

    async def _keep(self, now: datetime) -> None:
        if self._leftovers is not None and (self._kept_at is None or now - self._kept_at >= _KEEP_EVERY):
            self._kept_at = now
            await asyncio.to_thread(write_leftovers, self._leftovers, self._city.under_way(now))

    async def _wait_for_listeners(self) -> None:
        """Give the IOC a few seconds to listen: what boats say at the start is said once."""
        if self._datagrams is None:
            with suppress(TimeoutError):
                async with cancellation.timeout(_LISTENERS_S):
                    await self._lines.joined.wait()

    def _hang_up(self) -> None:
        """Cut the listeners off when the scenario has the shore station lose its line."""
        asked = self._city.faults["vessels"].hang_ups
        if asked > self._hang_ups:
            self._hang_ups = asked
            self._lines.hang_up()

    def _carry(self, message: Message) -> None:
        self.sent[message.feed_id] += 1
        if message.topic and not self._reach.air_by_http:
            self._publisher.send(message.topic, message.payload)
        elif message.feed_id == "vessels":
            self._lines.send(message.payload)
            if self._datagrams is not None:
                self._datagrams.send(message.payload)
        elif message.feed_id == "transit":
            if self._showcase is not None:
                self._showcase.show(message.feed_id, message.payload)
        else:
            self._pusher.send(message.feed_id, message.payload)
