"""The worker's way into the store: one transaction per batch holds everything that the batch makes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from psycopg import AsyncConnection

from ioc.domain.alerts import AlertChange
from ioc.domain.events import DeadLetter, Event
from ioc.errors import PositionConflictError
from ioc.ports import BatchTransaction, Checkpoint, RecordResult, Slice, StateKey, Topic, TopicPartition
from ioc.storage.observations import ObservationWriter, Recording
from ioc.storage.pool import Database
from ioc.storage.statements import load_statements

_SQL = load_statements("batches")

AlertWriter = Callable[[AsyncConnection, Sequence[AlertChange]], Awaitable[None]]
"""Moves alerts by the engine's decisions, inside the connection's open transaction."""


class PostgresBatchStore:
    """Takes the worker's batches (``ioc.ports.BatchStore``).

    Args:
        database: the open pool.
        alerts: writes alert changes with their journal and deliveries.
        deadline: longest time that one transaction may take.
    """

    def __init__(self, database: Database, *, alerts: AlertWriter, deadline: timedelta = timedelta(seconds=60)) -> None:
        self._database, self._alerts, self._deadline = database, alerts, deadline
        self._writer = ObservationWriter()

    @asynccontextmanager
    async def begin(self, group: str) -> AsyncIterator[BatchTransaction]:
        """Open a transaction that commits when the block ends without an error.

        Raises:
            StoreUnavailableError: the database does not answer; whether a failing commit took place is unknown.
        """
        recording = self._writer.begin()
        is_whole = False
        try:
            async with self._database.transaction(deadline=self._deadline) as connection:
                yield PostgresBatchTransaction(connection, group=group, recording=recording, alerts=self._alerts)
                is_whole = True
        except BaseException:
            if is_whole:
                # The commit itself failed: it may have taken place, so what we remember may be too old.
                self._writer.forget()
            raise
        recording.confirm()

    async def positions(self, group: str, partitions: frozenset[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Read where the group stands; partitions never read are missing.

        Partitions that are taken over had another writer until now, so what is remembered of their series goes.
        """
        self._writer.forget()
        async with self._database.connection() as connection:
            cursor = await connection.execute(_SQL["list_positions"], (group,))
            rows = await cursor.fetchall()
        found = {TopicPartition(Topic(topic), partition): offset for topic, partition, offset in rows}
        return {partition: found[partition] for partition in partitions if partition in found}

    async def engine_state(
        self, group: str, partitions: frozenset[TopicPartition]
    ) -> Mapping[TopicPartition, Mapping[StateKey, bytes]]:
        """Read the engine state kept for the partitions; each partition asked for is there."""
        state: dict[TopicPartition, dict[StateKey, bytes]] = {partition: {} for partition in partitions}
        topics = [partition.topic.value for partition in state]
        numbers = [partition.partition for partition in state]
        async with self._database.connection() as connection:
            cursor = await connection.execute(_SQL["list_state"], (topics, numbers, group), binary=True)
            async for topic, partition, rule_id, key, value in cursor:
                state[TopicPartition(Topic(topic), partition)][StateKey(rule_id, key)] = value
        return state


class PostgresBatchTransaction:
    """One open transaction of the worker (``ioc.ports.BatchTransaction``)."""

    def __init__(self, connection: AsyncConnection, *, group: str, recording: Recording, alerts: AlertWriter) -> None:
        self._connection, self._group, self._recording, self._alerts = connection, group, recording, alerts

    async def advance(self, slices: Sequence[Slice]) -> None:
        """Move the group's positions from each slice's ``first_offset`` to its ``next_offset``.

        Raises:
            PositionConflictError: the stored position is not ``first_offset``: another replica was here.
        """
        if not slices:
            return
        wanted = {
            "group": self._group,
            "topics": [part.partition.topic.value for part in slices],
            "partitions": [part.partition.partition for part in slices],
            "first": [part.first_offset for part in slices],
            "next": [part.next_offset for part in slices],
        }
        refused = await (await self._connection.execute(_SQL["advance_positions"], wanted)).fetchone()
        if refused is not None:
            topic, partition, expected = refused
            cursor = await self._connection.execute(_SQL["find_position"], (self._group, topic, partition))
            row = await cursor.fetchone()
            raise PositionConflictError(
                topic=topic, partition=partition, expected=expected, found=None if row is None else row[0]
            )

    async def record(self, events: Sequence[Event]) -> RecordResult:
        """Write events to their tables, with ``latest`` and rollup marks. A reading stored before is not written again.

        Events that no table can hold go to the dead letters, as JSON, with the reason.
        """
        known = len(self._recording.unstorable)
        result = await self._recording.record(self._connection, events)
        if result.unstorable_count:
            await self.bury([_bury(event, fault) for event, fault in self._recording.unstorable[known:]])
        return result

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        """Write dead letters where people can list and retry them; one that is there already stays as it is."""
        if letters:
            columns = (
                [letter.dead_letter_id for letter in letters],
                [_to_text(letter.feed_id) for letter in letters],
                [letter.received_at for letter in letters],
                [_to_text(letter.reason) for letter in letters],
                [_to_text(letter.source) for letter in letters],
                [letter.raw for letter in letters],
            )
            await self._connection.execute(_SQL["bury"], columns)

    async def apply(self, changes: Sequence[AlertChange]) -> None:
        """Move alerts by the engine's decisions and write the deliveries that follow."""
        if changes:
            await self._alerts(self._connection, changes)

    async def checkpoint(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Keep the engine state that changed; None deletes."""
        saved, gone = [], []
        for checkpoint in checkpoints:
            topic, partition = checkpoint.partition.topic.value, checkpoint.partition.partition
            for (rule_id, key), state in checkpoint.changed.items():
                if state is None:
                    gone.append((topic, partition, rule_id, key))
                else:
                    saved.append((topic, partition, rule_id, key, state))
        if saved:
            columns = map(list, zip(*saved, strict=True))
            await self._connection.execute(_SQL["save_state"], (self._group, *columns))
        if gone:
            names = map(list, zip(*gone, strict=True))
            await self._connection.execute(_SQL["delete_state"], (*names, self._group))


def _bury(event: Event, fault: str) -> DeadLetter:
    return DeadLetter(
        dead_letter_id=(event.event_id + bytes(16))[:16],
        feed_id=event.feed_id,
        received_at=event.received_at,
        reason=f"store: {fault}",
        raw=repr(event).encode(errors="backslashreplace"),
        source=f"event/{event.kind}",
    )


def _to_text(value: str) -> str:
    """Write out what a text column cannot hold: NUL characters and lone surrogates."""
    return value.replace("\x00", "\\x00").encode(errors="backslashreplace").decode()
