"""Backtests over files: recordings, folders of the archive, and what sources sent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from alerts.backtest.comparison import compare
from alerts.backtest.speech import Hearings
from alerts.backtest.trial import Trial
from alerts.engine.stepping import JUMP
from alerts.rulebook.book import Rulebook
from ioc.bootstrap.backtest_feed import Arrived, Feed, Silence
from ioc.bootstrap.backtests import Account, Period, undisturbed
from ioc.bootstrap.knowledge import load_rulebook, load_world
from ioc.clocks import SystemClock
from ioc.domain.events import DeadLetter, Event
from ioc.domain.kinds import KINDS
from ioc.keys import Keys, load_keys
from ioc.recordings.lines import Item
from ioc.replaying.merging import merge_items
from ioc.replaying.sources import Source
from ioc.replaying.summary import SourceProgress
from ioc.replaying.tracks import open_tracks
from ioc.settings import Settings

_SLICE_ITEMS = 50_000
_MOST_UNREADABLE = 100
_EPOCH = datetime.fromisoformat("2000-01-01T00:00:00Z")
_MICROSECOND = timedelta(microseconds=1)

OnFiles = Callable[[Mapping[str, SourceProgress], datetime | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Deployment:
    geo_directory: Path | None
    keys: Keys


async def backtest_files(
    settings: Settings,
    drafts: Rulebook,
    sources: Sequence[Source],
    unit_code: str | None,
    *,
    on_progress: OnFiles,
    is_stopped: Callable[[], bool],
) -> Account:
    """Run draft rules over files, beside the rule files of this deployment.

    Events that no rule looks at are counted, and let time go by; lines that cannot be read are named in the account.

    Raises:
        MalformedPayloadError: a file's header does not fit its form.
        RulebookError: the rules in force have faults.
        UnreadableFileError: a recording is cut short or altered.
    """
    began = time.monotonic()
    geo_directory = settings.data_dir / "geo"
    trial = Trial(drafts, load_rulebook(settings), load_world(geo_directory), partitions=settings.log.partitions)
    played = _Played(_Deployment(geo_directory=geo_directory, keys=load_keys(settings)), sources, trial)
    feed, count, is_partial = Feed(trial), 0, False
    with undisturbed():
        async with aclosing(feed.run(played.read())) as done:
            async for more in done:
                count += more
                on_progress(played.files, trial.reached_at)
                if is_partial := is_stopped():
                    break
        if not is_partial and played.reached_at is not None:
            feed.let_pass(played.reached_at)
        mine, theirs = trial.finish()
    begins_at = played.begins_at or SystemClock().now()
    until = trial.reached_at
    return Account(
        comparison=compare(mine, theirs, until, unit_code=unit_code),
        period=Period(start=begins_at, end=until or begins_at, unit_code=unit_code), warm_up=timedelta(0),
        kinds=trial.kinds, events_count=count,
        faults=[f"{fault.rule_id} on {fault.asset_id}: {fault.reason}" for fault in trial.draft.faults],
        faults_count=trial.draft.faults_count, unreadable=played.unreadable, elapsed_s=time.monotonic() - began,
        is_partial=is_partial,
    )  # fmt: skip


class _Played:
    """All files as one stream of slices."""

    def __init__(self, base: _Deployment, sources: Sequence[Source], trial: Trial) -> None:
        self._base, self._sources, self._trial = base, sources, trial
        self.files: dict[str, SourceProgress] = {}
        self.unreadable: list[str] = []
        self.begins_at: datetime | None = None
        self.reached_at: datetime | None = None

    async def read(self) -> AsyncGenerator[Arrived, None]:
        """Give what came.

        Raises:
            MalformedPayloadError, UnreadableFileError: a file cannot be read.
        """
        kinds = frozenset(self._trial.kinds)
        tracks = await open_tracks(self._base, self._sources, self.files, kinds)
        async with asyncio.TaskGroup() as group:
            tasks = [task for track in tracks if (task := track.start(group)) is not None]
            try:
                async for items, letters in merge_items(tracks, chunk_items=_SLICE_ITEMS):
                    self._note(letters)
                    if items:
                        self.begins_at = self.begins_at or items[0].received_at
                        yield _Slice(items, kinds, self.reached_at)
                        self.reached_at = items[-1].received_at
            finally:
                for task in tasks:
                    task.cancel()

    def _note(self, letters: Sequence[DeadLetter]) -> None:
        room = _MOST_UNREADABLE - len(self.unreadable)
        self.unreadable += [f"{letter.feed_id}: {letter.reason}" for letter in letters[: max(0, room)]]


class _Slice:
    """What came one after the other."""

    def __init__(self, items: Sequence[Item], kinds: frozenset[str], reached_at: datetime | None) -> None:
        self._count = len(items)
        self._events = [item for item in items if isinstance(item, Event) and item.data.KIND in kinds]
        self._places: dict[str, list[int]] = {}
        arrivals = [item.received_at for item in items]
        if reached_at is not None:
            arrivals.insert(0, reached_at)
        self.silences: Sequence[Silence] = list(_find_silences(arrivals, 0, len(arrivals) - 1))

    def __len__(self) -> int:
        return self._count

    def hear(self, kind: str) -> Hearings:
        payload = KINDS[kind].payload
        self._places[kind] = [place for place, event in enumerate(self._events) if type(event.data) is payload]
        events = [self._events[place] for place in self._places[kind]]
        received_at = [event.received_at for event in events]
        return Hearings(
            asset_ids=[event.asset_id for event in events],
            received_at=received_at,
            observed_us=_count_us([event.observed_at for event in events]),
            received_us=_count_us(received_at),
            ids=b"".join([event.event_id for event in events]),
        )

    def to_events(self, places: Mapping[str, Sequence[int]]) -> Sequence[Event]:
        left_out: set[int] = set()
        for kind, asked in places.items():
            left_out.update(self._places[kind])
            left_out.difference_update([self._places[kind][place] for place in asked])
        return [event for place, event in enumerate(self._events) if place not in left_out]


def _count_us(instants: Sequence[datetime]) -> np.ndarray:
    return np.array([(at - _EPOCH) // _MICROSECOND for at in instants], np.int64)


def _find_silences(arrivals: Sequence[datetime], first: int, last: int) -> Iterator[Silence]:
    """Look between two arrivals, by halves: where both lie close together, nothing between them is looked at."""
    if last <= first or arrivals[last] - arrivals[first] <= JUMP:
        return
    if last - first == 1:
        yield arrivals[first], arrivals[last]
        return
    middle = (first + last) // 2
    yield from _find_silences(arrivals, first, middle)
    yield from _find_silences(arrivals, middle, last)
