"""What tests of the feeds share: recorded payloads, a stepped clock, a log in memory that can be told to fail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from connectors.feed import Feed, Form
from connectors.inventory import load_inventory
from connectors.registry import open_feed
from ioc.domain.events import DeadLetter, Event
from ioc.errors import LogUnavailableError
from ioc.ports import LogItem, Topic

RECEIVED_AT = datetime(2026, 11, 23, 2, 2, tzinfo=UTC)
FIXTURES = Path(__file__).parents[1] / "fixtures" / "feeds"
RECORDED = Path(__file__).parents[2].parent / "shared" / "data"
PSEUDONYM_KEY = bytes(range(32))


@dataclass(frozen=True)
class Recording:
    """A recorded payload of a feed and how many records lie in it."""

    feed_id: str
    file: str
    form: Form
    record_count: int

    def read(self) -> bytes:
        return (FIXTURES / self.feed_id / self.file).read_bytes()


RECORDINGS = (
    Recording("air", "readings.json", Form.JSON, 17),
    Recording("weather", "observations.json", Form.JSON, 10),
    Recording("vessels", "sentences.nmea", Form.NMEA, 12),
    Recording("border", "steps.json", Form.JSON, 13),
    Recording("tourism", "counts.json", Form.JSON, 17),
    Recording("units", "reports.json", Form.JSON, 6),
    Recording("water", "gauges.json", Form.JSON, 11),
    Recording("traffic", "roads.json", Form.JSON, 11),
    Recording("energy", "supply.json", Form.JSON, 10),
    Recording("cameras", "seen.json", Form.JSON, 9),
    Recording("transit", "vehicles.pb", Form.GTFS_RT, 10),
    Recording("tthc", "cases.json", Form.JSON, 11),
    Recording("citizens", "reports.json", Form.JSON, 7),
    Recording("networks", "states.json", Form.JSON, 11),
    Recording("registers", "entries.json", Form.JSON, 12),
    Recording("ports", "papers.json", Form.JSON, 11),
    Recording("passengers", "counts.json", Form.JSON, 8),
    Recording("sensorthings", "observations.json", Form.JSON, 12),
    Recording("ngsi_ld", "notification.json", Form.NGSI_LD, 11),
)


def fresh_feed(feed_id: str) -> Feed:
    """A feed with the shipped inventory and nothing remembered."""
    return open_feed(feed_id, stations=load_inventory(), pseudonym_key=PSEUDONYM_KEY)


class SteppedClock:
    """A clock that moves when it is told to, and by what is slept."""

    def __init__(self, now: datetime = RECEIVED_AT) -> None:
        self._now = now
        self.slept: list[timedelta] = []
        self._moved = asyncio.Condition()

    def now(self) -> datetime:
        return self._now

    async def sleep(self, delay: timedelta) -> None:
        self.slept.append(delay)
        until = self._now + delay
        async with self._moved:
            await self._moved.wait_for(lambda: self._now >= until)

    async def step(self, delay: timedelta) -> None:
        async with self._moved:
            self._now += delay
            self._moved.notify_all()


class HastyClock:
    """A clock whose sleeps end at once and move it."""

    def __init__(self, now: datetime = RECEIVED_AT) -> None:
        self._now = now
        self.slept: list[timedelta] = []

    def now(self) -> datetime:
        return self._now

    async def sleep(self, delay: timedelta) -> None:
        self.slept.append(delay)
        self._now += delay
        await asyncio.sleep(0)


@dataclass
class FakeLog:
    """The appending side of an event log, in memory. ``gate`` holds appends back, ``faults`` makes them fail."""

    events: list[Event] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    appends: list[tuple[Topic, int]] = field(default_factory=list)
    faults: list[LogUnavailableError] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def append(self, topic: Topic, items: Sequence[LogItem]) -> None:
        await self.gate.wait()
        await asyncio.sleep(0)
        if self.faults:
            raise self.faults.pop(0)
        self.appends.append((topic, len(items)))
        for item in items:
            if isinstance(item, DeadLetter):
                self.letters.append(item)
            elif isinstance(item, Event):
                self.events.append(item)


async def eventually(holds: Callable[[], bool], *, deadline_s: float = 30) -> None:
    """Wait until something holds; TimeoutError when it does not in time."""
    async with asyncio.timeout(deadline_s):
        while not holds():  # noqa: ASYNC110  what is waited for may lie in another process
            await asyncio.sleep(0.005)
