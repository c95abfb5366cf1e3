"""One supervisor keeps every feed's connector running, each on its own, without hammering a source that is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from random import Random

import pytest

from connectors.registry import make_board
from connectors.status import FeedBoard
from connectors.supervisor import Supervisor
from ioc.errors import LogUnavailableError, SourceLostError
from ioc.ports import Sink
from ioc.retry import Backoff
from tests.support.feeds import RECEIVED_AT, HastyClock, SteppedClock, eventually, fresh_feed
from tests.support.tasks import running


class FakeConnector:
    """Does one thing per start, from a list; when the list is used up it stays."""

    def __init__(self, feed_id: str, *faults: Exception | None, lasts: Callable[[], None] = lambda: None) -> None:
        self.feed_id, self.starts = feed_id, 0
        self._faults, self._lasts = list(faults), lasts

    async def run(self, sink: Sink) -> None:
        self.starts += 1
        if not self._faults:
            await asyncio.Event().wait()
        fault = self._faults.pop(0)
        self._lasts()
        if fault is not None:
            raise fault


async def _sink(*_: object, **__: object) -> None:
    raise AssertionError("nothing is brought in here")


@asynccontextmanager
async def supervised(
    connectors: Sequence[FakeConnector], clock: HastyClock | SteppedClock, board: FeedBoard, **settings: object
) -> AsyncIterator[None]:
    supervisor = Supervisor(connectors, _sink, board, clock, random=Random(1), sweep=timedelta(days=365), **settings)
    async with running(supervisor.run()):
        yield


@pytest.fixture
def board() -> FeedBoard:
    return make_board([fresh_feed("air"), fresh_feed("vessels")])


async def test_waits_grow_with_full_jitter_up_to_the_longest(board):
    clock, lost = HastyClock(), [SourceLostError("away")] * 40
    connector = FakeConnector("air", *lost)
    backoff = Backoff(first=timedelta(seconds=1), longest=timedelta(seconds=8))
    async with supervised([connector], clock, board, backoff=backoff):
        await eventually(lambda: connector.starts == 41)
    waits = [wait for wait in clock.slept if wait < timedelta(days=1)]
    ceilings = [timedelta(seconds=seconds) for seconds in (1, 2, 4, 8)] + [timedelta(seconds=8)] * 36
    assert len(waits) == 40
    assert all(timedelta() < wait <= ceiling for wait, ceiling in zip(waits, ceilings, strict=True))
    assert len(set(waits)) == 40
    assert max(waits) > timedelta(seconds=4)


@pytest.mark.parametrize(("lasted_s", "is_steady"), [(59, False), (61, True)])
async def test_a_connector_that_ran_steadily_begins_with_the_shortest_wait_again(board, lasted_s, is_steady):
    clock = HastyClock()

    def last() -> None:
        clock._now += timedelta(seconds=lasted_s)

    connector = FakeConnector("air", *[SourceLostError("away")] * 20, lasts=last)
    backoff = Backoff(first=timedelta(seconds=1), longest=timedelta(seconds=8))
    async with supervised([connector], clock, board, backoff=backoff, steady_after=timedelta(seconds=60)):
        await eventually(lambda: connector.starts == 21)
    longest = max(wait for wait in clock.slept if wait < timedelta(days=1))
    assert (longest <= timedelta(seconds=1)) is is_steady


@pytest.mark.parametrize(
    "fault", [SourceLostError("away"), LogUnavailableError("full"), RuntimeError("a fault in our own code"), None]
)
async def test_one_feed_that_fails_leaves_the_others_alone(board, fault):
    failing, steady = FakeConnector("air", *[fault] * 5), FakeConnector("vessels")
    async with supervised([failing, steady], HastyClock(), board):
        await eventually(lambda: failing.starts == 6)
    assert steady.starts == 1


async def test_the_board_says_which_source_is_connected(board):
    clock = SteppedClock(RECEIVED_AT)
    connector = FakeConnector("air", SourceLostError("away"))
    async with supervised([connector], clock, board):
        await eventually(lambda: not board.monitor("air").is_connected)
        await clock.step(timedelta(minutes=1))
        await eventually(lambda: board.monitor("air").is_connected)
    assert connector.starts == 2
