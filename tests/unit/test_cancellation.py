"""A cancellation that comes in the same turn of the loop as the result must not be forgotten."""

from __future__ import annotations

import asyncio
import sys

import pytest

from ioc import cancellation


@pytest.fixture
def mended(monkeypatch):
    monkeypatch.setattr(asyncio, "wait_for", asyncio.wait_for)
    cancellation.mend_wait_for()


async def _wait_until_cancelled_with_the_result_at_hand() -> bool:
    """Say whether the waiting task was cancelled."""
    result = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(_wait(result))
    await asyncio.sleep(0)
    result.set_result(None)
    waiting.cancel()
    await asyncio.wait({waiting})
    return waiting.cancelled()


async def _wait(result: asyncio.Future[None]) -> None:
    await asyncio.wait_for(result, 5)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="this Python keeps the cancellation by itself")
async def test_this_pythons_own_wait_for_forgets_it(monkeypatch):
    monkeypatch.setattr(asyncio, "wait_for", asyncio.tasks.wait_for)
    assert not await _wait_until_cancelled_with_the_result_at_hand()


async def test_the_mended_one_keeps_it(mended):
    assert await _wait_until_cancelled_with_the_result_at_hand()


async def test_the_mended_one_gives_results_and_runs_out_of_time(mended):
    assert await asyncio.wait_for(asyncio.sleep(0, "done"), 1) == "done"
    for deadline_s in (0.01, 0, -1):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.sleep(10), deadline_s)


async def test_a_task_that_loses_its_cancellation_is_asked_again(monkeypatch):
    monkeypatch.setattr(cancellation, "_AGAIN_S", 0.01)
    lost = 0

    async def lose_two() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                lost += 1
                if lost > 2:
                    raise

    task = asyncio.create_task(lose_two())
    await asyncio.sleep(0)
    await cancellation.end([task])
    assert task.cancelled()
    assert lost == 3


async def test_cleaning_up_can_run_out_of_time_and_goes_on():
    """On Debian 12's Python ``asyncio.timeout`` breaks the cleaning up off."""
    said: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(10)
        finally:
            try:
                async with cancellation.timeout(0.01):
                    await asyncio.sleep(10)
            except TimeoutError:
                said.append("given up")
            await asyncio.sleep(0)
            said.append("cleaned up")

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert said == ["given up", "cleaned up"]
    assert task.cancelled()


async def test_a_request_to_end_that_comes_within_the_time_is_none_of_the_time():
    async def work() -> None:
        async with cancellation.timeout(10):
            await asyncio.sleep(10)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    with pytest.raises(TimeoutError):
        async with cancellation.timeout(0):
            await asyncio.sleep(10)
    async with cancellation.timeout(None):
        await asyncio.sleep(0)
