"""The races of a rebalance, played step by step on a client that does what it is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import pytest
from aiokafka import TopicPartition as KafkaPartition

from ioc.errors import StoreUnavailableError
from ioc.messaging.codec import encode_record
from ioc.messaging.kafka.connection import Connection
from ioc.messaging.kafka.consumer import Consumer
from ioc.ports import Batch, Topic, TopicPartition
from tests.support.logs import PositionTable, event, number_of

PLACE = KafkaPartition("t.events", 0)
OURS = TopicPartition(Topic.EVENTS, 0)
CONNECTION = Connection(bootstrap="none", client_id="test", prefix="t.", partitions=1, deadline=timedelta(seconds=5))


@dataclass
class Record:
    offset: int
    value: bytes


class FakeClient:
    """One partition of 1,000 items; gives what it is told to give, when it is told."""

    def __init__(self) -> None:
        self.answers: asyncio.Queue[Mapping[KafkaPartition, list[Record]]] = asyncio.Queue()
        self.asked = asyncio.Event()
        self.sought: list[int] = []
        self.end = 1_000

    async def getmany(self, **_: object) -> Mapping[KafkaPartition, list[Record]]:
        self.asked.set()
        return await self.answers.get()

    async def end_offsets(self, partitions: list[KafkaPartition]) -> dict[KafkaPartition, int]:
        return dict.fromkeys(partitions, self.end)

    def seek(self, partition: KafkaPartition, offset: int) -> None:
        self.sought.append(offset)

    def assignment(self) -> set[KafkaPartition]:
        return {PLACE}

    def highwater(self, partition: KafkaPartition) -> int:
        return self.end

    def last_poll_timestamp(self, partition: KafkaPartition) -> int:
        return int(time.time() * 1000)

    async def commit(self, offsets: object) -> None:
        return None


def records(first: int, last: int) -> list[Record]:
    return [Record(offset, encode_record(event(offset))) for offset in range(first, last)]


def read_numbers(batch: Batch) -> list[int]:
    return [number_of(item) for part in batch.slices for item in part.items]


async def test_what_was_fetched_across_a_change_of_hands_is_not_given_out() -> None:
    """The partition goes and comes back at an older position while a fetch from the newer one is on its way."""
    client, table = FakeClient(), PositionTable(positions={OURS: 200})
    consumer = Consumer(CONNECTION, group="g", client=client)
    await consumer.take_over({PLACE}, table)
    batches = consumer.batches(max_items=100, pulse=timedelta(seconds=5), commits=True)
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(anext(batches))
        await client.asked.wait()
        await consumer.give_up(table)
        table.positions[OURS] = 100
        await consumer.take_over({PLACE}, table)
        client.answers.put_nowait({PLACE: records(200, 300)})
        client.answers.put_nowait({PLACE: records(100, 110)})
        batch = await reading
    assert read_numbers(batch) == list(range(100, 110))
    assert [part.first_offset for part in batch.slices] == [100]
    assert client.sought[-1] == 100
    await batches.aclose()


async def test_giving_up_waits_until_the_caller_asks_for_the_next_batch() -> None:
    client, table = FakeClient(), PositionTable()
    consumer = Consumer(CONNECTION, group="g", client=client, finishing=timedelta(seconds=30))
    await consumer.take_over({PLACE}, table)
    batches = consumer.batches(max_items=100, pulse=timedelta(seconds=5), commits=True)
    client.answers.put_nowait({PLACE: records(0, 10)})
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        await anext(batches)
        client.asked.clear()
        giving = tasks.create_task(consumer.give_up(table))
        for _ in range(10):
            await asyncio.sleep(0)
        assert table.revoked_calls == []
        asking = tasks.create_task(anext(batches))
        await giving
        assert table.revoked_calls == [frozenset({OURS})]
        asking.cancel()


async def test_giving_up_goes_ahead_when_the_batch_takes_too_long() -> None:
    client, table = FakeClient(), PositionTable()
    consumer = Consumer(CONNECTION, group="g", client=client, finishing=timedelta(seconds=0.01))
    await consumer.take_over({PLACE}, table)
    batches = consumer.batches(max_items=100, pulse=timedelta(seconds=5), commits=True)
    client.answers.put_nowait({PLACE: records(0, 10)})
    async with asyncio.timeout(10):
        await anext(batches)
        await consumer.give_up(table)
    assert table.revoked_calls == [frozenset({OURS})]
    await batches.aclose()


async def test_what_a_handover_raises_reaches_the_reader() -> None:
    class Failing(PositionTable):
        async def assigned(self, partitions: frozenset[TopicPartition]) -> dict[TopicPartition, int]:
            raise StoreUnavailableError("away")

    client = FakeClient()
    consumer = Consumer(CONNECTION, group="g", client=client)
    batches = consumer.batches(max_items=100, pulse=timedelta(seconds=5), commits=True)
    async with asyncio.timeout(10):
        with pytest.raises(StoreUnavailableError):
            await consumer.take_over({PLACE}, Failing())
        client.answers.put_nowait({})
        with pytest.raises(StoreUnavailableError):
            await anext(batches)


async def test_a_partition_whose_end_was_heard_of_long_ago_is_not_called_caught_up() -> None:
    class Stale(FakeClient):
        def last_poll_timestamp(self, partition: KafkaPartition) -> int:
            return int((time.time() - 3) * 1000)

    for client, wanted in ((FakeClient(), frozenset({OURS})), (Stale(), frozenset())):
        consumer = Consumer(CONNECTION, group="g", client=client)
        await consumer.take_over({PLACE}, PositionTable(positions={OURS: client.end}))
        batches = consumer.batches(max_items=100, pulse=timedelta(), commits=True)
        client.answers.put_nowait({})
        async with asyncio.timeout(10):
            assert (await anext(batches)).caught_up == wanted
        await batches.aclose()
