"""Taking partitions over and giving them up: the engine's state follows the partition."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping

from alerts.engine import Engine
from ioc.domain.events import Event
from ioc.logs import logger
from ioc.ports import BatchStore, Topic, TopicPartition

_log = logger("ownership")

LatestEvents = Callable[[], Awaitable[Iterable[Event]]]
PartitionOf = Callable[[Topic, str], int]


class Ownership:
    """The partitions that this process works on, with the engine state that belongs to them.

    Args:
        store: keeps positions and engine state.
        engine: gets the state of what is taken over, forgets what is given up.
        latest: reads the newest event of every asset and kind.
        partition_of: places a key on a partition of a topic.
        group: name of the consumer group.
    """

    def __init__(
        self,
        *,
        store: BatchStore,
        engine: Engine,
        latest: LatestEvents,
        partition_of: PartitionOf,
        group: str = "process",
    ) -> None:
        self._store, self._engine, self._latest = store, engine, latest
        self._partition_of, self._group = partition_of, group
        self._held: set[TopicPartition] = set()

    def has(self, partition: TopicPartition) -> bool:
        """Whether the partition is ours now."""
        return partition in self._held

    async def assigned(self, partitions: frozenset[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Restore the partitions' engine state and say where to read on."""
        positions = await self._store.positions(self._group, partitions)
        state = await self._store.engine_state(self._group, partitions)
        seen = await self._seen_on(frozenset(part.partition for part in partitions if part.topic is Topic.EVENTS))
        for partition in partitions:
            self._engine.forget(partition)
            if partition.topic is Topic.DEAD_LETTERS:
                continue
            last_seen = seen.get(partition.partition, []) if partition.topic is Topic.EVENTS else []
            self._engine.restore(partition, state.get(partition, {}), last_seen)
        self._held |= partitions
        _log.info("partitions.taken", partitions=sorted(f"{part.topic}/{part.partition}" for part in partitions))
        return {partition: positions.get(partition, 0) for partition in partitions}

    async def revoked(self, partitions: frozenset[TopicPartition]) -> None:
        """Forget the partitions: their state lives on in the store."""
        for partition in partitions:
            self._engine.forget(partition)
        self._held -= partitions
        if partitions:
            _log.info("partitions.given", partitions=sorted(f"{part.topic}/{part.partition}" for part in partitions))

    async def _seen_on(self, wanted: frozenset[int]) -> dict[int, list[Event]]:
        seen: dict[int, list[Event]] = {}
        if wanted:
            for event in await self._latest():
                place = self._partition_of(Topic.EVENTS, event.partition_key)
                if place in wanted:
                    seen.setdefault(place, []).append(event)
        return seen
