"""Writing to Kafka: batches of records to explicit partitions, confirmed by all replicas in sync."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from ioc.domain.ids import partition_of
from ioc.errors import ConfigurationError, IocError, LogUnavailableError
from ioc.messaging.codec import encode_record
from ioc.messaging.kafka.connection import Connection
from ioc.messaging.topics import MAX_RECORD_BYTES
from ioc.ports import Clock, LogItem, Topic

BATCH_BYTES = 512 * 1024


class Producer:
    """An idempotent producer that is started when it is first needed, and anew when it broke.

    Args:
        connection: where the brokers are.
        clock: stamps records, for the brokers' retention.
    """

    def __init__(self, connection: Connection, *, clock: Clock) -> None:
        self._connection, self._clock = connection, clock
        # The client comes without types, so nothing is lost by Any.
        self._client: Any = None
        self._starting = asyncio.Lock()
        self._known_topics: set[Topic] = set()

    async def append(self, topic: Topic, items: Sequence[LogItem]) -> None:
        """Write items; returns when the brokers have confirmed every one.

        Raises:
            ConfigurationError: the topic has another number of partitions than the settings say.
            LogUnavailableError: the brokers did not confirm; whether part of the items was written is unknown.
        """
        client: AIOKafkaProducer | None = None
        try:
            async with self._connection.asking(f"append to {self._connection.name(topic)}"):
                client = await self._started()
                await self._check(client, topic)
                confirmations = [
                    await client.send_batch(batch, self._connection.name(topic), partition=partition)
                    for partition, batch in self._batches(client, topic, items)
                ]
                await asyncio.gather(*confirmations)
        except LogUnavailableError as error:
            if client is not None and isinstance(error.__cause__, KafkaError) and not error.__cause__.retriable:
                # An idempotent producer that lost its sequence refuses everything from then on.
                await self._forget(client)
            raise

    async def close(self) -> None:
        """Stop the producer, after what it still has in flight."""
        client, self._client = self._client, None
        if client is not None:
            async with self._connection.asking("closing the producer"):
                await client.stop()

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._client is None:
                client = self._make_client()
                try:
                    await client.start()
                except BaseException:
                    await client.stop()
                    raise
                self._client = client
            return self._client

    def _make_client(self) -> AIOKafkaProducer:
        return AIOKafkaProducer(
            bootstrap_servers=self._connection.bootstrap,
            client_id=self._connection.client_id,
            acks="all",
            enable_idempotence=True,
            compression_type="lz4",
            max_batch_size=BATCH_BYTES,
            max_request_size=MAX_RECORD_BYTES,
            request_timeout_ms=self._connection.deadline_ms,
        )

    async def _check(self, client: AIOKafkaProducer, topic: Topic) -> None:
        if topic in self._known_topics:
            return
        name, wanted = self._connection.name(topic), self._connection.count(topic)
        there = len(await client.partitions_for(name))
        if there != wanted:
            raise ConfigurationError(
                [f"log.partitions: Kafka's {name} has {there} partitions, the settings say {wanted}"]
            )
        self._known_topics.add(topic)

    def _batches(
        self, client: AIOKafkaProducer, topic: Topic, items: Sequence[LogItem]
    ) -> Iterable[tuple[int, BatchBuilder]]:
        """Pack items into as many batches per partition as their size needs, in order."""
        count, stamp_ms = self._connection.count(topic), int(self._clock.now().timestamp() * 1000)
        open_batches: dict[int, BatchBuilder] = {}
        for item in items:
            key = item.partition_key
            partition, record = partition_of(key, count), encode_record(item)
            batch = open_batches.get(partition)
            if batch is None:
                batch = open_batches[partition] = client.create_batch()
            if batch.append(key=key.encode(), value=record, timestamp=stamp_ms) is None:
                yield partition, batch
                batch = open_batches[partition] = client.create_batch()
                batch.append(key=key.encode(), value=record, timestamp=stamp_ms)
        yield from open_batches.items()

    async def _forget(self, client: AIOKafkaProducer) -> None:
        if self._client is client:
            self._client = None
            with contextlib.suppress(IocError):
                async with self._connection.asking("closing a broken producer"):
                    await client.stop()
