"""Recorded files, plain or gzipped, line by line: CSV with a header, JSONL, NMEA. Resumable, with progress."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import msgspec

from connectors.feed import Feed, Form
from connectors.intake import hand_over
from connectors.transports.lines import LineTimes
from ioc.domain.events import Parsed
from ioc.errors import MalformedPayloadError, UnreadableFileError
from ioc.ports import Clock, Sink

_WITH_HEADER = frozenset({Form.CSV, Form.UCI_501, Form.NOAA_ISD})
_LONGEST_LINE = 1024 * 1024
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileProgress:
    """How far an import came. ``next_line`` is where to go on: data lines (without the header) that are on the log."""

    next_line: int = 0
    bytes_read: int = 0
    bytes_count: int = 0
    events_count: int = 0
    rejected_count: int = 0
    ignored_count: int = 0


class FileImport:
    """Brings a recorded file in. Ids are deterministic, so importing it twice changes nothing.

    With ``follows_event_time`` arrival is set to the source's own time, never backwards: that is a replay, where rules
    judge the past as if it were now. Else arrival is now, and what is old is stored as late.
    """

    def __init__(
        self,
        feed: Feed,
        sink: Sink,
        clock: Clock,
        *,
        form: Form,
        batch_lines: int = 500,
        follows_event_time: bool = False,
        line_times: LineTimes | None = None,
        on_progress: Callable[[FileProgress], None] = lambda _: None,
    ) -> None:
        self._feed = feed
        self._sink = sink
        self._clock = clock
        self._form = form
        self._batch_lines = batch_lines
        self._follows_event_time = follows_event_time
        self._line_times = line_times
        self._on_progress = on_progress
        self._arrival_at: datetime | None = None

    async def run(self, path: Path, *, start_line: int = 0) -> FileProgress:
        """Bring the file in from data line ``start_line`` on; returns when the log has all of it.

        Raises:
            MalformedPayloadError: the header does not fit the form; nothing was taken.
            UnreadableFileError: the file is missing or cut short. What came before is on the log.
        """
        with _one_error(path):
            progress = FileProgress(next_line=start_line, bytes_count=(await asyncio.to_thread(path.stat)).st_size)
        async for payload, lines_count, bytes_read in self._batches(path, start_line):
            progress = await self._take(payload, lines_count, path, progress)
            progress = replace(progress, next_line=progress.next_line + lines_count, bytes_read=bytes_read)
            self._on_progress(progress)
        rest = self._feed.flush()
        if rest.rejected:
            await self._hand_over(_say_where(rest, lambda _: f"{path.name}, at its end"), self._clock.now())
            progress = replace(progress, rejected_count=progress.rejected_count + len(rest.rejected))
        return replace(progress, bytes_read=progress.bytes_count)

    async def _take(self, payload: bytes, lines_count: int, path: Path, progress: FileProgress) -> FileProgress:
        received_at = self._clock.now()
        parsed = self._feed.parse(payload, received_at=received_at, form=self._form)
        if parsed.rejected:
            first = progress.next_line + (2 if self._form in _WITH_HEADER else 1)
            where = _find_lines(parsed, first, lines_count, self._form)
            parsed = _say_where(parsed, lambda index: f"{path.name}, {where(index)}")
        await self._hand_over(parsed, received_at)
        return replace(
            progress,
            events_count=progress.events_count + len(parsed.events),
            rejected_count=progress.rejected_count + len(parsed.rejected),
            ignored_count=progress.ignored_count + parsed.ignored_count,
        )

    async def _hand_over(self, parsed: Parsed, received_at: datetime) -> None:
        settled = self._follow(parsed) if self._follows_event_time else parsed
        await hand_over(
            settled, sink=self._sink, clock=self._clock, feed_id=self._feed.feed_id, received_at=received_at
        )

    def _follow(self, parsed: Parsed) -> Parsed:
        events = []
        for event in parsed.events:
            arrival_at = event.observed_at if self._arrival_at is None else max(self._arrival_at, event.observed_at)
            self._arrival_at = arrival_at
            events.append(msgspec.structs.replace(event, received_at=arrival_at))
        return msgspec.structs.replace(parsed, events=events)

    async def _batches(self, path: Path, start_line: int) -> AsyncIterator[tuple[bytes, int, int]]:
        """Give payloads with their count of lines and the place in the file; the header stands before each payload."""
        with (
            _one_error(path),
            closing(await asyncio.to_thread(path.open, "rb")) as raw,
            closing(_decompress(raw)) as text,
        ):
            lines = _read_lines(text)
            header = await asyncio.to_thread(next, lines, b"") if self._form in _WITH_HEADER else b""
            if self._form in _WITH_HEADER and not header.strip():
                raise MalformedPayloadError("the file has no header")
            await asyncio.to_thread(_skip_lines, lines, start_line)
            number = start_line
            while batch := await asyncio.to_thread(lambda: list(islice(lines, self._batch_lines))):
                if self._line_times is not None:
                    first = number
                    batch = [self._line_times.stamp(line, first + place) for place, line in enumerate(batch)]
                number += len(batch)
                yield header + b"".join(batch), len(batch), raw.tell()


@contextmanager
def _one_error(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableFileError(str(path), getattr(error, "strerror", None) or str(error)) from error


def _find_lines(parsed: Parsed, first: int, lines_count: int, form: Form) -> Callable[[int], str]:
    """Give what tells a record's line; where lines hold no record or several, between which ones it stands."""
    if form is Form.NMEA:  # the first part of a message may have waited since a payload before
        return lambda _: f"up to line {first + lines_count - 1}"
    if len(parsed.events) + len(parsed.rejected) + parsed.ignored_count == lines_count:
        return lambda index: f"line {first + index}"
    return lambda _: f"lines {first}–{first + lines_count - 1}"


def _say_where(parsed: Parsed, where: Callable[[int], str]) -> Parsed:
    rejected = [
        msgspec.structs.replace(record, reason=f"{where(record.index)}: {record.reason}") for record in parsed.rejected
    ]
    return msgspec.structs.replace(parsed, rejected=rejected)


def _decompress(raw: BinaryIO) -> BinaryIO:
    """Look through gzip by what the file begins with, not by its name."""
    head = raw.read(2)
    raw.seek(0)
    return gzip.GzipFile(fileobj=raw) if head == _GZIP else raw  # type: ignore[return-value]


def _read_lines(text: BinaryIO) -> Iterator[bytes]:
    """Give lines with their ends; one that is longer than we ever take comes in pieces."""
    while line := text.readline(_LONGEST_LINE):
        yield line if line.endswith(b"\n") else line + b"\n"


def _skip_lines(lines: Iterator[bytes], count: int) -> None:
    for _ in islice(lines, count):
        pass
