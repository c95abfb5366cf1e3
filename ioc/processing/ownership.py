"""Taking partitions over and giving them up: the engine's state follows the partition."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from alerts.engine.health import RuleHealth
from alerts.engine.stepping import Engine
from alerts.world import World
from ioc.domain.events import Event
from ioc.errors import StoreUnavailableError
from ioc.logs import logger
from ioc.ports import BatchStore, Topic, TopicPartition
from ioc.rules.in_force import RulesInForce

_log = logger("ownership")

LatestEvents = Callable[[], Awaitable[Iterable[Event]]]
PartitionOf = Callable[[Topic, str], int]


class Ownership:
    """The partitions that this process works on, with the engine state that belongs to them.

    Args:
        store: keeps positions and engine state.
        rules: what the engine decides by; a change of it comes between two batches.
        world: what rules know of the province.
        latest: reads the newest event of every asset and kind.
        partition_of: places a key on a partition of a topic.
        group: name of the consumer group.
        timer: a clock in seconds by which the engine tells what rules cost; without it they seem to cost nothing.

    ``engine`` decides; it gets the state of what is taken over and forgets what is given up.
    """

    def __init__(
        self,
        *,
        store: BatchStore,
        rules: RulesInForce,
        world: World,
        latest: LatestEvents,
        partition_of: PartitionOf,
        group: str = "process",
        timer: Callable[[], float] | None = None,
    ) -> None:
        self._timer = timer
        self._store, self._rules, self._world, self._latest = store, rules, world, latest
        self._partition_of, self._group = partition_of, group
        self._held: set[TopicPartition] = set()
        self.engine, self._made_of = self._make_engine(), (rules.activation_id, rules.is_behind)

    def has(self, partition: TopicPartition) -> bool:
        """Whether the partition is ours now."""
        return partition in self._held

    async def assigned(self, partitions: frozenset[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Restore the partitions' engine state and say where to read on.

        Whoever had them before decided by what was active then. So what is active now is asked for first: with an
        older rulebook the state of newer rules would look like that of deleted ones.
        """
        await self._rules.refresh()
        if not self._held and self._is_outdated:
            self._made_of = self._rules.activation_id, self._rules.is_behind
            self.engine = self._make_engine()
        positions = await self._store.positions(self._group, partitions)
        state = await self._store.engine_state(self._group, partitions)
        seen = await self._seen_on(frozenset(part.partition for part in partitions if part.topic is Topic.EVENTS))
        for partition in partitions:
            self.engine.forget(partition)
            if partition.topic is Topic.DEAD_LETTERS:
                continue
            last_seen = seen.get(partition.partition, []) if partition.topic is Topic.EVENTS else []
            self.engine.restore(partition, state.get(partition, {}), last_seen)
        self._held |= partitions
        _log.info("partitions.taken", partitions=sorted(f"{part.topic}/{part.partition}" for part in partitions))
        return {partition: positions.get(partition, 0) for partition in partitions}

    async def renew(self) -> None:
        """Between two batches: let an engine with the rules in force go on from what is kept of every partition.

        What the last batch decided is in the store, so nothing fires again and no timer is lost. While the store is
        away the old rules stay.
        """
        if not self._is_outdated:
            return
        held = frozenset(part for part in self._held if part.topic is not Topic.DEAD_LETTERS)
        made, made_of = self._make_engine(), (self._rules.activation_id, self._rules.is_behind)
        try:
            state = await self._store.engine_state(self._group, held)
        except StoreUnavailableError as error:
            _log.warning("rules.waiting", reason=error.reason)
            return
        if held != {part for part in self._held if part.topic is not Topic.DEAD_LETTERS}:
            return  # a rebalance came in between; the next batch tries again
        for partition in held:
            made.inherit(partition, state[partition], self.engine)
        self.engine, self._made_of = made, made_of
        _log.info("rules.renewed", activation=made_of[0], partitions=len(held))

    @property
    def _is_outdated(self) -> bool:
        return self._made_of != (self._rules.activation_id, self._rules.is_behind)

    def _make_engine(self) -> Engine:
        return Engine(self._rules.rulebook, self._world, clock=self._timer, is_behind=self._rules.is_behind)

    def health(self) -> Sequence[RuleHealth]:
        """Give what the engine that decides now tells of its rules; another engine begins to count anew."""
        return self.engine.health()

    async def revoked(self, partitions: frozenset[TopicPartition]) -> None:
        """Forget the partitions: their state lives on in the store."""
        for partition in partitions:
            self.engine.forget(partition)
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
