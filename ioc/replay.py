"""Replaying recorded files in a scratch of their own: through the connectors, the log, the rules and the store.

The files play side by side in the order of their own times. Arrival is set to the source's time, and the clock stands
where the replay has got to, so rules judge the past as they would have judged it then. The player goes in lock step
with the worker: a chunk goes onto the log when the one before is committed. So the embedded log and Kafka decide alike.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import heapq
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from connectors.feed import Form
from connectors.intake import make_letters
from connectors.inventory import load_inventory
from connectors.registry import open_feed
from connectors.transports.files import FileImport, FileProgress
from connectors.transports.lines import LineTimes
from ioc.bootstrap.foundations import Foundations
from ioc.bootstrap.processing import make_worker
from ioc.clocks import ReplayClock, SystemClock
from ioc.domain.alerts import AlertEvent
from ioc.domain.events import DeadLetter, Event, Parsed
from ioc.errors import ConfigurationError, LogUnavailableError
from ioc.ports import Topic, TopicPartition
from ioc.processing.worker import GRACE, PULSE
from ioc.storage.alerts import PostgresAlertStore
from ioc.storage.letters import DeadLetterStore
from ioc.storage.outbox import enqueue
from ioc.storage.series import HistoryStore

CHUNK_ITEMS = 2_000
"""Events between two steps of the lock: large enough to be fast, small enough to show progress."""

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_QUEUE_PAYLOADS = 4
_STEP_DEADLINE_S = 120.0
_LOOK_S = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One file to play: the feed whose parser reads it, and its form. ``line_times`` serve files without times."""

    path: Path
    feed_id: str
    form: Form
    line_times: LineTimes | None = None


@dataclass(kw_only=True)
class ReplaySummary:
    """What became of everything that went in. ``alerts`` counts journal entries by rule and type.

    ``digest`` is a sha-256 over the alert changes in order: two replays that decided alike have the same.
    """

    files: dict[str, FileProgress] = field(default_factory=dict)
    stored_count: int = 0
    duplicate_count: int = 0
    unstorable_count: int = 0
    dead_letters_count: int = 0
    alerts: Counter[tuple[str, str]] = field(default_factory=Counter)
    digest: str = ""
    begins_at: datetime | None = None
    ends_at: datetime | None = None
    elapsed_s: float = 0.0

    @property
    def events_count(self) -> int:
        """Events that the parsers made."""
        return sum(progress.events_count for progress in self.files.values())

    @property
    def rejected_count(self) -> int:
        """Records that the parsers refused."""
        return sum(progress.rejected_count for progress in self.files.values())

    @property
    def ignored_count(self) -> int:
        """Records that are sound and carry nothing for us."""
        return sum(progress.ignored_count for progress in self.files.values())

    @property
    def is_balanced(self) -> bool:
        """Whether what went in equals what is stored, recognised as stored before, or in the dead letters."""
        return (
            self.events_count == self.stored_count + self.duplicate_count + self.unstorable_count
            and self.rejected_count + self.unstorable_count == self.dead_letters_count
        )


OnProgress = Callable[[Mapping[str, FileProgress], datetime | None], None]


class Replay:
    """Plays recordings into a scratch deployment: a log with its own topics, a store with its own schema.

    Args:
        base: the scratch; nothing else may read or write it.
        recordings: the files.
        speed: event time to real time; None plays as fast as the store takes it.
        on_progress: told after each chunk: each file's progress, and the event time that was reached.
    """

    def __init__(
        self, base: Foundations, recordings: Sequence[Recording], *, speed: float | None, on_progress: OnProgress
    ) -> None:
        self._base, self._speed, self._on_progress = base, speed, on_progress
        self._clock = ReplayClock(BEGINNING)
        self._worker = make_worker(base, clock=self._clock)
        self._summary = ReplaySummary()
        self._tracks = [_Track(base, recording, self._summary.files) for recording in recordings]

    async def run(self) -> ReplaySummary:
        """Play everything and give the account of it.

        Raises:
            MalformedPayloadError: a file's header does not fit its form.
            LogUnavailableError, StoreUnavailableError: the scratch went away.
        """
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            working = group.create_task(self._worker.run(), name="worker")
            playing = [group.create_task(track.play(), name=str(track.recording.path)) for track in self._tracks]
            await self._follow(began)
            for task in playing:
                await task
            working.cancel()
        await self._settle()
        self._summary.elapsed_s = time.monotonic() - began
        return self._summary

    async def _follow(self, began: float) -> None:
        summary = self._summary
        async for events, letters in merge(self._tracks):
            if events:
                summary.begins_at = summary.begins_at or events[0].received_at
                summary.ends_at = events[-1].received_at
                await self._keep_pace(began, events[-1].received_at - summary.begins_at)
                await self._base.log.append(Topic.EVENTS, events)
            if letters:
                await self._base.log.append(Topic.DEAD_LETTERS, letters)
            await self._reach_end()
            if summary.ends_at is not None:
                self._clock.advance(summary.ends_at)
            self._on_progress(summary.files, summary.ends_at)
        if summary.ends_at is not None:
            self._clock.advance(summary.ends_at + GRACE + PULSE)
            await self._wait(lambda: self._worker.pulsed_at == self._clock.now())
            await self._reach_end()

    async def _keep_pace(self, began: float, played: timedelta) -> None:
        if self._speed is not None:
            ahead_s = played.total_seconds() / self._speed - (time.monotonic() - began)
            await asyncio.sleep(max(0.0, ahead_s))

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
            async with asyncio.timeout(_STEP_DEADLINE_S):
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
        entries = [entry async for entry in read_journal(PostgresAlertStore(database, enqueue))]
        summary.alerts.update((entry.alert.rule_id, entry.type.value) for entry in entries)
        summary.digest = hashlib.sha256(b"\n".join(map(encode_change, entries))).hexdigest()


class _Track:
    """One recording on its way to the merge: a bounded queue of parsed payloads, then None."""

    def __init__(self, base: Foundations, recording: Recording, progress: dict[str, FileProgress]) -> None:
        self.recording = recording
        self.events: deque[Event] = deque()
        self.letters: list[DeadLetter] = []
        self.is_over = False
        self._queue: asyncio.Queue[tuple[Parsed, datetime] | None] = asyncio.Queue(_QUEUE_PAYLOADS)
        feed = open_feed(
            recording.feed_id, stations=load_inventory(base.geo_directory), pseudonym_key=base.keys.pseudonym_key
        )
        self._import = FileImport(
            feed, self._take, SystemClock(), form=recording.form, follows_event_time=True,
            line_times=recording.line_times, on_progress=self._note,
        )  # fmt: skip
        self._progress, self._name = progress, str(recording.path)
        self._progress[self._name] = FileProgress()

    async def play(self) -> None:
        """Read the file to its end."""
        self._note(await self._import.run(self.recording.path))
        await self._queue.put(None)

    async def fill(self) -> None:
        """Wait until there is an event to look at, or the end."""
        while not self.events and not self.is_over:
            taken = await self._queue.get()
            if taken is None:
                self.is_over = True
                return
            parsed, received_at = taken
            self.events.extend(parsed.events)
            self.letters += make_letters(parsed, feed_id=self.recording.feed_id, received_at=received_at)

    async def _take(self, parsed: Parsed, *, feed_id: str, received_at: datetime) -> None:
        await self._queue.put((parsed, received_at))

    def _note(self, progress: FileProgress) -> None:
        self._progress[self._name] = progress


async def merge(tracks: Sequence[_Track]) -> AsyncIterator[tuple[list[Event], list[DeadLetter]]]:
    """Give the events of all tracks in the order of their times, in chunks; dead letters come along."""
    heap: list[tuple[datetime, int]] = []

    async def refill(index: int) -> None:
        track = tracks[index]
        await track.fill()
        if track.events:
            heapq.heappush(heap, (track.events[0].received_at, index))

    for index in range(len(tracks)):
        await refill(index)
    chunk: list[Event] = []
    while heap:
        _, index = heapq.heappop(heap)
        chunk.append(tracks[index].events.popleft())
        await refill(index)
        if len(chunk) >= CHUNK_ITEMS:
            yield chunk, _take_letters(tracks)
            chunk = []
    letters = _take_letters(tracks)
    if chunk or letters:
        yield chunk, letters


def _take_letters(tracks: Sequence[_Track]) -> list[DeadLetter]:
    letters = [letter for track in tracks for letter in track.letters]
    for track in tracks:
        track.letters = []
    return letters


async def read_journal(alerts: PostgresAlertStore) -> AsyncIterator[AlertEvent]:
    """Give every journal entry in the order of its decision; entries of one instant in the order of their alerts.

    Partitions commit in no fixed order, so the order of commits says nothing; the order of decisions does.
    """
    entries: list[AlertEvent] = []
    after = 0
    while page := await alerts.events_after(after):
        entries += page
        after = page[-1].event_id
    entries.sort(key=lambda entry: (entry.at, entry.alert.fingerprint, entry.revision))
    for entry in entries:
        yield entry


def encode_change(entry: AlertEvent) -> bytes:
    """Write a journal entry for comparison: everything but the number that the store gave it."""
    fields = {name: getattr(entry, name) for name in entry.__dataclass_fields__ if name != "event_id"}
    return msgspec.json.encode(fields, order="sorted")


async def write_changes(base: Foundations, path: Path) -> None:
    """Write every alert change of a scratch to a file, a JSON line each, in the order of decisions."""
    lines = [encode_change(entry) async for entry in read_journal(PostgresAlertStore(base.database, enqueue))]
    await asyncio.to_thread(path.write_bytes, b"".join(line + b"\n" for line in lines))


_FIRST_WORDS: Sequence[tuple[bytes, str, Form]] = (
    (b"No,year,month,day,hour,PM2.5", "air", Form.UCI_501),
    (b"DATE,WND,", "weather", Form.NOAA_ISD),
)


def recognise(path: Path, *, feed_id: str | None = None, form: Form | None = None) -> tuple[str, Form]:
    """Say which feed reads a file, and in which form, by what it begins with; what is given is believed.

    Raises:
        ConfigurationError: it cannot be told; say it with ``--feed`` and ``--form``.
    """
    try:
        with path.open("rb") as raw:
            is_gzip = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path) if is_gzip else path.open("rb") as text:
            head = text.read(4_096)
    except OSError as error:
        raise ConfigurationError([f"{path}: {error.strerror or error}"]) from error
    for words, known_feed, known_form in _FIRST_WORDS:
        if head.startswith(words):
            return feed_id or known_feed, form or known_form
    if b"!AIVDM" in head or b"$PGHP" in head:
        return feed_id or "vessels", form or Form.NMEA
    if feed_id is not None:
        guess = Form.NDJSON if head.lstrip()[:1] in (b"{", b"[") else Form.CSV
        return feed_id, form or guess
    raise ConfigurationError([f"{path}: cannot tell which feed it belongs to; give --feed and --form"])
