"""Sources on their way to the play: each gives its events block by block, in the order of arrival."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from connectors.intake import make_letters
from connectors.inventory import load_inventory
from connectors.registry import find, open_feed
from connectors.transports.files import FileImport, FileProgress
from ioc.clocks import SystemClock
from ioc.domain.events import DeadLetter, Parsed, Rejected
from ioc.keys import Keys
from ioc.recordings import columns, lines
from ioc.recordings.columns import Run
from ioc.recordings.lines import EVERYTHING, Asked, Block, Item
from ioc.recordings.manifest import check_file
from ioc.replaying.sources import EventFile, Recording, Source
from ioc.replaying.summary import SourceProgress

_QUEUE_PAYLOADS = 4
_UNREADABLE_FEED = "recording"
"""The feed of dead letters whose line does not tell its own."""


Compute: TypeAlias = Callable[..., Awaitable[Any]]
"""Calls a function with arguments and gives what it gave."""


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

    letters: list[DeadLetter]
    begins_at: datetime | None
    """No event arrives before it, as far as that is known without reading."""

    def start(self, group: asyncio.TaskGroup) -> asyncio.Task[None] | None:
        """Begin what must run beside the play, if anything; who started it ends it."""

    async def read(self) -> list[Item] | None:
        """Give what comes next, None at the end. A block may be empty."""


class WireTrack:
    """A wire recording: parsed by its feed's connector, a bounded queue of payloads ahead of the play."""

    def __init__(self, base: Readable, recording: Recording, progress: SourceProgress) -> None:
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

    async def read(self) -> list[Item] | None:
        """Give the events of the next payload."""
        if self._is_over or (taken := await self._queue.get()) is None:
            self._is_over = True
            return None
        parsed, received_at = taken
        self.letters += make_letters(parsed, feed_id=self._recording.feed_id, received_at=received_at)
        return list(parsed.events)

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
    """A ``.ndjson.zst`` file, read block by block in the order of the log; arrival hardly ever goes backwards in it."""

    def __init__(self, file: EventFile, progress: SourceProgress, asked: Asked, compute: Compute) -> None:
        self.letters: list[DeadLetter] = []
        entry = file.manifest_entry
        self.begins_at = datetime.fromisoformat(entry.first_at) if entry is not None and entry.first_at else None
        self._file, self._progress, self._asked, self._compute = file, progress, asked, compute
        self._blocks: Iterator[Block] | None = None
        self._bytes_count = 0

    def start(self, group: asyncio.TaskGroup) -> asyncio.Task[None] | None:
        """Nothing runs beside the play."""
        return None

    async def read(self) -> list[Item] | None:
        """Give the next block.

        Raises:
            UnreadableFileError: the file is cut short, or not what its manifest says.
        """
        block: Block | None = await self._compute(self._read)
        if block is None:
            return None
        progress = self._progress
        progress.bytes_read += block.bytes_count - self._bytes_count
        self._bytes_count = block.bytes_count
        progress.events_count += block.events_count
        for line in block.rejected:
            self._reject(line)
        return block.items

    def _read(self) -> Block | None:
        if self._blocks is None:
            _check(self._file)
            self._blocks = lines.read_blocks(self._file.path, self._asked)
        return next(self._blocks, None)

    def _reject(self, line: Rejected) -> None:
        number = line.index + 1
        parsed = Parsed(
            rejected=[Rejected(raw=line.raw, reason=f"{self._file.path.name}, line {number}: {line.reason}")]
        )
        at = self.begins_at or datetime.fromtimestamp(number, UTC)
        self.letters += make_letters(parsed, feed_id=_UNREADABLE_FEED, received_at=at)
        self._progress.rejected_count += 1


class RunTrack:
    """One row group of a Parquet file; read when the play comes to it, and let go when it is played."""

    def __init__(self, run: Run, progress: SourceProgress, asked: Asked, compute: Compute) -> None:
        self.letters: list[DeadLetter] = []
        self.begins_at: datetime | None = run.begins_at
        self._run: Run | None = run
        self._progress, self._asked, self._compute = progress, asked, compute

    def start(self, group: asyncio.TaskGroup) -> asyncio.Task[None] | None:
        """Nothing runs beside the play."""
        return None

    async def read(self) -> list[Item] | None:
        """Give the row group, once.

        Raises:
            UnreadableFileError: it cannot be read.
        """
        if self._run is None:
            return None
        run, self._run = self._run, None
        is_asked = run.kind in self._asked.kinds
        items: list[Item] = list(await self._compute(columns.read_run if is_asked else columns.read_arrivals, run))
        self._progress.events_count += run.rows_count
        self._progress.bytes_read += run.bytes_count
        return items


async def open_tracks(
    base: Readable,
    sources: Sequence[Source],
    files: dict[str, SourceProgress],
    asked: Asked = EVERYTHING,
    *,
    compute: Compute = asyncio.to_thread,
) -> list[Track]:
    """Make the tracks of all sources; their progress counts on under the names of the sources.

    What nobody asked for is nothing but ``Passed`` where a source can tell without reading it. ``compute`` does what
    takes long: in a thread, so that the loop stays free.

    Raises:
        UnreadableFileError: a file's footer cannot be read, or differs from its manifest.
    """
    tracks: list[Track] = []
    for source in sources:
        progress = files.setdefault(source.name, SourceProgress())
        if isinstance(source, Recording):
            tracks.append(WireTrack(base, source, progress))
            continue
        progress.bytes_count += await compute(_find_size, source.path)
        if source.path.name.endswith(columns.SUFFIX):
            tracks += [RunTrack(run, progress, asked, compute) for run in await compute(_list_checked_runs, source)]
        else:
            tracks.append(LineTrack(source, progress, asked, compute))
    return tracks


def _list_checked_runs(file: EventFile) -> list[Run]:
    _check(file)
    return columns.list_runs(file.path)


def _check(file: EventFile) -> None:
    if file.manifest_entry is not None:
        check_file(file.path.parent, file.manifest_entry)


def _find_size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
