"""Group commit: whatever callers append while the disk is busy goes into the next transaction together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from ioc import cancellation
from ioc.errors import IocError, LogUnavailableError
from ioc.messaging.embedded.file import Block, LogFile, Positions
from ioc.messaging.embedded.wakeup import Wakeup
from ioc.ports import Clock, TopicPartition

TRANSACTION_BYTES = 16 * 1024 * 1024
WAITING_CALLERS = 256
"""Callers that may hand over blocks at a time; more of them wait their turn."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Request:
    blocks: Sequence[Block]
    done: asyncio.Future[None]


class GroupCommit:
    """The one writer of this process. State lives on the loop; the thread only writes what it is given.

    Args:
        file: the writer's own connection.
        wakeup: rung after every transaction that brought items.
        clock: stamps blocks for retention.
        deadline: how long a caller waits for the disk.
    """

    def __init__(self, file: LogFile, *, wakeup: Wakeup, clock: Clock, deadline: timedelta) -> None:
        self.file, self._wakeup, self._clock, self._deadline = file, wakeup, clock, deadline
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="log-writer")
        self._waiting: list[_Request] = []
        self._positions: dict[tuple[str, TopicPartition], int] = {}
        self._places = asyncio.Semaphore(WAITING_CALLERS)
        self._flight: asyncio.Future[None] | None = None
        self._is_open = False

    async def open(self) -> None:
        """Open the file in the writer's thread."""
        await self.run(self.file.open)
        self._is_open = True

    async def close(self) -> None:
        """Finish what is under way, refuse what waits, keep the positions, close the file."""
        self._is_open = False
        refused, self._waiting = self._waiting, []
        for request in refused:
            if not request.done.done():
                request.done.set_exception(LogUnavailableError("it was closed before this was written"))
        try:
            await self.flush_positions()
        finally:
            await self.run(self.file.close)
            self._thread.shutdown(wait=True)

    async def append(self, blocks: Sequence[Block]) -> None:
        """Write blocks; returns when they are on disk.

        Raises:
            LogUnavailableError: the disk refused them or did not answer in time.
        """
        try:
            async with cancellation.timeout(self._deadline.total_seconds()), self._places:
                if not self._is_open:
                    raise LogUnavailableError("it is closed")
                request = _Request(blocks, asyncio.get_running_loop().create_future())
                self._waiting.append(request)
                self._take_off()
                await request.done
        except TimeoutError:
            raise LogUnavailableError(
                f"the disk did not confirm within {self._deadline.total_seconds():.0f} s"
            ) from None

    def keep_positions(self, group: str, positions: Mapping[TopicPartition, int]) -> None:
        """Remember where a group stands; written along with the next transaction, or by ``flush_positions``."""
        self._positions.update({(group, partition): offset for partition, offset in positions.items()})

    async def flush_positions(self) -> None:
        """Write the positions that no transaction has taken along yet."""
        positions, self._positions = self._positions, {}
        if positions:
            await self.run(lambda: self.file.append((), positions, at_ms=0))

    async def run(self, work: Callable[[], T]) -> T:
        """Do something with the writer's file, in its thread, after what is under way."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _take_off(self) -> None:
        """Start the next transaction, unless one is under way or nobody waits."""
        if self._flight is not None or not self._waiting:
            return
        aboard: list[_Request] = []
        bytes_count = 0
        for request in self._waiting:
            if aboard and bytes_count > TRANSACTION_BYTES:
                break
            aboard.append(request)
            bytes_count += sum(len(block.payload) for block in request.blocks)
        del self._waiting[: len(aboard)]
        positions, self._positions = self._positions, {}
        at_ms = int(self._clock.now().timestamp() * 1000)
        loop = asyncio.get_running_loop()
        self._flight = loop.run_in_executor(self._thread, self._write, aboard, positions, at_ms)
        self._flight.add_done_callback(lambda flight: self._land(flight, aboard))

    def _write(self, requests: Sequence[_Request], positions: Positions, at_ms: int) -> None:
        self.file.append([block for request in requests for block in request.blocks], positions, at_ms=at_ms)
        self._wakeup.ring_others()

    def _land(self, flight: asyncio.Future[None], aboard: Sequence[_Request]) -> None:
        self._flight = None
        fault = LogUnavailableError("writing was broken off") if flight.cancelled() else flight.exception()
        for request in aboard:
            if request.done.done():
                continue
            if fault is None:
                request.done.set_result(None)
            else:
                request.done.set_exception(_copy(fault))
        if fault is None:
            self._wakeup.ring()
        self._take_off()


def _copy(fault: BaseException) -> BaseException:
    # Each caller raises its own: one exception raised in several tasks would collect all their tracebacks.
    return LogUnavailableError(fault.reason) if isinstance(fault, LogUnavailableError) else _unexpected(fault)


def _unexpected(fault: BaseException) -> IocError:
    return LogUnavailableError(f"the writer failed: {fault!r}")
