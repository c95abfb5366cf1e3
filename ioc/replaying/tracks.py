"""Sources on their way to the play: each gives its events in the order of arrival, and they are merged into one."""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from connectors.intake import make_letters
from connectors.inventory import load_inventory
from connectors.registry import find, open_feed
from connectors.transports.files import FileImport, FileProgress
from ioc.clocks import SystemClock
from ioc.domain.events import DeadLetter, Event, Parsed, Rejected
from ioc.errors import MalformedPayloadError
from ioc.keys import Keys
from ioc.recordings import columns, envelopes
from ioc.recordings.columns import Run
from ioc.recordings.manifest import check_file
from ioc.replaying.sources import EventFile, Recording, Source
from ioc.replaying.summary import SourceProgress

_QUEUE_PAYLOADS = 4
_UNREADABLE_FEED = "recording"
"""The feed of dead letters whose line does not tell its own."""


class Readable(Protocol):
    """What reading wire files needs of a deployment: boundaries of its own, and the key of its pseudonyms."""

    @property
    def geo_directory(self) -> Path | None:
        """Where imported boundaries lie."""

    @property
    def keys(self) -> Keys:
        """The deployment's keys."""


class Track(Protocol):
    """One sorted stream of events."""

    events: deque[Event]
    letters: list[DeadLetter]
    begins_at: datetime | None
    """No event arrives before it, as far as that is known without reading."""

    def start(self, group: asyncio.TaskGroup) -> asyncio.Task[None] | None:
        """Begin what must run beside the play, if anything; who started it ends it."""

    async def fill(self) -> None:
        """Wait until there is an event to look at, or the end."""


class WireTrack:
    """A wire recording: parsed by its feed's connector, a bounded queue of payloads ahead of the play."""

    def __init__(self, base: Readable, recording: Recording, progress: SourceProgress) -> None:
        self.events: deque[Event] = deque()
        self.letters: list[DeadLetter] = []
        self.begins_at: datetime | None = None
        self._recording, self._is_over = recording, False
        self._queue: asyncio.Queue[tuple[Parsed, datetime] | None] = asyncio.Queue(_QUEUE_PAYLOADS)
        definition = recording.definition or find(recording.feed_id)
        feed = open_feed(
            recording.feed_id,
            stations=load_inventory(base.geo_directory),
            pseudonym_key=base.keys.pseudonym_key,
            definitions={recording.feed_id: definition},
        )
        self._import = FileImport(
            feed, self._take, SystemClock(), form=recording.form, follows_event_time=True,
            line_times=recording.line_times, on_progress=self._note,
        )  # fmt: skip
        self._progress, self._noted = progress, FileProgress()

    def start(self, group: asyncio.TaskGroup) -> asyncio.Task[None] | None:
        """Read the file beside the play."""
        return group.create_task(self._play(), name=self._recording.name)

    async def fill(self) -> None:
        """Wait until there is an event to look at, or the end."""
        while not self.events and not self._is_over:
            taken = await self._queue.get()
            if taken is None:
                self._is_over = True
                return
            parsed, received_at = taken
            self.events.extend(parsed.events)
            self.letters += make_letters(parsed, feed_id=self._recording.feed_id, received_at=received_at)

    async def _play(self) -> None:
        self._note(await self._import.run(self._recording.path))
        await self._queue.put(None)

    async def _take(self, parsed: Parsed, *, feed_id: str, received_at: datetime) -> None:
        await self._queue.put((parsed, received_at))

    def _note(self, progress: FileProgress) -> None:
        before, self._noted = self._noted, progress
        total = self._progress
        total.bytes_read += progress.bytes_read - before.bytes_read
        total.bytes_count += progress.bytes_count - before.bytes_count
        total.events_count += progress.events_count - before.events_count
        total.rejected_count += progress.rejected_count - before.rejected_count
        total.ignored_count += progress.ignored_count - before.ignored_count


class LineTrack:
    """A ``.ndjson.zst`` file, read block by block in the order of the log. Arrival never goes backwards in it."""

    def __init__(self, file: EventFile, progress: SourceProgress) -> None:
        self.events: deque[Event] = deque()
        self.letters: list[DeadLetter] = []
        entry = file.manifest_entry
        self.begins_at = datetime.fromisoformat(entry.first_at) if entry is not None and entry.first_at else None
        self._file, self._progress, self._bytes_read = file, progress, 0
        self._blocks: Iterator[tuple[list[bytes], int]] | None = None
        self._lines_count = 0

    def start(self, group: asyncio.TaskGroup) -> asyncio.Task[None] | None:
        """Nothing runs beside the play."""
        return None

    async def fill(self) -> None:
        """Read the next block, when there is one.

        Raises:
            UnreadableFileError: the file is cut short, or not what its manifest says.
        """
        while not self.events:
            if (events := await asyncio.to_thread(self._read)) is None:
                return
            self.events.extend(events)

    def _read(self) -> list[Event] | None:
        if self._blocks is None:
            _check(self._file)
            self._blocks = envelopes.read_blocks(self._file.path)
        block, bytes_read = next(self._blocks, (None, 0))
        if block is None:
            return None
        self._progress.bytes_read += bytes_read - self._bytes_read
        self._bytes_read = bytes_read
        events = []
        for line in block:
            self._lines_count += 1
            try:
                events.append(envelopes.decode_line(line))
            except MalformedPayloadError as error:
                self._reject(line, error)
        self._progress.events_count += len(events)
        return events

    def _reject(self, line: bytes, error: MalformedPayloadError) -> None:
        parsed = Parsed(rejected=[Rejected(raw=line, reason=f"line {self._lines_count}: {error.reason}")])
        at = self.begins_at or datetime.fromtimestamp(self._lines_count, UTC)
        self.letters += make_letters(parsed, feed_id=_UNREADABLE_FEED, received_at=at)
        self._progress.rejected_count += 1


class RunTrack:
    """One row group of a Parquet file; read when the play comes to it, and let go when it is played."""

    def __init__(self, run: Run, progress: SourceProgress) -> None:
        self.events: deque[Event] = deque()
        self.letters: list[DeadLetter] = []
        self.begins_at: datetime | None = run.begins_at
        self._run: Run | None = run
        self._progress = progress

    def start(self, group: asyncio.TaskGroup) -> asyncio.Task[None] | None:
        """Nothing runs beside the play."""
        return None

    async def fill(self) -> None:
        """Read the row group, once.

        Raises:
            UnreadableFileError: it cannot be read.
        """
        if self._run is None or self.events:
            return
        run, self._run = self._run, None
        self.events.extend(await asyncio.to_thread(columns.read_run, run))
        self._progress.events_count += run.rows_count
        self._progress.bytes_read += run.bytes_count


async def open_tracks(base: Readable, sources: Sequence[Source], files: dict[str, SourceProgress]) -> list[Track]:
    """Make the tracks of all sources; their progress counts on under the names of the sources.

    Raises:
        UnreadableFileError: a file's footer cannot be read, or differs from its manifest.
    """
    tracks: list[Track] = []
    for source in sources:
        progress = files.setdefault(source.name, SourceProgress())
        if isinstance(source, Recording):
            tracks.append(WireTrack(base, source, progress))
            continue
        progress.bytes_count += await asyncio.to_thread(_find_size, source.path)
        if source.path.name.endswith(columns.SUFFIX):
            tracks += [RunTrack(run, progress) for run in await asyncio.to_thread(_list_checked_runs, source)]
        else:
            tracks.append(LineTrack(source, progress))
    return tracks


async def merge(
    tracks: Sequence[Track], *, chunk_items: int, chunk_s: float | None = None
) -> AsyncIterator[tuple[list[Event], list[DeadLetter]]]:
    """Give the events of all tracks in the order of their arrival, in chunks; dead letters come along.

    A track that knows when it begins is opened when the play comes there. ``chunk_s`` bounds how much recorded time
    a chunk holds.
    """
    heap: list[tuple[datetime, int]] = []

    async def refill(index: int) -> None:
        track = tracks[index]
        await track.fill()
        if track.events:
            heapq.heappush(heap, (track.events[0].received_at, index))

    for index, track in enumerate(tracks):
        if track.begins_at is not None:
            heapq.heappush(heap, (track.begins_at, index))
        else:
            await refill(index)
    chunk: list[Event] = []
    while heap:
        at, index = heapq.heappop(heap)
        if not tracks[index].events:
            await refill(index)
            continue
        if chunk and chunk_s is not None and (at - chunk[0].received_at).total_seconds() > chunk_s:
            yield chunk, _take_letters(tracks)
            chunk = []
        chunk.append(tracks[index].events.popleft())
        await refill(index)
        if len(chunk) >= chunk_items:
            yield chunk, _take_letters(tracks)
            chunk = []
    letters = _take_letters(tracks)
    if chunk or letters:
        yield chunk, letters


def _take_letters(tracks: Sequence[Track]) -> list[DeadLetter]:
    letters = []
    for track in tracks:
        if track.letters:
            letters += track.letters
            track.letters = []
    return letters


def _list_checked_runs(file: EventFile) -> list[Run]:
    _check(file)
    return columns.list_runs(file.path)


def _check(file: EventFile) -> None:
    if file.manifest_entry is not None:
        check_file(file.path.parent, file.manifest_entry)


def _find_size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
