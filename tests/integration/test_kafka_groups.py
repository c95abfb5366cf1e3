"""Groups on a real Kafka: a rebalance in the middle of a batch loses nothing and stores nothing twice."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from ioc.clocks import SystemClock
from ioc.errors import ConfigurationError, LogUnavailableError
from ioc.messaging.kafka import KafkaLog
from ioc.ports import EventLog, Slice, Topic, TopicPartition
from tests.support.logs import PARTITIONS, PULSE, KafkaSubject, PositionTable, event, gather, placed

pytestmark = pytest.mark.kafka

EVENTS = [Topic.EVENTS]
ALL = {TopicPartition(Topic.EVENTS, number) for number in range(PARTITIONS)}


class Store:
    """What two workers share: one table, each with a handover of its own, and news of every change."""

    def __init__(self) -> None:
        self.table = PositionTable()
        self.changed = asyncio.Condition()

    async def take(self, slices: list[Slice]) -> bool:
        async with self.changed:
            done = self.table.store(slices)
            self.changed.notify_all()
            return done

    async def until(self, condition: Callable[[], bool], *, within_s: float = 60) -> None:
        async with asyncio.timeout(within_s), self.changed:
            await self.changed.wait_for(condition)


class Member:
    """A worker as the log sees it: reads, stores, commits; reads again from the stored positions when it was fenced."""

    def __init__(self, log: EventLog, store: Store) -> None:
        self.log, self.store = log, store
        self.held: frozenset[TopicPartition] = frozenset()
        self.may_store = asyncio.Event()
        self.may_store.set()
        self.has_batch = asyncio.Event()
        self.fenced_count = 0

    async def assigned(self, partitions: frozenset[TopicPartition]) -> dict[TopicPartition, int]:
        async with self.store.changed:
            self.held |= partitions
            self.store.changed.notify_all()
            return dict(await self.store.table.assigned(partitions))

    async def revoked(self, partitions: frozenset[TopicPartition]) -> None:
        async with self.store.changed:
            self.held -= partitions
            self.store.changed.notify_all()

    async def run(self) -> None:
        while True:
            batches = self.log.read(EVENTS, group="workers", handover=self, max_items=40, pulse=PULSE)
            async with aclosing(batches):  # type: ignore[type-var]
                async for batch in batches:
                    if not batch.slices:
                        continue
                    self.has_batch.set()
                    await self.may_store.wait()
                    if not await self.store.take(list(batch.slices)):
                        self.fenced_count += 1
                        break
                    assert batch.commit is not None
                    await batch.commit()


@pytest.fixture
async def subject(kafka_bootstrap: str) -> KafkaSubject:
    kafka = KafkaSubject(kafka_bootstrap)
    async with kafka.open() as log:
        await log.apply_topics()
    return kafka


@pytest.fixture
async def store() -> Store:
    return Store()


@pytest.fixture
async def log(subject: KafkaSubject) -> AsyncIterator[KafkaLog]:
    async with subject.open() as opened:
        yield opened


async def test_a_batch_in_hand_is_finished_before_its_partitions_go_to_another(
    subject: KafkaSubject, log: KafkaLog, store: Store
) -> None:
    async with subject.open() as other, aclosing(log.tail([Topic.SIGNALS], pulse=PULSE)) as pulses:
        first, second = Member(log, store), Member(other, store)
        await log.append(Topic.EVENTS, [event(number) for number in range(500)])
        first.may_store.clear()
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(first.run())]
            await first.has_batch.wait()
            with capture_logs() as said:
                running.append(tasks.create_task(second.run()))
                await log.append(Topic.EVENTS, [event(number) for number in range(500, 1_000)])
                async with asyncio.timeout(30):
                    while not any(line["event"] == "group.finishing" for line in said):
                        await anext(pulses)
            # The rebalance is under way and waits. Long enough for it to go wrong, if it did not wait:
            for _ in range(5):
                await anext(pulses)
            assert first.held == ALL
            assert second.held == frozenset()
            first.may_store.set()
            await store.until(lambda: store.table.stored_count >= 1_000)
            await store.until(lambda: bool(first.held) and bool(second.held))
            assert first.held | second.held == ALL
            assert not first.held & second.held
            await log.append(Topic.EVENTS, [event(number) for number in range(1_000, 1_500)])
            await store.until(lambda: store.table.stored_count >= 1_500)
            for task in running:
                task.cancel()
    assert store.table.refused_count == 0
    assert {part.partition: rows for part, rows in store.table.rows.items()} == placed(range(1_500))


async def test_a_batch_that_outlives_the_rebalance_is_fenced_and_nothing_is_lost_or_doubled(
    subject: KafkaSubject, store: Store
) -> None:
    impatient = timedelta(seconds=0.2)
    async with subject.open(finishing=impatient) as log, subject.open(finishing=impatient) as other:
        first, second = Member(log, store), Member(other, store)
        await log.append(Topic.EVENTS, [event(number) for number in range(1_000)])
        first.may_store.clear()
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(first.run())]
            await first.has_batch.wait()
            running.append(tasks.create_task(second.run()))
            # Both have their new shares, and the second stores, while the first still holds a batch from before.
            await store.until(lambda: bool(first.held) and bool(second.held) and first.held | second.held == ALL)
            await store.until(lambda: not first.held & second.held)
            await store.until(
                lambda: any(store.table.positions.get(partition, 0) > 0 for partition in second.held - first.held)
            )
            first.may_store.set()
            await store.until(lambda: store.table.stored_count >= 1_000)
            for task in running:
                task.cancel()
        # Whose batch is refused depends on who was faster; that one was, and that nobody's was doubled, does not.
        assert first.fenced_count + second.fenced_count > 0
    assert {part.partition: rows for part, rows in store.table.rows.items()} == placed(range(1_000))


async def test_a_member_that_leaves_hands_everything_to_the_other(
    subject: KafkaSubject, log: KafkaLog, store: Store
) -> None:
    async with subject.open() as other:
        first, second = Member(log, store), Member(other, store)
        async with asyncio.TaskGroup() as tasks:
            leaving, staying = tasks.create_task(first.run()), tasks.create_task(second.run())
            await store.until(lambda: bool(first.held) and bool(second.held))
            await log.append(Topic.EVENTS, [event(number) for number in range(300)])
            await store.until(lambda: store.table.stored_count >= 300)
            leaving.cancel()
            await store.until(lambda: second.held == ALL)
            await log.append(Topic.EVENTS, [event(number) for number in range(300, 600)])
            await store.until(lambda: store.table.stored_count >= 600)
            staying.cancel()
        assert first.held == frozenset()
    assert {part.partition: rows for part, rows in store.table.rows.items()} == placed(range(600))


async def test_a_topic_made_anew_is_refused_with_what_to_do(log: KafkaLog) -> None:
    table = PositionTable(positions={TopicPartition(Topic.EVENTS, 0): 5_000})
    with pytest.raises(ConfigurationError, match=r"made anew.*log_position"):
        await gather(
            log.read(EVENTS, group="g", handover=table, pulse=PULSE), until=lambda seen: bool(seen[-1].caught_up)
        )


async def test_topics_are_made_once_and_their_retention_follows_the_settings(kafka_bootstrap: str) -> None:
    subject = KafkaSubject(kafka_bootstrap)
    async with subject.open() as log:
        made = await log.apply_topics(replication=1, retention=timedelta(days=7))
        assert [line.rpartition(": ")[2] for line in made] == [
            "created with 4 partition(s), 1 replica(s), retention 7 days",
            "created with 4 partition(s), 1 replica(s), retention 7 days",
            "created with 1 partition(s), 1 replica(s), retention 28 days",
        ]
        again = await log.apply_topics(replication=1, retention=timedelta(days=7))
        assert [line.rpartition(": ")[2] for line in again] == ["as wanted"] * 3
        changed = await log.apply_topics(replication=1, retention=timedelta(days=1))
        assert changed[0].endswith("changed retention.ms 604800000 → 86400000")
        assert [line.rpartition(": ")[2] for line in await log.apply_topics(retention=timedelta(days=1))] == [
            "as wanted"
        ] * 3


async def test_brokers_that_are_away_are_said_to_be_away_with_what_to_do() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        log = KafkaLog(
            address, prefix="t.", partitions=1, client_id="test", clock=SystemClock(), deadline=timedelta(seconds=2)
        )
        async with log:
            said = f"{address}.*log.kafka_bootstrap.*ioc topics apply"
            with pytest.raises(LogUnavailableError, match=said):
                await log.append(Topic.EVENTS, [event(1)])
            with pytest.raises(LogUnavailableError, match=said):
                await log.end_offsets(EVENTS)
            with pytest.raises(LogUnavailableError, match=said):
                await log.apply_topics()
            with pytest.raises(LogUnavailableError, match=said):
                await anext(log.tail(EVENTS))
            with pytest.raises(LogUnavailableError, match=said):
                await anext(log.read(EVENTS, group="g", handover=PositionTable()))


async def test_a_missing_topic_is_said_to_be_missing_within_the_deadline(kafka_bootstrap: str) -> None:
    subject = KafkaSubject(kafka_bootstrap)
    async with subject.open(deadline=timedelta(seconds=2)) as log:
        with pytest.raises(LogUnavailableError, match="ioc topics apply"):
            await log.append(Topic.EVENTS, [event(1)])
        with pytest.raises(LogUnavailableError, match="ioc topics apply"):
            await anext(log.tail(EVENTS))
