"""Reading from Kafka: positions are ours, the brokers only say which partitions a member of the group has."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.errors import IllegalStateError, KafkaError

from ioc import cancellation
from ioc.errors import ConfigurationError, LogUnavailableError
from ioc.logs import logger
from ioc.messaging.codec import decode_records
from ioc.messaging.kafka.connection import Connection
from ioc.ports import Batch, Handover, Slice, Start, Topic, TopicPartition

_log = logger("log")

FETCH_WAIT = timedelta(seconds=0.5)
FRESH = timedelta(seconds=2)
"""A partition counts as read to its end only when a broker said so this recently: timers run on that word."""
SILENT = timedelta(seconds=15)
"""Brokers that say nothing about any of our partitions for this long are away."""
REJOINING = timedelta(seconds=10)
"""How long a member may take to come back into a rebalance once its batch is finished."""
COMMIT_EVERY = timedelta(seconds=1)
PARTITION_FETCH_BYTES = 2 * 1024 * 1024
FETCH_BYTES = 32 * 1024 * 1024
MAX_WAIT_S = 1.0


class Consumer:
    """One reading of the log, as a member of a group or alone.

    Args:
        connection: where the brokers are.
        group: name of the group; None reads alone.
        client: Kafka's client, when the caller has one already.
        finishing: how long a rebalance waits for the batch in hand. After that the store's position check keeps it
            out of the store.
    """

    def __init__(
        self, connection: Connection, *, group: str | None, finishing: timedelta = timedelta(), client: Any = None
    ) -> None:
        self._connection, self._finishing = connection, finishing
        self._client = client or AIOKafkaConsumer(
            bootstrap_servers=connection.bootstrap,
            client_id=connection.client_id,
            group_id=None if group is None else f"{connection.prefix}{group}",
            enable_auto_commit=False,
            # Only retention can put a position out of range on the low side; then the oldest item is the right one.
            auto_offset_reset="earliest",
            fetch_max_wait_ms=int(FETCH_WAIT.total_seconds() * 1000),
            fetch_max_bytes=FETCH_BYTES,
            max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
            rebalance_timeout_ms=int((finishing + REJOINING).total_seconds() * 1000),
            # Joining is one request, and waits until the other members have finished what they have in hand.
            request_timeout_ms=int((finishing + 2 * REJOINING).total_seconds() * 1000),
        )
        self._positions: dict[KafkaPartition, int] = {}
        # Raised by every change of hands: what was fetched across one is not ours to give.
        self._epoch = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._fault: BaseException | None = None
        self._assigned_at_s = time.time()
        self._uncommitted: dict[KafkaPartition, int] = {}
        self._committed_at_s = 0.0

    async def join(self, topics: Sequence[Topic], handover: Handover) -> None:
        """Become a member of the group."""
        listener = _Listener(self, handover)
        self._client.subscribe([self._connection.name(topic) for topic in topics], listener=listener)
        await self._start(topics)

    async def take_all(self, topics: Sequence[Topic], start: Start) -> None:
        """Read every partition of the topics, from their beginning or from their end."""
        partitions = [self._connection.theirs(part) for topic in topics for part in self._connection.all_of(topic)]
        # Before the start, which then waits until the client knows these topics.
        self._client.assign(partitions)
        await self._start(topics)
        async with self._connection.asking("offsets"):
            ask = self._client.end_offsets if start is Start.END else self._client.beginning_offsets
            self._go_to(await ask(partitions))

    async def close(self, handover: Handover | None = None) -> None:
        """Give up what is held, then leave the group."""
        held, self._positions = self._positions, {}
        try:
            if handover is not None and held:
                await handover.revoked(frozenset(map(self._connection.ours, held)))
            await self._commit_now()
        finally:
            await self._connection.dismiss(self._client, self._client._client)

    async def batches(self, *, max_items: int, pulse: timedelta, commits: bool) -> AsyncGenerator[Batch, None]:
        """Give what lies behind the positions, batch by batch, for as long as the caller asks."""
        loop = asyncio.get_running_loop()
        pulse_due = loop.time() + pulse.total_seconds()
        while True:
            found = await self._fetch(max_items, min(MAX_WAIT_S, max(0.0, pulse_due - loop.time())))
            slices = [self._slice(partition, records) for partition, records in found.items()]
            if not slices:
                self._check_brokers()
            if slices or loop.time() >= pulse_due:
                settle = partial(self._settle, slices) if commits and slices else None
                batch = Batch(slices=slices, caught_up=self._caught_up(), commit=settle)
                self._idle.clear()
                try:
                    yield batch
                finally:
                    self._idle.set()
                pulse_due = loop.time() + pulse.total_seconds()
            await self._commit_when_due()

    async def take_over(self, partitions: set[KafkaPartition], handover: Handover) -> None:
        """Begin to read partitions that the brokers gave us, from where the store says."""
        if not partitions:
            return
        try:
            positions = await handover.assigned(frozenset(map(self._connection.ours, partitions)))
            async with self._connection.asking("end offsets"):
                ends = await self._client.end_offsets(list(partitions))
            wanted = {partition: positions.get(self._connection.ours(partition), 0) for partition in partitions}
            self._refuse_positions_past(ends, wanted)
            self._go_to(wanted)
        except BaseException as error:
            # The client swallows what its listeners raise; the reader raises it instead.
            self._fault = error
            raise

    async def give_up(self, handover: Handover) -> None:
        """Stop reading, after the batch in hand is done with, and hand everything back before others can have it."""
        if not self._idle.is_set():
            _log.info("group.finishing", partitions=len(self._positions))
        with contextlib.suppress(TimeoutError):
            async with cancellation.timeout(self._finishing.total_seconds()):
                while not self._idle.is_set():
                    await self._idle.wait()
        self._epoch += 1
        held, self._positions = self._positions, {}
        if not held:
            return
        try:
            await self._commit_now()
            await handover.revoked(frozenset(map(self._connection.ours, held)))
        except BaseException as error:
            self._fault = error
            raise

    async def _start(self, topics: Sequence[Topic]) -> None:
        async with self._connection.asking("joining"):
            await self._client.start()
        for topic in topics:
            name, wanted = self._connection.name(topic), self._connection.count(topic)
            there = len(self._client.partitions_for_topic(name) or ())
            if there != wanted:
                raise ConfigurationError(
                    [f"log.partitions: Kafka's {name} has {there} partitions, the settings say {wanted}"]
                )

    def _go_to(self, positions: Mapping[KafkaPartition, int]) -> None:
        self._epoch += 1
        self._positions = dict(positions)
        self._assigned_at_s = time.time()
        self._seek()

    def _seek(self) -> None:
        for partition, position in self._positions.items():
            # Not ours any more: the next rebalance is on its way and will say so.
            with contextlib.suppress(IllegalStateError):
                self._client.seek(partition, position)

    async def _fetch(self, max_items: int, wait_s: float) -> Mapping[KafkaPartition, Sequence[ConsumerRecord]]:
        epoch = self._epoch
        try:
            found = await self._client.getmany(timeout_ms=int(wait_s * 1000), max_records=max_items)
        except KafkaError as error:
            raise self._connection.unavailable("reading", error) from error
        if self._fault is not None:
            raise self._fault
        if epoch != self._epoch:
            self._seek()
            return {}
        return {partition: records for partition, records in found.items() if partition in self._positions}

    def _slice(self, partition: KafkaPartition, records: Sequence[ConsumerRecord]) -> Slice:
        """Decode one partition's records. A gap that retention left in front is part of the slice."""
        position, ours = self._positions[partition], self._connection.ours(partition)
        oldest, next_offset = records[0].offset, records[-1].offset + 1
        if oldest < position:
            raise _replaced(self._connection.bootstrap, ours, position, oldest)
        if oldest > position:
            _log.warning("log.gap", topic=ours.topic, partition=ours.partition, lost_count=oldest - position)
        decoded = decode_records(ours.topic, ((record.offset, record.value) for record in records))
        self._positions[partition] = next_offset
        return Slice(
            partition=ours,
            first_offset=position,
            next_offset=next_offset,
            end_offset=max(next_offset, self._client.highwater(partition) or 0),
            items=decoded.items,
            undecodable=decoded.undecodable,
        )

    def _caught_up(self) -> frozenset[TopicPartition]:
        fresh_ms = (time.time() - FRESH.total_seconds()) * 1000
        assigned = self._client.assignment()
        return frozenset(
            self._connection.ours(partition)
            for partition, position in self._positions.items()
            if partition in assigned
            and (self._client.last_poll_timestamp(partition) or 0) >= fresh_ms
            and position >= self._client.highwater(partition)
        )

    def _check_brokers(self) -> None:
        if not self._positions:
            return
        assigned = self._client.assignment()
        polls_ms = [self._client.last_poll_timestamp(part) or 0 for part in self._positions if part in assigned]
        silence_s = time.time() - max([self._assigned_at_s, *(poll_ms / 1000 for poll_ms in polls_ms)])
        if silence_s > SILENT.total_seconds():
            raise LogUnavailableError(
                f"Kafka at {self._connection.bootstrap} has not answered a reader for {silence_s:.0f} s; check that "
                "the brokers of log.kafka_bootstrap are up and reachable"
            )

    def _refuse_positions_past(self, ends: Mapping[KafkaPartition, int], wanted: Mapping[KafkaPartition, int]) -> None:
        for partition, position in wanted.items():
            if position > ends[partition]:
                ours = self._connection.ours(partition)
                raise _replaced(self._connection.bootstrap, ours, position, ends[partition])

    async def _settle(self, slices: Sequence[Slice]) -> None:
        """Note where the group stands; brokers hear of it for their lag figure only, so not after every batch."""
        for part in slices:
            partition = self._connection.theirs(part.partition)
            if partition in self._positions:
                self._uncommitted[partition] = part.next_offset
        await self._commit_when_due()

    async def _commit_when_due(self) -> None:
        if self._uncommitted and time.monotonic() - self._committed_at_s >= COMMIT_EVERY.total_seconds():
            await self._commit_now()

    async def _commit_now(self) -> None:
        offsets, self._uncommitted = self._uncommitted, {}
        if not offsets:
            return
        self._committed_at_s = time.monotonic()
        try:
            async with cancellation.timeout(self._connection.deadline.total_seconds()):
                await self._client.commit(offsets)
        except (KafkaError, TimeoutError) as error:
            # The positions that count are in the store.
            _log.debug("group.commit_refused", reason=str(error))


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # the client comes without types
    def __init__(self, consumer: Consumer, handover: Handover) -> None:
        self._consumer, self._handover = consumer, handover

    async def on_partitions_revoked(self, revoked: set[KafkaPartition]) -> None:
        await self._consumer.give_up(self._handover)

    async def on_partitions_assigned(self, assigned: set[KafkaPartition]) -> None:
        await self._consumer.take_over(assigned, self._handover)


def _replaced(bootstrap: str, partition: TopicPartition, position: int, found: int) -> ConfigurationError:
    return ConfigurationError(
        [
            f"log: the store stands at {partition.topic}/{partition.partition} offset {position}, Kafka at {bootstrap} "
            f"has only {found}: its topic was made anew. Delete the group's rows of the table log_position to read the "
            "topic from its beginning, or set log.kafka_bootstrap to the brokers that have the rest"
        ]
    )
