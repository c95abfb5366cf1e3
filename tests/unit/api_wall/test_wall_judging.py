"""Whether alerts are judged: said when the worker stands still, and never where nothing waits."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta

import pytest

from ioc.api.wall.judging import MOST_ARRIVALS, PATIENCE, PATIENCE_AT_START, PERIOD, Judging
from ioc.errors import LogUnavailableError, StoreUnavailableError
from ioc.ports import Topic, TopicPartition
from tests.support.feeds import RECEIVED_AT, HastyClock, SteppedClock
from tests.support.tasks import running

EVENTS, OTHERS = (TopicPartition(Topic.EVENTS, number) for number in (0, 1))
SIGNALS = TopicPartition(Topic.SIGNALS, 0)


class Province:
    """A log that grows, a worker that follows, and what a hub says of both."""

    def __init__(self) -> None:
        self.clock = SteppedClock()
        self.ends = {EVENTS: 500, OTHERS: 500, SIGNALS: 40}
        self.stored = dict(self.ends)
        self.is_store_away = False
        self.judging = Judging(self, self.positions, self.clock)  # type: ignore[arg-type]

    async def end_offsets(self, topics: object) -> dict[TopicPartition, int]:
        return dict(self.ends)

    async def positions(self, partitions: frozenset[TopicPartition]) -> dict[TopicPartition, int]:
        if self.is_store_away:
            raise StoreUnavailableError("away")
        return {part: self.stored[part] for part in partitions if part in self.stored}

    async def pass_time(self, span: timedelta, *, events: int = 0, is_worker_up: bool = False) -> None:
        """Let a span go by, look by look; with each some events come."""
        for _ in range(span // PERIOD):
            await self.clock.step(PERIOD)
            self.ends[EVENTS] += events
            if is_worker_up:
                self.stored.update(self.ends)
            with suppress(StoreUnavailableError):
                await self.judging.look()

    @property
    def since(self) -> datetime | None:
        return self.judging.unjudged_since


@pytest.fixture
async def province():
    """A province at work."""
    province = Province()
    await province.judging.look()
    await province.pass_time(2 * PERIOD, events=3, is_worker_up=True)
    return province


async def test_a_worker_that_stands_still_is_told_with_the_time_and_forgotten_when_it_has_caught_up(province):
    stopped_at = province.clock.now()
    await province.pass_time(PATIENCE, events=5)
    assert province.since is None
    await province.pass_time(2 * PERIOD, events=5)
    assert province.since == stopped_at + PERIOD
    assert province.judging.describe() == f"alerts have not been judged since {province.since:%Y-%m-%dT%H:%M:%SZ}"
    await province.pass_time(timedelta(hours=2), events=5)
    assert province.since == stopped_at + PERIOD
    # It catches up: what is judged is told no more, until nothing waits for long.
    province.stored[EVENTS] += 10
    await province.pass_time(PERIOD, events=5)
    assert province.since == stopped_at + 3 * PERIOD
    await province.pass_time(PERIOD, events=5, is_worker_up=True)
    assert (province.since, province.judging.describe()) == (None, "alerts are judged")


async def test_one_partition_that_waits_is_enough(province):
    province.ends[OTHERS] += 1
    province.stored[EVENTS] += 10_000
    await province.pass_time(PATIENCE + 2 * PERIOD, events=5)
    assert province.since is not None


async def test_where_nothing_comes_nothing_waits(province):
    await province.pass_time(timedelta(hours=8))
    assert province.since is None


async def test_what_expired_unread_where_nothing_comes_any_more_is_no_news(province):
    province.stored[SIGNALS] = 0
    await province.pass_time(2 * PERIOD, events=5)
    province.stored[EVENTS] = province.ends[EVENTS]
    await province.pass_time(timedelta(hours=1))
    assert province.since is None


async def test_a_worker_that_starts_with_the_walls_may_take_longer():
    province = Province()
    province.stored = {}
    await province.judging.look()
    await province.pass_time(PATIENCE_AT_START, events=5)
    assert province.since is None
    await province.pass_time(PERIOD, events=5, is_worker_up=True)
    assert province.since is None


async def test_a_worker_that_was_down_before_the_walls_started_is_told_too():
    province = Province()
    await province.judging.look()
    await province.pass_time(PATIENCE_AT_START + 2 * PERIOD, events=5)
    assert province.since == RECEIVED_AT + PERIOD


async def test_while_the_store_is_away_what_comes_waits(province):
    province.is_store_away = True
    await province.pass_time(PATIENCE)
    assert province.since is None
    await province.pass_time(PATIENCE + 2 * PERIOD, events=5, is_worker_up=True)
    assert province.since is not None
    province.is_store_away = False
    await province.pass_time(PERIOD, events=5, is_worker_up=True)
    assert province.since is None


async def test_what_waits_for_days_takes_no_more_memory_and_is_told_until_its_end(province):
    stopped_at = province.clock.now()
    await province.pass_time((MOST_ARRIVALS + 10) * PERIOD, events=5)
    province.stored[EVENTS] = province.ends[EVENTS] - 1
    await province.pass_time(PERIOD)
    assert province.since == stopped_at + MOST_ARRIVALS * PERIOD
    province.stored[EVENTS] += 1
    await province.pass_time(PERIOD)
    assert province.since is None


async def test_it_goes_on_looking_when_the_log_has_been_away(province):
    ends = iter([LogUnavailableError("away"), *range(600, 600 + PATIENCE_AT_START // PERIOD + 3)])
    is_over = asyncio.Event()

    async def end_offsets(_: object) -> dict[TopicPartition, int]:
        end = next(ends, None)
        if end is None:
            is_over.set()
            await asyncio.Event().wait()
        if isinstance(end, LogUnavailableError):
            raise end
        return {EVENTS: end}

    province.end_offsets = end_offsets
    judging = Judging(province, province.positions, HastyClock())
    async with running(judging.watch()), asyncio.timeout(15):
        await is_over.wait()
    assert judging.unjudged_since is not None
