"""Ending tasks so that they end: what Python 3.11 can lose on the way, and asking again where somebody loses it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar

Result = TypeVar("Result")

_AGAIN_S = 5.0
"""Longer than any clean-up of ours takes; a second request in its midst would break it off."""
_LAST_TURNS = 8


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until they have ended. A task that lost its cancellation is asked again."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_AGAIN_S)


async def let_finish(task: asyncio.Task[Any]) -> None:
    """Wait until a task has ended by itself, however often the one that waits is asked to end meanwhile.

    For what takes a bounded time and must not be left half known. Its error counts as fetched.
    """
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([task])
    if not task.cancelled():
        task.exception()


async def let_arrive() -> None:
    """Turn the loop until what a server accepted in its last moment has a transport, which can be aborted.

    For servers that have just been closed: asyncio takes some turns from a connection's socket to its transport, and a
    loop that ends in between leaves the bare socket open.
    """
    for _ in range(_LAST_TURNS):
        await asyncio.sleep(0)


def timeout(delay_s: float | None) -> asyncio.Timeout:
    """Give up after so many seconds, as ``asyncio.timeout`` does, also in a task that is being ended already.

    Cleaning up is bounded so. Early Pythons 3.11, such as Debian 12's 3.11.2, took the end of the time there for one
    more request to end: what was to follow, a kill or a note in the store, was left undone (python/cpython#102780).
    """
    return _Timeout(None if delay_s is None else asyncio.get_running_loop().time() + delay_s)


class _Timeout(asyncio.Timeout):  # type: ignore[misc]  # final for typing only
    """Tells its own request to end from those before it."""

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self._requests_before = _count_requests()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, trace)
        is_ours = self.expired() and kind is not None and issubclass(kind, asyncio.CancelledError)
        if is_ours and _count_requests() <= self._requests_before:
            raise TimeoutError from error


def _count_requests() -> int:
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


def mend_wait_for() -> None:
    """Let ``asyncio.wait_for`` keep cancellations on Python 3.11, as it does from 3.12 on (python/cpython#96764).

    The old one gives the result back and forgets the cancellation when both come in one turn of the loop. Our driver's
    pool waits with it, so a process that was told to stop in the wrong moment went on for ever.
    """
    if sys.version_info < (3, 12):
        asyncio.wait_for = _wait_for  # type: ignore[assignment]


_until = timeout  # the argument below has the name that asyncio gave it


async def _wait_for(awaitable: Awaitable[Result], timeout: float | None) -> Result:
    if timeout is not None and timeout <= 0:
        future = asyncio.ensure_future(awaitable)
        if future.done():
            return future.result()
        future.cancel()
        try:
            await future
        except asyncio.CancelledError as error:
            raise TimeoutError from error
        return future.result()
    async with _until(timeout):
        return await awaitable
