"""Ending tasks so that they end: what Python 3.11 can lose on the way, and asking again where somebody loses it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Iterable
from typing import Any, TypeVar

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


async def let_arrive() -> None:
    """Turn the loop until what a server accepted in its last moment has a transport, which can be aborted.

    For servers that have just been closed: asyncio takes some turns from a connection's socket to its transport, and a
    loop that ends in between leaves the bare socket open.
    """
    for _ in range(_LAST_TURNS):
        await asyncio.sleep(0)


def mend_wait_for() -> None:
    """Let ``asyncio.wait_for`` keep cancellations on Python 3.11, as it does from 3.12 on (python/cpython#96764).

    The old one gives the result back and forgets the cancellation when both come in one turn of the loop. Our driver's
    pool waits with it, so a process that was told to stop in the wrong moment went on for ever.
    """
    if sys.version_info < (3, 12):
        asyncio.wait_for = _wait_for  # type: ignore[assignment]


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
    async with asyncio.timeout(timeout):
        return await awaitable
