"""One reading of the embedded log: fetches when asked, sleeps until the bell rings, pulses when nothing comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TypeVar

from ioc import cancellation
from ioc.errors import LogUnavailableError
from ioc.messaging.embedded.file import Fetched, LogFile
from ioc.messaging.embedded.wakeup import Wakeup
from ioc.ports import Batch, Slice, TopicPartition

LOOK = timedelta(seconds=0.25)
"""How often a reader looks without having been woken: a lost bell costs no more than this."""

T = TypeVar("T")
Commit = Callable[[Sequence[Slice]], Awaitable[None]]


class Reader:
    """Reads partitions from given positions. Its own connection and thread keep it from waiting for writers.

    Args:
        file: the reader's own connection.
        wakeup: tells that something was appended.
        deadline: how long one fetch may take.
    """

    def __init__(self, file: LogFile, *, wakeup: Wakeup, deadline: timedelta) -> None:
        self._file, self._wakeup, self._deadline = file, wakeup, deadline
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="log-reader")
        self._is_closed = False
        self.positions: dict[TopicPartition, int] = {}

    async def open(self) -> None:
        """Open the file in the reader's thread."""
        await self._run(self._file.open)

    async def close(self) -> None:
        """Close the file after the fetch that may be under way. Closing twice is harmless."""
        if not self._is_closed:
            self._is_closed = True
            await asyncio.get_running_loop().run_in_executor(self._thread, self._file.close)
            self._thread.shutdown(wait=False)

    async def ends(self) -> Mapping[TopicPartition, int]:
        """Ask where the partitions end."""
        return await self._run(self._file.ends)

    async def batches(
        self, *, max_items: int, pulse: timedelta, commit: Commit | None = None
    ) -> AsyncGenerator[Batch, None]:
        """Give what lies behind the positions, batch by batch, for as long as the caller asks."""
        loop = asyncio.get_running_loop()
        pulse_due = loop.time() + pulse.total_seconds()
        while True:
            heard = self._wakeup.rung_count
            fetched = await self._fetch(max_items)
            if fetched.slices:
                self.positions.update({part.partition: part.next_offset for part in fetched.slices})
                yield self._batch(fetched, commit)
            elif loop.time() >= pulse_due:
                yield self._batch(fetched, None)
            else:
                remaining_s = pulse_due - loop.time()
                await self._wakeup.wait(heard=heard, timeout_s=min(LOOK.total_seconds(), remaining_s))
                continue
            pulse_due = loop.time() + pulse.total_seconds()

    def _batch(self, fetched: Fetched, commit: Commit | None) -> Batch:
        caught_up = frozenset(
            partition for partition, position in self.positions.items() if position >= fetched.ends[partition]
        )
        settle = None if commit is None else (lambda: commit(fetched.slices))
        return Batch(slices=fetched.slices, caught_up=caught_up, commit=settle)

    async def _fetch(self, max_items: int) -> Fetched:
        positions = dict(self.positions)
        return await self._run(lambda: self._file.fetch(positions, max_items))

    async def _run(self, work: Callable[[], T]) -> T:
        if self._is_closed:
            raise LogUnavailableError("it is closed")
        try:
            async with cancellation.timeout(self._deadline.total_seconds()):
                return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except TimeoutError:
            raise LogUnavailableError(
                f"the disk did not answer within {self._deadline.total_seconds():.0f} s"
            ) from None
