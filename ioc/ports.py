"""Ports: what the inside asks of the outside. A Protocol stands here only where two real implementations exist."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from ioc.domain.alerts import AlertChange
from ioc.domain.alerts import StateKey as StateKey
from ioc.domain.events import DeadLetter, Event, Parsed, Signal


class Clock(Protocol):
    """Time as an argument: the wall clock in service, a stepped clock in tests, event time in a replay."""

    def now(self) -> datetime:
        """Give the present instant, aware UTC."""

    async def sleep(self, delay: timedelta) -> None:
        """Wait for ``delay`` of this clock's time."""


class Topic(enum.StrEnum):
    """The topics of the event log."""

    EVENTS = "events"
    SIGNALS = "signals"
    DEAD_LETTERS = "dead-letters"


type_of_topic: Mapping[Topic, type[Event] | type[Signal] | type[DeadLetter]] = {
    Topic.EVENTS: Event,
    Topic.SIGNALS: Signal,
    Topic.DEAD_LETTERS: DeadLetter,
}

LogItem = Event | Signal | DeadLetter


class TopicPartition(NamedTuple):
    """One ordered part of a topic."""

    topic: Topic
    partition: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Consecutive items of one partition: offsets ``first_offset`` (inclusive) to ``next_offset`` (exclusive).

    ``end_offset`` is the end of the partition as the log knew it when the slice was read, so
    ``end_offset - next_offset`` items still wait behind it. A record that cannot be decoded takes its offset
    and stands in ``undecodable`` as (offset, raw bytes, reason) instead of in ``items``.
    """

    partition: TopicPartition
    first_offset: int
    next_offset: int
    end_offset: int
    items: Sequence[LogItem]
    undecodable: Sequence[tuple[int, bytes, str]] = ()

    @property
    def lag_count(self) -> int:
        """Items behind this slice that are not read yet."""
        return max(0, self.end_offset - self.next_offset)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one read gives: at most one slice per partition. Without slices it is a pulse: nothing came for a while,
    every partition in ``caught_up`` is read to its end.
    """

    slices: Sequence[Slice] = ()
    caught_up: frozenset[TopicPartition] = frozenset()
    commit: Callable[[], Awaitable[None]] | None = None


class Handover(Protocol):
    """How a reading group takes partitions over and gives them up. Positions live in the store, not in the log."""

    async def assigned(self, partitions: frozenset[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Take partitions over: restore their state and say from which offset to read (missing means 0)."""

    async def revoked(self, partitions: frozenset[TopicPartition]) -> None:
        """Give partitions up: forget their state. Called before another member can get them where the log allows."""


class Start(enum.StrEnum):
    """Where a reader without a group begins."""

    BEGINNING = "beginning"
    END = "end"


class EventLog(Protocol):
    """An ordered, durable log of batches: at least once, in order per partition."""

    async def append(self, topic: Topic, items: Sequence[LogItem]) -> None:
        """Write a batch; returns when the log has it durably. Items go to ``partition_of(item.partition_key)``.

        Raises:
            LogUnavailableError: the log did not confirm; whether part of the batch was written is unknown.
        """

    def read(
        self,
        topics: Sequence[Topic],
        *,
        group: str,
        handover: Handover,
        max_items: int = 4_000,
        pulse: timedelta = timedelta(seconds=1),
    ) -> AsyncIterator[Batch]:
        """Read as a member of ``group``: each partition has one reader in the group at a time.

        Yields a pulse (a batch without slices) when nothing arrived for ``pulse``. The next batch is fetched when the
        caller asks for it: that is the back-pressure.
        """

    def tail(
        self,
        topics: Sequence[Topic],
        *,
        start: Start = Start.END,
        max_items: int = 4_000,
        pulse: timedelta = timedelta(seconds=1),
    ) -> AsyncIterator[Batch]:
        """Read every partition on one's own, without a group and without positions (walls, recorders)."""

    async def lag(self, positions: Mapping[TopicPartition, int]) -> int:
        """Count the items that lie behind the given positions."""

    async def end_offsets(self, topics: Sequence[Topic]) -> Mapping[TopicPartition, int]:
        """Give the next offset of every partition of the topics."""

    def partition_count(self, topic: Topic) -> int:
        """Give the number of partitions of a topic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Engine state of one partition that changed with a batch: None deletes."""

    partition: TopicPartition
    changed: Mapping[StateKey, bytes | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordResult:
    """What became of a batch's events in the store. The three counts add up to the events given."""

    stored_count: int = 0
    duplicate_count: int = 0
    unstorable_count: int = 0
    late_ids: frozenset[bytes] = field(default_factory=frozenset)


class BatchTransaction(Protocol):
    """One database transaction for one batch: rows, engine state, alerts, deliveries and positions, or nothing."""

    async def advance(self, slices: Sequence[Slice]) -> None:
        """Move the group's positions from each slice's ``first_offset`` to its ``next_offset``.

        Raises:
            PositionConflictError: the stored position is not ``first_offset``: another replica was here.
        """

    async def record(self, events: Sequence[Event]) -> RecordResult:
        """Write events to their tables, with ``latest`` and rollup marks. What is stored is not written again."""

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        """Write dead letters where people can list and retry them."""

    async def apply(self, changes: Sequence[AlertChange]) -> None:
        """Move alerts by the engine's decisions and write the deliveries that follow."""

    async def checkpoint(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Keep the engine state that changed."""


class BatchStore(Protocol):
    """Where the worker writes."""

    def begin(self, group: str) -> AbstractAsyncContextManager[BatchTransaction]:
        """Open a transaction that commits when the block ends without an error.

        Raises:
            StoreUnavailableError: the database does not answer.
        """

    async def positions(self, group: str, partitions: frozenset[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Read where the group stands on the partitions."""

    async def engine_state(
        self, group: str, partitions: frozenset[TopicPartition]
    ) -> Mapping[TopicPartition, Mapping[StateKey, bytes]]:
        """Read the engine state kept for the partitions."""


class Sink(Protocol):
    """Where a connector hands over what it parsed. Awaiting it is the back-pressure."""

    async def __call__(self, parsed: Parsed, *, feed_id: str, received_at: datetime) -> None:
        """Put events and rejected records on the log; returns when the log has them all."""


class Connector(Protocol):
    """One feed's way in. Lives until cancelled; raises ``SourceLostError`` when its source goes away."""

    feed_id: str

    async def run(self, sink: Sink) -> None:
        """Bring the feed's data in for as long as the source is there."""
