"""The event log of a single machine: one durable file, for any number of processes on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from ioc.domain.ids import partition_of
from ioc.errors import LogUnavailableError
from ioc.logs import logger
from ioc.messaging.codec import encode_block
from ioc.messaging.embedded.file import Block, LogFile
from ioc.messaging.embedded.group_commit import GroupCommit
from ioc.messaging.embedded.lease import Lease
from ioc.messaging.embedded.reader import LOOK, Commit, Reader
from ioc.messaging.embedded.retention import Retention, Trimmed, trim
from ioc.messaging.embedded.wakeup import Wakeup
from ioc.messaging.topics import partition_count, partitions_of, retention_of
from ioc.ports import Batch, Clock, Handover, LogItem, Slice, Start, Topic, TopicPartition

_log = logger("log")

BLOCK_ITEMS = 512
BLOCK_BYTES = 4 * 1024 * 1024
POSITIONS_EVERY = timedelta(seconds=1)
"""Positions on the log serve its retention only, so they get a disk write of their own no more often than this."""
HOUSEKEEPING_EVERY = timedelta(seconds=30)
"""How often a process looks for what retention lets go. Several processes looking is harmless."""


class EmbeddedLog:
    """An event log in one SQLite file; satisfies ``ioc.ports.EventLog``. Open it with ``async with``.

    Any number of processes may open the file. A group has one reader on the machine at a time, which has all
    partitions; further members stand by and take over when it ends or dies.

    Args:
        path: the file. Sockets and leases lie in folders beside it.
        prefix: put before topic names.
        partitions: of the topics that are spread; fixed once the file is made.
        retention: how long items stay after every registered group has read them.
        retention_bytes: size at which the oldest items go, read or not.
        clock: stamps what is appended, and says what is old.
        deadline: how long the disk may take for anything.

    Raises:
        ConfigurationError: on entering, when the file has another number of partitions.
        LogUnavailableError: on entering, when the file cannot be opened.
    """

    def __init__(
        self,
        path: Path,
        *,
        partitions: int = 4,
        prefix: str = "",
        retention: timedelta,
        retention_bytes: int,
        clock: Clock,
        deadline: timedelta = timedelta(seconds=10),
    ) -> None:
        self._path, self._partitions, self._prefix, self._clock, self._deadline = (
            path,
            partitions,
            prefix,
            clock,
            deadline,
        )
        self._retention = Retention(
            age_by_topic={topic: retention_of(topic, retention) for topic in Topic}, size_bytes=retention_bytes
        )
        self._tasks = asyncio.TaskGroup()
        self._housekeeping: asyncio.Task[None] | None = None
        self._wakeup = Wakeup(path.with_name(f"{path.name}.wake"))
        self._writer = GroupCommit(self._file(), wakeup=self._wakeup, clock=clock, deadline=deadline)
        self._asker = self._reader()
        self._open_readers: dict[Reader, Lease | None] = {}

    async def __aenter__(self) -> Self:
        try:
            await self._writer.open()
            self._wakeup.open()
            await self._asker.open()
            await self._tasks.__aenter__()
        except BaseException:
            await self._close()
            raise
        self._housekeeping = self._tasks.create_task(self._keep_house(), name="log-housekeeping")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._housekeeping is not None
        self._housekeeping.cancel()
        try:
            await self._tasks.__aexit__(kind, error, traceback)
        finally:
            await self._close()

    async def trim(self) -> Trimmed:
        """Let go of what retention does not keep. Done by itself twice a minute."""
        await self._writer.flush_positions()
        now = self._clock.now()
        trimmed = await self._writer.run(lambda: trim(self._writer.file, self._retention, now=now))
        for group, count in trimmed.unread_count.items():
            _log.warning(
                "log.unread_dropped", group=group, lost_count=count, retention_bytes=self._retention.size_bytes
            )
        return trimmed

    async def _keep_house(self) -> None:
        while True:
            try:
                await self.trim()
            except LogUnavailableError as error:
                # Appends say the same to their callers; here the next look may find the disk well again.
                _log.warning("log.trim_failed", reason=error.reason)
            await self._clock.sleep(HOUSEKEEPING_EVERY)

    async def _close(self) -> None:
        for reader, lease in list(self._open_readers.items()):
            await reader.close()
            if lease is not None:
                lease.release()
        await self._asker.close()
        await self._writer.close()
        self._wakeup.close()

    async def append(self, topic: Topic, items: Sequence[LogItem]) -> None:
        """Write a batch; returns when it is on disk, all of it."""
        if not items:
            return
        count = partition_count(topic, self._partitions)
        spread: dict[int, list[LogItem]] = {}
        for item in items:
            spread.setdefault(partition_of(item.partition_key, count), []).append(item)
        blocks: list[Block] = []
        for number, part in sorted(spread.items()):
            for start in range(0, len(part), BLOCK_ITEMS):
                blocks.extend(_blocks(TopicPartition(topic, number), part[start : start + BLOCK_ITEMS]))
        await self._writer.append(blocks)

    async def read(
        self,
        topics: Sequence[Topic],
        *,
        group: str,
        handover: Handover,
        max_items: int = 4_000,
        pulse: timedelta = timedelta(seconds=1),
    ) -> AsyncGenerator[Batch, None]:
        """Read as a member of ``group``: waits until no other member reads, then has every partition."""
        lease = Lease(self._path.with_name(f"{self._path.name}.groups"), self._prefix + group)
        reader = self._reader()
        self._open_readers[reader] = lease
        try:
            await self._take(lease, reader)
            partitions = frozenset(
                partition for topic in topics for partition in partitions_of(topic, self._partitions)
            )
            positions = await handover.assigned(partitions)
            try:
                await reader.open()
                reader.positions = {partition: positions.get(partition, 0) for partition in partitions}
                await self._register(group, reader.positions)
                batches = reader.batches(max_items=max_items, pulse=pulse, commit=self._committer(group))
                async with aclosing(batches):
                    async for batch in batches:
                        yield batch
            finally:
                await handover.revoked(partitions)
        finally:
            await reader.close()
            lease.release()
            self._open_readers.pop(reader, None)

    async def tail(
        self,
        topics: Sequence[Topic],
        *,
        start: Start = Start.END,
        max_items: int = 4_000,
        pulse: timedelta = timedelta(seconds=1),
    ) -> AsyncGenerator[Batch, None]:
        """Read every partition on one's own."""
        reader = self._reader()
        self._open_readers[reader] = None
        try:
            await reader.open()
            ends = await reader.ends()
            reader.positions = {
                partition: ends[partition] if start is Start.END else 0
                for topic in topics
                for partition in partitions_of(topic, self._partitions)
            }
            batches = reader.batches(max_items=max_items, pulse=pulse)
            async with aclosing(batches):
                async for batch in batches:
                    yield batch
        finally:
            await reader.close()
            self._open_readers.pop(reader, None)

    async def lag(self, positions: Mapping[TopicPartition, int]) -> int:
        """Count the items that lie behind the given positions."""
        ends = await self._asker.ends()
        return sum(max(0, ends[partition] - position) for partition, position in positions.items())

    async def end_offsets(self, topics: Sequence[Topic]) -> Mapping[TopicPartition, int]:
        """Give the next offset of every partition of the topics."""
        ends = await self._asker.ends()
        return {partition: end for partition, end in ends.items() if partition.topic in topics}

    def partition_count(self, topic: Topic) -> int:
        """Give the number of partitions of a topic."""
        return partition_count(topic, self._partitions)

    def _file(self) -> LogFile:
        return LogFile(self._path, prefix=self._prefix, partitions=self._partitions, patience=self._deadline / 2)

    def _reader(self) -> Reader:
        return Reader(self._file(), wakeup=self._wakeup, deadline=self._deadline)

    async def _take(self, lease: Lease, reader: Reader) -> None:
        if lease.try_take():
            return
        _log.info("group.standby", path=str(self._path))
        while not lease.try_take():
            # A lease has no bell: its holder may have been killed.
            await asyncio.sleep(LOOK.total_seconds())
            if reader not in self._open_readers:
                raise LogUnavailableError("it is closed")

    async def _register(self, group: str, positions: Mapping[TopicPartition, int]) -> None:
        file = self._writer.file
        moved = await self._writer.run(lambda: file.register(self._prefix + group, positions))
        for partition, position in moved.items():
            _log.error("log.replaced", topic=partition.topic, partition=partition.partition, position=position)

    def _committer(self, group: str) -> Commit:
        written_at = self._clock.now()

        async def commit(slices: Sequence[Slice]) -> None:
            nonlocal written_at
            self._writer.keep_positions(self._prefix + group, {part.partition: part.next_offset for part in slices})
            if self._clock.now() - written_at >= POSITIONS_EVERY:
                written_at = self._clock.now()
                await self._writer.flush_positions()

        return commit


def _blocks(partition: TopicPartition, items: Sequence[LogItem]) -> list[Block]:
    """Encode items as one block, or as several where they are huge."""
    payload = encode_block(items)
    if len(payload) <= BLOCK_BYTES or len(items) == 1:
        return [Block(partition=partition, count=len(items), payload=payload)]
    half = len(items) // 2
    return _blocks(partition, items[:half]) + _blocks(partition, items[half:])
