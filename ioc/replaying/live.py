"""Playing recordings into the live log: as if it happened now, beside what really does.

Events keep their feeds and assets and get new ids and times. What could not be read stays out of the live dead letters.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from ioc.bootstrap.foundations import Foundations
from ioc.domain.events import Event
from ioc.errors import DepartmentsListenError, one_cause
from ioc.ports import Topic
from ioc.recordings.selection import Selection
from ioc.replaying.merging import merge
from ioc.replaying.player import CHUNK_ITEMS, PACED_CHUNK_S, OnProgress, wait_or_stop
from ioc.replaying.sources import Source
from ioc.replaying.staging import Staging
from ioc.replaying.summary import ReplaySummary
from ioc.replaying.tracks import open_tracks
from ioc.storage.audit import AuditLog
from ioc.storage.subscriptions import list_told

_ACTOR, _ADDRESS = "ioc replay", "command line"


class LiveReplay:
    """Plays recordings onto the deployment's own log, where workers and walls take them for what happens now.

    Distances between events shrink with ``speed``, so nothing ever comes from the future. Beginning and end stand in
    the audit log.

    Args:
        base: the live deployment.
        sources: what to play.
        speed: event time to real time.
        on_progress: told after each chunk.
        selection, seek, rounds, stop: as for ``Replay``.
        tells_departments: play although departments would hear of what only seems to happen.
    """

    def __init__(
        self,
        base: Foundations,
        sources: Sequence[Source],
        *,
        speed: float,
        on_progress: OnProgress,
        selection: Selection,
        seek: timedelta | datetime | None = None,
        rounds: int | None = 1,
        stop: asyncio.Event,
        tells_departments: bool = False,
    ) -> None:
        self._base, self._sources, self._speed, self._on_progress = base, sources, speed, on_progress
        self._selection, self._seek, self._rounds, self._stop = selection, seek, rounds, stop
        self._tells_departments = tells_departments
        self._summary = ReplaySummary()

    async def run(self) -> ReplaySummary:
        """Play until everything is on the log, or told to stop.

        Raises:
            DepartmentsListenError: departments would be told, and nobody said that they may be.
            MalformedPayloadError, UnreadableFileError: a source cannot be read.
            LogUnavailableError, StoreUnavailableError: the deployment does not answer.
        """
        began = time.monotonic()
        if not self._tells_departments and (told := await list_told(self._base.database)):
            raise DepartmentsListenError(told)
        audit = AuditLog(self._base.database, self._base.clock)
        names = ", ".join(sorted({source.name for source in self._sources}))
        begun = {"speed": self._speed} | ({"tells_departments": True} if self._tells_departments else {})
        await audit.note(actor=_ACTOR, address=_ADDRESS, action="replay.begin", on=names, detail=begun)
        summary = self._summary
        try:
            while not self._stop.is_set() and (self._rounds is None or summary.rounds_count < self._rounds):
                before = summary.appended_count
                with one_cause():
                    await self._play_round()
                if summary.appended_count == before:
                    break
        finally:
            detail = {"events": summary.appended_count}
            await audit.note(actor=_ACTOR, address=_ADDRESS, action="replay.end", on=names, detail=detail)
        summary.was_stopped = self._stop.is_set()
        summary.elapsed_s = time.monotonic() - began
        return summary

    async def _play_round(self) -> None:
        summary = self._summary
        begin_at = self._base.clock.now()
        staging = Staging(selection=self._selection, seek=self._seek, begin_at=begin_at, speed=self._speed)
        skipped, filtered = summary.skipped_count, summary.filtered_count
        async with asyncio.TaskGroup() as group:
            tracks = await open_tracks(self._base, self._sources, summary.files)
            reading = [task for track in tracks if (task := track.start(group)) is not None]
            async for events, _ in merge(tracks, chunk_items=CHUNK_ITEMS, chunk_s=self._speed * PACED_CHUNK_S):
                played = staging.take(events)
                summary.skipped_count = skipped + staging.skipped_count
                summary.filtered_count = filtered + staging.filtered_count
                await self._append(played)
                if self._stop.is_set():
                    break
            for task in reading:
                task.cancel()
        summary.rounds_count += 1

    async def _append(self, events: list[Event]) -> None:
        if events:
            due_at = events[-1].received_at
            await wait_or_stop(self._stop, (due_at - self._base.clock.now()).total_seconds())
            if self._stop.is_set():
                return
            # Arrival is ours to say: on one log it does not go backwards between us and the live intake.
            now = self._base.clock.now()
            arrived = [msgspec.structs.replace(event, received_at=now) for event in events]
            await self._base.log.append(Topic.EVENTS, arrived)
            self._note(len(arrived), now)
        self._on_progress(self._summary.files, self._summary.ends_at)

    def _note(self, count: int, now: datetime) -> None:
        self._summary.appended_count += count
        self._summary.begins_at = self._summary.begins_at or now
        self._summary.ends_at = now
