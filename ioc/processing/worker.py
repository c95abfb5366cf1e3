"""The worker: takes a batch off the log, decides, stores, commits; then the next.

The order carries the promises. Signals go to the log before the store commits, so a crash repeats them and loses none.
Rows, engine state, alerts, deliveries and positions commit together or not at all, so a redelivered batch changes
nothing. The log's own commit comes last and matters only for its retention and its lag figure.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from alerts.engine.stepping import Step
from ioc import telemetry
from ioc.domain.events import DeadLetter, Event, Signal
from ioc.errors import IocError, PositionConflictError
from ioc.logs import logger
from ioc.ports import Batch, BatchStore, Checkpoint, Clock, EventLog, Slice, Topic, TopicPartition
from ioc.processing.dead_letters import bury_undecodable
from ioc.processing.ownership import Ownership
from ioc.processing.rule_health import RuleWatch
from ioc.retry import Backoff

_log = logger("worker")

READ_TOPICS = (Topic.EVENTS, Topic.SIGNALS, Topic.DEAD_LETTERS)
PULSE = timedelta(seconds=1)
GRACE = timedelta(seconds=1)
"""Timers of a caught-up partition run this far behind the clock, so that a reading on its way is not called missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """Everything that one batch makes, computed once, written as often as the store needs to take it."""

    slices: Sequence[Slice]
    events: Sequence[Event]
    letters: Sequence[DeadLetter]
    steps: Mapping[TopicPartition, Step]
    pulsed_at: datetime | None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write: a pulse at which no timer fell due."""
        return not self.slices and not any(step.changes or step.state or step.signals for step in self.steps.values())


class Worker:
    """One member of the processing group.

    Args:
        log: where batches come from and signals go to.
        store: where one transaction per batch goes.
        ownership: takes partitions over and gives them up, and has the engine that decides about them; this worker
            is the engine's only caller.
        watch: hears of every rule that failed.
        clock: time for pulses; events carry their own.
        random: jitter of retries.
        group: name of the consumer group; replicas share it.
        max_items: most items a batch may hold.

    ``positions`` and ``pulsed_at`` say how far the work has come: everything before them is committed. The counts are
    those of this worker since it was made.
    """

    def __init__(
        self,
        *,
        log: EventLog,
        store: BatchStore,
        ownership: Ownership,
        watch: RuleWatch,
        clock: Clock,
        random: Random,
        group: str = "process",
        max_items: int = 8_000,
    ) -> None:
        self._log, self._store, self._ownership = log, store, ownership
        self._clock, self._random, self._group, self._max_items = clock, random, group, max_items
        self.watch = watch
        self.lag_count = 0
        self.committed_at: datetime | None = None
        self.pulsed_at: datetime | None = None
        self.positions: dict[TopicPartition, int] = {}
        self.duplicate_count = 0
        self.unstorable_count = 0

    async def run(self) -> None:
        """Process until cancelled. A lost partition or log starts the reading anew from the stored positions."""
        waits = Backoff().waits(self._random)
        while True:
            try:
                async for batch in self._log.read(
                    READ_TOPICS, group=self._group, handover=self._ownership, max_items=self._max_items, pulse=PULSE
                ):
                    await self._process(batch)
                    waits = Backoff().waits(self._random)
            except PositionConflictError as conflict:
                _log.warning("batch.fenced", topic=conflict.topic, partition=conflict.partition)
            except IocError as error:
                if not error.retryable:
                    raise
                _log.error("log.lost", reason=str(error))
            await self._clock.sleep(next(waits))

    async def _process(self, batch: Batch) -> None:
        started = time.perf_counter()
        await self._ownership.renew()
        decided = self._decide(batch)
        self.lag_count = sum(part.lag_count for part in batch.slices)
        telemetry.log_lag.labels("all").set(self.lag_count)
        if not decided.is_empty:
            await self._send(decided)
            await self._write(decided)
            if batch.commit is not None:
                await batch.commit()
            self.committed_at = self._clock.now()
            telemetry.batches_committed.inc()
            telemetry.batch_seconds.observe(time.perf_counter() - started)
        telemetry.twin_lag.set(measure_twin_lag(batch.slices, self._clock.now()).total_seconds())
        self.positions.update({part.partition: part.next_offset for part in batch.slices})
        self.pulsed_at = decided.pulsed_at or self.pulsed_at

    async def _send(self, decided: Decided) -> None:
        """Put the signals on the log in the order of arrival, whichever partition made them first."""
        signals = [signal for step in decided.steps.values() for signal in step.signals]
        if signals:
            signals.sort(key=lambda signal: (signal.event.received_at, signal.scope, signal.event.event_id))
            await self._log.append(Topic.SIGNALS, signals)

    def _decide(self, batch: Batch) -> Decided:
        events: list[Event] = []
        letters: list[DeadLetter] = []
        steps: dict[TopicPartition, Step] = {}
        for part in batch.slices:
            letters.extend(bury_undecodable(part, received_at=self._clock.now()))
            if part.partition.topic is Topic.DEAD_LETTERS:
                letters.extend(item for item in part.items if isinstance(item, DeadLetter))
                continue
            items = [item for item in part.items if isinstance(item, Event | Signal)]
            if part.partition.topic is Topic.EVENTS:
                events.extend(item for item in items if isinstance(item, Event))
            steps[part.partition] = self._ownership.engine.step(part.partition, items)
        now = self._clock.now()
        is_pulse = self.pulsed_at is None or now - self.pulsed_at >= PULSE
        for partition, later in (self._advance(batch, now - GRACE) if is_pulse else {}).items():
            steps[partition] = steps[partition].merge(later) if partition in steps else later
        for step in steps.values():
            self.watch.note(step.rule_errors)
            for change in step.changes:
                telemetry.alert_changes.labels(change.rule_id, change.type.value).inc()
        return Decided(
            slices=batch.slices, events=events, letters=letters, steps=steps, pulsed_at=now if is_pulse else None
        )

    def _advance(self, batch: Batch, to: datetime) -> dict[TopicPartition, Step]:
        """Let timers of partitions that are read to their end run on the clock."""
        return {
            partition: self._ownership.engine.advance(partition, to)
            for partition in batch.caught_up
            if partition.topic is not Topic.DEAD_LETTERS and self._ownership.has(partition)
        }

    async def _write(self, decided: Decided) -> None:
        """Write until the store has it. What was decided stays as it is, so waiting for the store changes nothing."""
        waits = Backoff().waits(self._random)
        while True:
            try:
                await self._write_once(decided)
                return
            except PositionConflictError:
                raise
            except IocError as error:
                if not error.retryable:
                    raise
                _log.error("store.lost", reason=str(error), events=len(decided.events))
                await self._clock.sleep(next(waits))

    async def _write_once(self, decided: Decided) -> None:
        async with self._store.begin(self._group) as transaction:
            await transaction.advance(decided.slices)
            result = await transaction.record(decided.events)
            if decided.letters:
                await transaction.bury(decided.letters)
            checkpoints = [
                Checkpoint(partition=partition, changed=step.state)
                for partition, step in decided.steps.items()
                if step.state
            ]
            if checkpoints:
                await transaction.checkpoint(checkpoints)
            changes = [change for step in decided.steps.values() for change in step.changes]
            if changes:
                await transaction.apply(changes)
        telemetry.events_stored.inc(result.stored_count)
        telemetry.events_duplicate.inc(result.duplicate_count)
        self.duplicate_count += result.duplicate_count
        self.unstorable_count += result.unstorable_count


def measure_twin_lag(slices: Sequence[Slice], now: datetime) -> timedelta:
    """Say how far the stored state of things is behind what has come in: the oldest end of a partition not yet read."""
    ends = [
        part.items[-1].received_at
        for part in slices
        if part.lag_count and part.items and isinstance(part.items[-1], Event)
    ]
    return max((now - end for end in ends), default=timedelta(0))
