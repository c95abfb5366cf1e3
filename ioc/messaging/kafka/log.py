"""The event log of a cluster; satisfies ``ioc.ports.EventLog``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from datetime import timedelta
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaConsumer

from ioc.messaging.kafka import admin
from ioc.messaging.kafka.connection import Connection
from ioc.messaging.kafka.consumer import Consumer
from ioc.messaging.kafka.producer import Producer
from ioc.ports import Batch, Clock, Handover, LogItem, Start, Topic, TopicPartition


class KafkaLog:
    """An event log on Apache Kafka. Open it with ``async with``; brokers are asked when first needed.

    Args:
        bootstrap: brokers, ``host:port[,host:port…]``.
        prefix: put before topic and group names.
        partitions: of the topics that are spread; must be what the brokers have.
        client_id: how the brokers see us in their own logs and metrics.
        clock: stamps records.
        deadline: how long the brokers may take for anything.
        finishing: how long a member of a group may go on with its batch when its partitions are wanted elsewhere.
    """

    def __init__(
        self,
        bootstrap: str,
        *,
        prefix: str,
        partitions: int,
        client_id: str,
        clock: Clock,
        deadline: timedelta = timedelta(seconds=15),
        finishing: timedelta = timedelta(seconds=30),
    ) -> None:
        self._connection = Connection(
            bootstrap=bootstrap, client_id=client_id, prefix=prefix, partitions=partitions, deadline=deadline
        )
        self._finishing = finishing
        self._producer = Producer(self._connection, clock=clock)
        self._asker: AIOKafkaConsumer | None = None
        self._asking = asyncio.Lock()
        self._consumers: dict[Consumer, Handover | None] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for consumer, handover in list(self._consumers.items()):
            await consumer.close(handover)
        await self._producer.close()
        await self._dismiss()

    async def append(self, topic: Topic, items: Sequence[LogItem]) -> None:
        """Write a batch; returns when all replicas in sync have every item."""
        if items:
            await self._producer.append(topic, items)

    async def read(
        self,
        topics: Sequence[Topic],
        *,
        group: str,
        handover: Handover,
        max_items: int = 4_000,
        pulse: timedelta = timedelta(seconds=1),
    ) -> AsyncGenerator[Batch, None]:
        """Read as a member of ``group``: the brokers spread the partitions over its members."""
        consumer = Consumer(self._connection, group=group, finishing=self._finishing)
        self._consumers[consumer] = handover
        try:
            await consumer.join(topics, handover)
            async with aclosing(consumer.batches(max_items=max_items, pulse=pulse, commits=True)) as batches:
                async for batch in batches:
                    yield batch
        finally:
            if self._consumers.pop(consumer, None) is not None:
                await consumer.close(handover)

    async def tail(
        self,
        topics: Sequence[Topic],
        *,
        start: Start = Start.END,
        max_items: int = 4_000,
        pulse: timedelta = timedelta(seconds=1),
    ) -> AsyncGenerator[Batch, None]:
        """Read every partition on one's own."""
        consumer = Consumer(self._connection, group=None)
        self._consumers[consumer] = None
        try:
            await consumer.take_all(topics, start)
            async with aclosing(consumer.batches(max_items=max_items, pulse=pulse, commits=False)) as batches:
                async for batch in batches:
                    yield batch
        finally:
            self._consumers.pop(consumer, None)
            await consumer.close()

    async def lag(self, positions: Mapping[TopicPartition, int]) -> int:
        """Count the items that lie behind the given positions."""
        ends = await self._ends(list(positions))
        return sum(max(0, ends[partition] - position) for partition, position in positions.items())

    async def end_offsets(self, topics: Sequence[Topic]) -> Mapping[TopicPartition, int]:
        """Give the next offset of every partition of the topics."""
        return await self._ends([partition for topic in topics for partition in self._connection.all_of(topic)])

    def partition_count(self, topic: Topic) -> int:
        """Give the number of partitions of a topic."""
        return self._connection.count(topic)

    async def apply_topics(self, *, replication: int = 1, retention: timedelta = timedelta(days=7)) -> list[str]:
        """Make the topics as the settings want them; say what was done, a line each."""
        return await admin.apply_topics(self._connection, replication=replication, retention=retention)

    async def delete_topics(self) -> None:
        """Remove the topics with everything in them: for scratches."""
        await admin.delete_topics(self._connection)

    async def _ends(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        async with self._asking:
            try:
                async with self._connection.asking("end offsets"):
                    if self._asker is None:
                        self._asker = AIOKafkaConsumer(
                            bootstrap_servers=self._connection.bootstrap,
                            client_id=self._connection.client_id,
                            group_id=None,
                            request_timeout_ms=self._connection.deadline_ms,
                        )
                        await self._asker.start()
                    found = await self._asker.end_offsets([self._connection.theirs(part) for part in partitions])
            except BaseException:
                await self._dismiss()
                raise
        return {self._connection.ours(partition): end for partition, end in found.items()}

    async def _dismiss(self) -> None:
        asker, self._asker = self._asker, None
        if asker is not None:
            await self._connection.dismiss(asker, asker._client)
