"""Both event logs for the contract suite, with what a test needs beside the port."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from aiokafka import AIOKafkaProducer
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from ioc.clocks import SystemClock
from ioc.domain.events import DeadLetter, Event
from ioc.domain.ids import dead_letter_id, event_id, partition_of
from ioc.domain.kinds import AirReading
from ioc.messaging.embedded import EmbeddedLog
from ioc.messaging.kafka import KafkaLog
from ioc.ports import Batch, Slice, Topic, TopicPartition

PARTITIONS = 4
START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
PULSE = timedelta(seconds=0.2)


def event(number: int, asset: str | None = None) -> Event:
    """Make a reading that can be told from others by its number."""
    asset_id = asset or f"air.station-{number % 23}"
    at = START + timedelta(seconds=number)
    return Event(
        event_id=event_id("air", asset_id, at, "env.air.reading"),
        feed_id="air",
        asset_id=asset_id,
        observed_at=at,
        received_at=at,
        data=AirReading(pm25_ug_m3=float(number)),
    )


def letter(number: int) -> DeadLetter:
    """Make a dead letter."""
    raw = f"broken {number}".encode()
    return DeadLetter(
        dead_letter_id=dead_letter_id("test", number, raw), feed_id="air", received_at=START, reason="broken", raw=raw
    )


def number_of(item: object) -> int:
    """Tell the number that ``event`` put into a reading."""
    assert isinstance(item, Event)
    assert isinstance(item.data, AirReading)
    assert item.data.pm25_ug_m3 is not None
    return int(item.data.pm25_ug_m3)


def placed(numbers: Iterable[int]) -> dict[int, list[int]]:
    """Spread the numbers of ``event`` over the partitions as the log must, in order."""
    spread: dict[int, list[int]] = {}
    for number in numbers:
        spread.setdefault(partition_of(event(number).partition_key, PARTITIONS), []).append(number)
    return spread


@dataclass
class PositionTable:
    """A store's positions and rows, as far as the log is concerned: one transaction moves both or neither."""

    positions: dict[TopicPartition, int] = field(default_factory=dict)
    rows: dict[TopicPartition, list[int]] = field(default_factory=dict)
    refused_count: int = 0
    assigned_calls: list[frozenset[TopicPartition]] = field(default_factory=list)
    revoked_calls: list[frozenset[TopicPartition]] = field(default_factory=list)

    async def assigned(self, partitions: frozenset[TopicPartition]) -> Mapping[TopicPartition, int]:
        self.assigned_calls.append(partitions)
        return {partition: self.positions.get(partition, 0) for partition in partitions}

    async def revoked(self, partitions: frozenset[TopicPartition]) -> None:
        self.revoked_calls.append(partitions)

    def store(self, slices: Sequence[Slice]) -> bool:
        """Take a batch, all of it or, when another reader was faster, nothing."""
        if any(self.positions.get(part.partition, 0) != part.first_offset for part in slices):
            self.refused_count += 1
            return False
        for part in slices:
            self.positions[part.partition] = part.next_offset
            self.rows.setdefault(part.partition, []).extend(number_of(item) for item in part.items)
        return True

    @property
    def stored_count(self) -> int:
        return sum(len(rows) for rows in self.rows.values())


class Subject(Protocol):
    """One implementation of the log under test."""

    name: str

    def open(self) -> EmbeddedLog | KafkaLog:
        """Open the log again: another process would see the same items."""

    async def append_raw(self, partition: TopicPartition, record: bytes) -> None:
        """Put bytes on the log behind the codec's back."""

    async def drop_before(self, partition: TopicPartition, offset: int) -> None:
        """Let retention take everything before an offset."""


class EmbeddedSubject:
    """The file log."""

    name = "embedded"

    def __init__(self, folder: Path) -> None:
        self.path = folder / "events.sqlite3"

    def open(self, **settings: object) -> EmbeddedLog:
        wanted: dict[str, object] = {
            "partitions": PARTITIONS,
            "prefix": "ioc.",
            "retention": timedelta(days=7),
            "retention_bytes": 1_000_000_000,
            "clock": SystemClock(),
        }
        return EmbeddedLog(self.path, **{**wanted, **settings})  # type: ignore[arg-type]

    async def append_raw(self, partition: TopicPartition, record: bytes) -> None:
        def write() -> None:
            # A block of one record: the version byte, an array of one, the record without its own version byte.
            block = record[:1] + b"\x91" + record[1:]
            with sqlite3.connect(self.path, timeout=5) as connection:
                part_id, first = connection.execute(
                    "SELECT part_id, next_offset FROM part WHERE topic = ? AND partition = ?",
                    (f"ioc.{partition.topic}", partition.partition),
                ).fetchone()
                connection.execute(
                    "INSERT INTO block (part_id, first_offset, next_offset, appended_at_ms, size_bytes, payload) "
                    "VALUES (?, ?, ?, 0, ?, ?)",
                    (part_id, first, first + 1, len(block), block),
                )
                connection.execute("UPDATE part SET next_offset = next_offset + 1 WHERE part_id = ?", (part_id,))
            connection.close()

        await asyncio.to_thread(write)

    async def drop_before(self, partition: TopicPartition, offset: int) -> None:
        def write() -> None:
            with sqlite3.connect(self.path, timeout=5) as connection:
                connection.execute(
                    "DELETE FROM block WHERE next_offset <= ? AND part_id = "
                    "(SELECT part_id FROM part WHERE topic = ? AND partition = ?)",
                    (offset, f"ioc.{partition.topic}", partition.partition),
                )
            connection.close()

        await asyncio.to_thread(write)


class KafkaSubject:
    """Topics of the test's own on a real broker."""

    name = "kafka"

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap, self.prefix = bootstrap, f"test-{uuid4().hex[:12]}."

    def open(self, **settings: object) -> KafkaLog:
        wanted: dict[str, object] = {
            "prefix": self.prefix,
            "partitions": PARTITIONS,
            "client_id": "test",
            "clock": SystemClock(),
        }
        return KafkaLog(self.bootstrap, **{**wanted, **settings})  # type: ignore[arg-type]

    async def append_raw(self, partition: TopicPartition, record: bytes) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap)
        await producer.start()
        try:
            await producer.send_and_wait(f"{self.prefix}{partition.topic}", record, partition=partition.partition)
        finally:
            await producer.stop()

    async def drop_before(self, partition: TopicPartition, offset: int) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            place = KafkaPartition(f"{self.prefix}{partition.topic}", partition.partition)
            await admin.delete_records({place: RecordsToDelete(before_offset=offset)})
        finally:
            await admin.close()


async def gather(
    batches: AsyncIterator[Batch], *, until: Callable[[list[Batch]], bool], within_s: float = 30
) -> list[Batch]:
    """Read batches until the condition on all of them holds, then end the reading."""
    seen: list[Batch] = []
    async with asyncio.timeout(within_s), aclosing(batches):  # type: ignore[type-var]  # both logs read by generators
        async for batch in batches:
            seen.append(batch)
            if until(seen):
                break
    return seen


def item_count(batches: Sequence[Batch]) -> int:
    """Count what batches hold, readable or not."""
    return sum(len(part.items) + len(part.undecodable) for batch in batches for part in batch.slices)


def numbers_by_partition(batches: Sequence[Batch]) -> dict[int, list[int]]:
    """List the numbers that were read from the events topic, by partition, in the order of reading."""
    read: dict[int, list[int]] = {}
    for batch in batches:
        for part in batch.slices:
            if part.partition.topic is Topic.EVENTS and part.items:
                read.setdefault(part.partition.partition, []).extend(map(number_of, part.items))
    return read
