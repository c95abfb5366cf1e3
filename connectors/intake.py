"""The way onto the log: parsed payloads in, confirmation out. Payloads that come together are written together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from operator import attrgetter

import msgspec

from connectors.status import FeedBoard
from ioc import cancellation, telemetry
from ioc.domain.events import DeadLetter, Event, Parsed, Rejected
from ioc.domain.ids import dead_letter_id
from ioc.errors import LogUnavailableError, OverloadedError
from ioc.ports import Clock, EventLog, Sink, Topic

_asset_of, _came_at = attrgetter("asset_id"), attrgetter("received_at")
_NOTHING, _MICROSECOND = timedelta(0), timedelta(microseconds=1)
_CLOSE = timedelta(milliseconds=10)
"""Payloads that come within less may be put one behind the other; no payload has so many readings of one thing."""
_MOST_RAW_BYTES = 512 * 1024
"""Bytes of a refused record that are kept: a message of the log must stay below what Kafka takes (1 MiB)."""


class _Group:
    """Payloads that share one append. ``is_written`` and ``error`` say what became of it."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.letters: list[DeadLetter] = []
        self.is_written = False
        self.error: LogUnavailableError | None = None

    def __len__(self) -> int:
        return len(self.events) + len(self.letters)


class Intake:
    """The sink of every connector: returns when the log has the payload's events and dead letters.

    While one append is under way, callers gather in a group; whoever comes first afterwards writes for all of them.
    No task is needed for that, and a caller that is cancelled leaves the writing to the next one.

    What is full refuses: more than ``most_waiting`` items in memory, or more than ``shed_lag`` items of unread log.
    """

    def __init__(
        self,
        log: EventLog,
        *,
        board: FeedBoard | None = None,
        lag_count: Callable[[], int] = lambda: 0,
        shed_lag: int = 500_000,
        most_waiting: int = 100_000,
        group_size: int = 4_000,
        deadline: timedelta = timedelta(seconds=30),
    ) -> None:
        self._log = log
        self._board = board
        self._lag_count = lag_count
        self._shed_lag = shed_lag
        self._most_waiting = most_waiting
        self._group_size = group_size
        self._deadline_s = deadline.total_seconds()
        self._last_at: dict[str, datetime] = {}
        self._gathering = _Group()
        self._turn = asyncio.Lock()
        self._waiting_count = 0

    def check_load(self) -> None:
        """Refuse work that could not be taken anyway, before it is parsed.

        Raises:
            OverloadedError: the log's readers are too far behind, or too much waits to be written.
        """
        if self._lag_count() > self._shed_lag:
            raise OverloadedError(retry_after=timedelta(seconds=10), reason="the readers of the log are far behind")
        if self._waiting_count > self._most_waiting:
            raise OverloadedError(retry_after=timedelta(seconds=1), reason="too much waits to be written to the log")

    async def __call__(self, parsed: Parsed, *, feed_id: str, received_at: datetime) -> None:
        """Put a payload's events and rejected records on the log; returns when it has them all.

        Raises:
            OverloadedError: nothing was taken; come again later.
            LogUnavailableError: the log did not confirm. Giving the same payload again is safe: ids are the same.
        """
        self.check_load()
        letters = make_letters(parsed, feed_id=feed_id, received_at=received_at)
        count = len(parsed.events) + len(letters)
        if count:
            events = put_in_sequence(parsed.events, self._last_at.get(feed_id))
            if events:
                self._last_at[feed_id] = max(map(_came_at, events))
            await self._write(events, letters, count)
        telemetry.events_received.labels(feed_id).inc(len(parsed.events))
        if letters:
            telemetry.records_rejected.labels(feed_id).inc(len(letters))
        monitor = None if self._board is None else self._board.monitor(feed_id)
        if monitor is not None:
            monitor.note(parsed.events, received_at=received_at, dead_letters_count=len(letters))

    async def _write(self, events: list[Event], letters: list[DeadLetter], count: int) -> None:
        if len(self._gathering) >= self._group_size:
            self._gathering = _Group()
        group = self._gathering
        group.events.extend(events)
        group.letters.extend(letters)
        self._waiting_count += count
        try:
            async with self._turn:
                if not group.is_written and group.error is None:
                    await self._append(group)
        finally:
            self._waiting_count -= count
        if group.error is not None:
            raise LogUnavailableError(group.error.reason) from group.error

    async def _append(self, group: _Group) -> None:
        if self._gathering is group:
            self._gathering = _Group()
        try:
            async with cancellation.timeout(self._deadline_s):
                if group.events:
                    await self._log.append(Topic.EVENTS, group.events)
                if group.letters:
                    await self._log.append(Topic.DEAD_LETTERS, group.letters)
        except TimeoutError:
            group.error = LogUnavailableError(f"no confirmation within {self._deadline_s:g} s")
        except LogUnavailableError as error:
            group.error = error
        else:
            group.is_written = True


async def hand_over(parsed: Parsed, *, sink: Sink, clock: Clock, feed_id: str, received_at: datetime) -> None:
    """Give a payload to the sink for a source that can wait: overload slows it down instead of failing.

    Raises:
        LogUnavailableError: the log did not confirm.
    """
    while True:
        try:
            await sink(parsed, feed_id=feed_id, received_at=received_at)
        except OverloadedError as overload:
            await clock.sleep(overload.retry_after)
        else:
            return


def put_in_sequence(events: list[Event], after: datetime | None = None) -> list[Event]:
    """Let readings of one thing that came in one payload arrive one after the other, a microsecond apart.

    The log keeps their order, the store only their arrival: without it, nobody could tell afterwards which of them was
    the newest when it came, and a backtest would decide otherwise than was decided. ``after`` is the last arrival of
    the payload before: what came at nearly the same time and seems to be older comes behind that.
    """
    is_close = after is not None and bool(events) and _NOTHING < after - events[0].received_at < _CLOSE
    if not is_close and len(set(map(_asset_of, events))) == len(events):
        return events
    newest: dict[str, tuple[datetime, datetime]] = {}
    spread = []
    for event in events:
        at = event.received_at
        known = newest.get(event.asset_id)
        if known is not None:
            observed_at, known_at = known
            at = max(at, known_at + (_MICROSECOND if event.observed_at != observed_at else _NOTHING))
        elif is_close and after is not None and at <= after:
            at = after + _MICROSECOND
        newest[event.asset_id] = event.observed_at, at
        spread.append(event if at == event.received_at else msgspec.structs.replace(event, received_at=at))
    return spread


def make_letters(parsed: Parsed, *, feed_id: str, received_at: datetime) -> list[DeadLetter]:
    """Make the dead letters of a payload's rejected records: same payload and same instant, same ids."""
    source = f"{feed_id}/{received_at.isoformat()}"
    return [
        DeadLetter(
            dead_letter_id=dead_letter_id(source, ordinal, record.raw),
            feed_id=feed_id,
            received_at=received_at,
            reason=record.reason if len(record.raw) <= _MOST_RAW_BYTES else _note_cut(record),
            raw=record.raw[:_MOST_RAW_BYTES],
            source=source,
        )
        for ordinal, record in enumerate(parsed.rejected)
    ]


def _note_cut(record: Rejected) -> str:
    return f"{record.reason} (first {_MOST_RAW_BYTES} of {len(record.raw)} bytes kept)"
