"""Reading the log for a recording: everything that it still holds of a span, or what comes until told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast

from ioc.domain.events import Event
from ioc.ports import Batch, Clock, EventLog, Start, Topic, TopicPartition
from ioc.recordings.manifest import Manifest
from ioc.recordings.recorder import Recorder
from ioc.recordings.selection import Selection

_PULSE = timedelta(seconds=0.5)
"""How soon a word to stop is heard on a quiet log."""
_GRACE = timedelta(seconds=2)


@dataclass(slots=True, kw_only=True)
class Capture:
    """How far a recording came. ``undecodable_count`` are records of the log that nobody can read."""

    events_count: int = 0
    left_aside_count: int = 0
    undecodable_count: int = 0
    bytes_count: int = 0
    reached_at: datetime | None = None
    seen: set[TopicPartition] = field(default_factory=set)


async def record(
    log: EventLog,
    recorder: Recorder,
    selection: Selection,
    *,
    clock: Clock,
    is_live: bool,
    stop: asyncio.Event,
    on_progress: Callable[[Capture], None] = lambda _: None,
) -> tuple[Manifest, Capture]:
    """Record until the span is over, the log is read to its end, or ``stop`` is set; then end the files.

    Live recordings begin at the log's end and go on until ``stop`` or the span's end. The others begin with what the
    log still holds and end where it ended when the recording began.

    Raises:
        LogUnavailableError: the log went away; the files that were ended before stay.
        OSError: the disk took no more.
    """
    capture = Capture()
    ends = {} if is_live else dict(await log.end_offsets((Topic.EVENTS,)))
    start = Start.END if is_live else Start.BEGINNING
    # Both logs read with generators; only those can be closed.
    batches = cast("AsyncGenerator[Batch, None]", log.tail((Topic.EVENTS,), start=start, pulse=_PULSE))
    is_complete = False
    try:
        async with aclosing(batches):
            async for batch in batches:
                await asyncio.to_thread(_take, batch, ends, recorder, selection, capture)
                on_progress(capture)
                is_over = _is_past(selection, clock) if is_live else _has_reached(ends, capture)
                if is_over or stop.is_set():
                    break
        is_complete = True
    finally:
        manifest = await asyncio.to_thread(recorder.close, is_complete=is_complete)
    capture.bytes_count = recorder.bytes_count
    return manifest, capture


def _take(
    batch: Batch, ends: dict[TopicPartition, int], recorder: Recorder, selection: Selection, capture: Capture
) -> None:
    for part in batch.slices:
        events = [item for item in part.items if isinstance(item, Event)]
        wanted = [event for event in events if selection.takes(event)]
        recorder.write(part.partition.partition, wanted)
        capture.events_count += len(wanted)
        capture.left_aside_count += len(events) - len(wanted)
        capture.undecodable_count += len(part.undecodable)
        if events:
            latest = events[-1].received_at
            capture.reached_at = latest if capture.reached_at is None else max(capture.reached_at, latest)
        if part.next_offset >= ends.get(part.partition, 0):
            capture.seen.add(part.partition)
    capture.seen.update(batch.caught_up)
    recorder.rotate()
    capture.bytes_count = recorder.bytes_count


def _is_past(selection: Selection, clock: Clock) -> bool:
    # What arrived before the end may still be on its way onto the log.
    return selection.end_at is not None and clock.now() >= selection.end_at + _GRACE


def _has_reached(ends: Mapping[TopicPartition, int], capture: Capture) -> bool:
    return all(end == 0 or partition in capture.seen for partition, end in ends.items())
