"""Replaying recordings in a scratch of their own: through the log, the rules and the store; wire files also through
their connectors.

The sources play side by side in the order of their own times. Arrival is set to the source's time, and the clock stands
where the replay has got to, so rules judge the past as they would have judged it then. The player goes in lock step
with the worker: a chunk goes onto the log when the one before is committed. So the embedded log and Kafka decide alike.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from ioc import cancellation
from ioc.bootstrap.foundations import Foundations
from ioc.bootstrap.processing import make_worker
from ioc.clocks import ReplayClock
from ioc.domain.events import DeadLetter, Event
from ioc.errors import LogUnavailableError, one_cause
from ioc.ports import Topic, TopicPartition
from ioc.processing.worker import GRACE, PULSE
from ioc.replaying.journal import encode_change, read_journal
from ioc.replaying.merging import merge
from ioc.replaying.sources import Source
from ioc.replaying.staging import Staging
from ioc.replaying.summary import ReplaySummary, SourceProgress
from ioc.replaying.tracks import open_tracks
from ioc.storage.alerts import PostgresAlertStore
from ioc.storage.letters import DeadLetterStore
from ioc.storage.series import HistoryStore

CHUNK_ITEMS = 2_000
"""Events between two steps of the lock: large enough to be fast, small enough to show progress."""

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
PACED_CHUNK_S = 0.25
"""Real time that a chunk of a paced replay covers at most."""
_STEP_DEADLINE_S = 120.0
_LOOK_S = 0.002

OnProgress = Callable[[Mapping[str, SourceProgress], datetime | None], None]


class Replay:
    """Plays recordings into a scratch deployment: a log with its own topics, a store with its own schema.

    Args:
        base: the scratch; nothing else may read or write it.
        sources: what to play.
        speed: event time to real time; None plays as fast as the store takes it.
        on_progress: told after each chunk: each source's progress, and the event time that was reached.
        staging: seek, filter, times; as recorded when not given.
        rounds: how often to play everything; None plays until ``stop``.
        stop: ends the play after the chunk under way.
    """

    def __init__(
        self,
        base: Foundations,
        sources: Sequence[Source],
        *,
        speed: float | None,
        on_progress: OnProgress,
        staging: Staging | None = None,
        rounds: int | None = 1,
        stop: asyncio.Event | None = None,
    ) -> None:
        self._base, self._sources, self._speed, self._on_progress = base, sources, speed, on_progress
        self._staging, self._rounds, self._stop = staging or Staging(), rounds, stop or asyncio.Event()
        self._clock = ReplayClock(BEGINNING)
        self._worker = make_worker(base, clock=self._clock)
        self._summary = ReplaySummary()

    async def run(self) -> ReplaySummary:
        """Play everything and give the account of it.

        Raises:
            MalformedPayloadError: a file's header does not fit its form.
            UnreadableFileError: a recording is cut short or altered.
            LogUnavailableError, StoreUnavailableError: the scratch went away.
        """
        began = time.monotonic()
        with one_cause():
            await self._play_all(began)
        await self._settle()
        self._summary.elapsed_s = time.monotonic() - began
        return self._summary

    async def _play_all(self, began: float) -> None:
        async with asyncio.TaskGroup() as group:
            working = group.create_task(self._worker.run(), name="worker")
            while self._rounds is None or self._summary.rounds_count < self._rounds:
                before = self._summary.appended_count
                await self._play_round(began)
                if self._stop.is_set() or self._summary.appended_count == before:
                    break
            await self._end()
            working.cancel()

    async def _play_round(self, began: float) -> None:
        summary = self._summary
        is_first = summary.rounds_count == 0
        self._staging.begin_round()
        async with asyncio.TaskGroup() as group:
            tracks = await open_tracks(self._base, self._sources, summary.files)
            reading = [task for track in tracks if (task := track.start(group)) is not None]
            chunk_s = None if self._speed is None else self._speed * PACED_CHUNK_S
            async for events, letters in merge(tracks, chunk_items=CHUNK_ITEMS, chunk_s=chunk_s):
                # The second round refuses the same records again: they are the same letters.
                await self._play(self._staging.take(events), letters if is_first else [], began)
                summary.repeated_letters_count += 0 if is_first else len(letters)
                if self._stop.is_set():
                    summary.was_stopped = True
                    break
            for task in reading:
                task.cancel()
        summary.rounds_count += 1

    async def _play(self, events: list[Event], letters: list[DeadLetter], began: float) -> None:
        summary, staging = self._summary, self._staging
        summary.skipped_count, summary.filtered_count = staging.skipped_count, staging.filtered_count
        if events:
            reached_at = max(event.received_at for event in events)
            summary.begins_at = summary.begins_at or events[0].received_at
            summary.ends_at = reached_at if summary.ends_at is None else max(summary.ends_at, reached_at)
            await self._keep_pace(began, summary.ends_at - summary.begins_at)
            await self._base.log.append(Topic.EVENTS, events)
            summary.appended_count += len(events)
        if letters:
            await self._base.log.append(Topic.DEAD_LETTERS, letters)
        await self._reach_end()
        if summary.ends_at is not None:
            self._clock.advance(summary.ends_at)
        self._on_progress(summary.files, summary.ends_at)

    async def _end(self) -> None:
        ends_at = self._summary.ends_at
        if ends_at is not None:
            self._clock.advance(ends_at + GRACE + PULSE)
            await self._wait(lambda: self._worker.pulsed_at == self._clock.now())
            await self._reach_end()

    async def _keep_pace(self, began: float, played: timedelta) -> None:
        if self._speed is not None:
            ahead_s = played.total_seconds() / self._speed - (time.monotonic() - began)
            await wait_or_stop(self._stop, ahead_s)

    async def _reach_end(self) -> None:
        """Wait until everything on the log is committed; signals that were made on the way included."""
        while True:
            ends = await self._base.log.end_offsets(tuple(Topic))
            await self._wait(lambda ends=ends: self._has_reached(ends))  # type: ignore[misc]
            if ends == await self._base.log.end_offsets(tuple(Topic)):
                return

    def _has_reached(self, ends: Mapping[TopicPartition, int]) -> bool:
        return all(self._worker.positions.get(partition, 0) >= end for partition, end in ends.items())

    async def _wait(self, is_done: Callable[[], bool]) -> None:
        try:
            async with cancellation.timeout(_STEP_DEADLINE_S):
                while not is_done():  # noqa: ASYNC110  the worker knows of no replay that it could tell
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError as error:
            raise LogUnavailableError(
                f"the worker has not come to the log's end within {_STEP_DEADLINE_S:g} s"
            ) from error

    async def _settle(self) -> None:
        summary, database = self._summary, self._base.database
        summary.stored_count = sum((await HistoryStore(database).count_readings()).values())
        summary.duplicate_count = self._worker.duplicate_count
        summary.unstorable_count = self._worker.unstorable_count
        summary.dead_letters_count = sum((await DeadLetterStore(database).count()).values())
        entries = [entry async for entry in read_journal(PostgresAlertStore(database))]
        summary.alerts.update((entry.alert.rule_id, entry.type.value) for entry in entries)
        summary.digest = hashlib.sha256(b"\n".join(map(encode_change, entries))).hexdigest()


async def wait_or_stop(stop: asyncio.Event, delay_s: float) -> None:
    """Wait in real time, but no longer than until told to stop."""
    if delay_s > 0:
        try:
            async with cancellation.timeout(delay_s):
                await stop.wait()
        except TimeoutError:
            return
