"""Writing to Kafka: batches of records to explicit partitions, confirmed by all replicas in sync."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from ioc.domain.ids import partition_of
from ioc.errors import ConfigurationError, LogUnavailableError
from ioc.messaging.codec import encode_record
from ioc.messaging.kafka.connection import Connection
from ioc.messaging.topics import MAX_RECORD_BYTES
from ioc.ports import Clock, LogItem, Topic

BATCH_BYTES = 512 * 1024
FLIGHT_ITEMS = 8_000
"""Most items that callers' appends are joined up to; an append is never cut. Packing them holds the loop some 20 ms."""


@dataclass(eq=False, slots=True)
class _Request:
    items: Sequence[LogItem]
    is_done: bool = False
    fault: str | None = None


@dataclass(eq=False, slots=True)
class _Lane:
    """One topic: one flight at a time, and those who wait for the next one."""

    flight: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: list[_Request] = field(default_factory=list)
    is_checked: bool = False


class Producer:
    """An idempotent producer that is started when it is first needed, and anew when it broke.

    What callers append while a flight is under way goes with the next one together. That is group commit, and it is
    needed: callers that queue inside Kafka's client for a place eat up each other's deadlines there.

    Args:
        connection: where the brokers are.
        clock: stamps records, for the brokers' retention.
    """

    def __init__(self, connection: Connection, *, clock: Clock) -> None:
        self._connection, self._clock = connection, clock
        # The client comes without types, so nothing is lost by Any.
        self._client: Any = None
        self._starting = asyncio.Lock()
        self._lanes = {topic: _Lane() for topic in Topic}

    async def append(self, topic: Topic, items: Sequence[LogItem]) -> None:
        """Write items; returns when the brokers have confirmed every one.

        Raises:
            ConfigurationError: the topic has another number of partitions than the settings say.
            LogUnavailableError: the brokers did not confirm; whether part of the items was written is unknown.
        """
        lane, request = self._lanes[topic], _Request(items)
        lane.waiting.append(request)
        try:
            async with self._connection.asking(f"append to {self._connection.name(topic)}"), lane.flight:
                if not request.is_done:
                    await self._fly(topic, lane)
        finally:
            if request in lane.waiting:
                lane.waiting.remove(request)
        if request.fault is not None:
            raise LogUnavailableError(request.fault)

    async def close(self) -> None:
        """Stop the producer, after what it still has in flight."""
        client, self._client = self._client, None
        if client is not None:
            await self._connection.dismiss(client, client.client)

    async def _fly(self, topic: Topic, lane: _Lane) -> None:
        """Send what waits, as the first of those who wait. However the flight ends, nobody is left waiting on it."""
        client = await self._started()
        await self._check(client, topic, lane)
        aboard, lane.waiting = _board(lane.waiting)
        fault: str | None = "the caller that wrote for several was broken off; whether this was written is unknown"
        try:
            await self._send(client, topic, [item for request in aboard for item in request.items])
            fault = None
        except KafkaError as error:
            fault = self._connection.unavailable(f"append to {self._connection.name(topic)}", error).reason
            if not error.retriable:
                # An idempotent producer that lost its sequence refuses everything from then on.
                await self._forget(client)
        finally:
            for request in aboard:
                request.is_done, request.fault = True, fault

    async def _send(self, client: AIOKafkaProducer, topic: Topic, items: Sequence[LogItem]) -> None:
        confirmations = [
            await client.send_batch(batch, self._connection.name(topic), partition=partition)
            for partition, batch in self._batches(client, topic, items)
        ]
        await asyncio.gather(*confirmations)

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

    async def _check(self, client: AIOKafkaProducer, topic: Topic, lane: _Lane) -> None:
        if lane.is_checked:
            return
        name, wanted = self._connection.name(topic), self._connection.count(topic)
        there = len(await client.partitions_for(name))
        if there != wanted:
            raise ConfigurationError(
                [f"log.partitions: Kafka's {name} has {there} partitions, the settings say {wanted}"]
            )
        lane.is_checked = True

    def _batches(
        self, client: AIOKafkaProducer, topic: Topic, items: Sequence[LogItem]
    ) -> Iterator[tuple[int, BatchBuilder]]:
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
            await self._connection.dismiss(client, client.client)


def _board(waiting: list[_Request]) -> tuple[list[_Request], list[_Request]]:
    """Choose who flies now and who waits on, in the order of their coming."""
    count = 0
    for index, request in enumerate(waiting):
        count += len(request.items)
        if index and count > FLIGHT_ITEMS:
            return waiting[:index], waiting[index:]
    return waiting, []
