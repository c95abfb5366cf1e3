"""Backtests over files: recordings, folders of the archive, and what sources sent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping, Sequence, Set
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import accumulate
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import structs

from alerts.backtest.comparison import compare
from alerts.backtest.speech import Hearings
from alerts.backtest.trial import Trial, find_silences
from alerts.engine.stepping import JUMP
from alerts.rulebook.book import Rulebook
from ioc.bootstrap.backtest_feed import Arrived, Feed, Silence
from ioc.bootstrap.backtests import Account, Period, name_faults, undisturbed
from ioc.bootstrap.knowledge import load_rulebook, load_world
from ioc.clocks import SystemClock
from ioc.domain.events import DeadLetter, Event
from ioc.domain.rows import to_microseconds
from ioc.errors import one_cause
from ioc.keys import Keys, load_keys
from ioc.recordings.lines import Asked, Item, Passed, Spoken, count_events, to_events
from ioc.replaying.merging import merge_blocks
from ioc.replaying.sources import Source
from ioc.replaying.summary import SourceProgress
from ioc.replaying.tracks import Track, open_tracks
from ioc.settings import Settings

_SLICE_EVENTS = 150_000
"""Events between two looks at whether to stop, some two seconds. With fewer, what is done once a slice weighs more:
the first and the last reading of each asset that is only heard are looked at.
"""
_EMPTY_WEIGHT = 500
"""What a block counts that holds nothing, not even a fault: as for so many events."""
_came_at, _made_at, _asset_of = attrgetter("received_at"), attrgetter("observed_at"), attrgetter("asset_id")
_kind_of = attrgetter("data.KIND")
_MOST_UNREADABLE = 100

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
    feed, count, is_partial = Feed(trial, compute=_compute_here), 0, False
    with undisturbed(), one_cause():
        async with asyncio.TaskGroup() as group:
            await played.open(group)
            async with aclosing(feed.run(played.read())) as done:
                async for more in done:
                    count += more
                    on_progress(played.files, trial.reached_at)
                    if is_partial := is_stopped() and not feed.is_done:
                        break
            played.close()
        if not is_partial and played.reached_at is not None:
            feed.let_pass(played.reached_at)
        mine, theirs = trial.finish()
    begins_at = played.begins_at or SystemClock().now()
    until = trial.reached_at if is_partial else trial.reached_at or played.reached_at
    return Account(
        comparison=compare(mine, theirs, until, unit_code=unit_code),
        period=Period(start=begins_at, end=until or begins_at, unit_code=unit_code), warm_up=timedelta(0),
        kinds=trial.kinds, events_count=count,
        faults=name_faults(trial), faults_count=trial.draft.faults_count,
        unreadable=played.unreadable, unreadable_count=played.unreadable_count,
        elapsed_s=time.monotonic() - began, is_partial=is_partial,
    )  # fmt: skip


async def _compute_here(work: Callable[..., Any], /, *args: Any) -> Any:
    """Work in the loop's own thread, where what one core made need not go to another, which costs a fifth more.

    The loop has its turn before each block: signals and what reads beside the play come in there.
    """
    await asyncio.sleep(0)
    return work(*args)


class _Played:
    """All files as one stream of slices."""

    def __init__(self, base: _Deployment, sources: Sequence[Source], trial: Trial) -> None:
        self._base, self._sources = base, sources
        self._asked = Asked(kinds=frozenset(trial.kinds), heard=frozenset(trial.heard_kinds()))
        self._tracks: list[Track] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.files: dict[str, SourceProgress] = {}
        self.unreadable: list[str] = []
        self.unreadable_count = 0
        self.begins_at: datetime | None = None
        self.reached_at: datetime | None = None

    async def open(self, group: asyncio.TaskGroup) -> None:
        """Begin what reads beside the play.

        Raises:
            UnreadableFileError: a file's footer cannot be read, or differs from its manifest.
        """
        self._tracks = await open_tracks(self._base, self._sources, self.files, self._asked, compute=_compute_here)
        self._tasks = [task for track in self._tracks if (task := track.start(group)) is not None]

    def close(self) -> None:
        """End what reads beside the play; the group waits for it."""
        for task in self._tasks:
            task.cancel()

    async def read(self) -> AsyncGenerator[Arrived, None]:
        """Give what came.

        Raises:
            MalformedPayloadError, UnreadableFileError: a file cannot be read.
        """
        held: list[Item] = []
        count = weight = 0
        async for items, letters in merge_blocks(self._tracks):
            self._note(letters)
            held += items
            more = count_events(items)
            count, weight = count + more, weight + (more + len(letters) or _EMPTY_WEIGHT)
            if weight >= _SLICE_EVENTS:
                yield self._slice(held, count)
                held, count, weight = [], 0, 0
        if held:
            yield self._slice(held, count)

    def _slice(self, items: list[Item], count: int) -> _Slice:
        """Put items into a slice. Log time goes on with the latest arrival and never back; what is stamped with an
        earlier one came when log time had reached that.
        """
        reached = arrivals = list(map(_came_at, items))
        before = self.reached_at
        if arrivals and ((before is not None and arrivals[0] < before) or arrivals != sorted(arrivals)):
            begins_at = arrivals[0] if before is None else max(before, arrivals[0])
            reached = list(accumulate([begins_at, *arrivals[1:]], max))
            items = [_stamp(item, at) for item, at in zip(items, reached, strict=True)]
        if reached:
            self.begins_at, self.reached_at = self.begins_at or reached[0], reached[-1]
        return _Slice(items, count, self._asked, reached, before)

    def _note(self, letters: Sequence[DeadLetter]) -> None:
        self.unreadable_count += len(letters)
        room = _MOST_UNREADABLE - len(self.unreadable)
        self.unreadable += [letter.reason for letter in letters[: max(0, room)]]


def _stamp(item: Item, at: datetime) -> Item:
    """Let an item have come at an instant."""
    if item.received_at == at:
        return item
    return Passed(at, item.count) if isinstance(item, Passed) else structs.replace(item, received_at=at)


class _Slice:
    """What came one after the other, with log time at each; ``before`` is log time before the first."""

    def __init__(
        self, items: list[Item], count: int, asked: Asked, reached: Sequence[datetime], before: datetime | None
    ) -> None:
        self._all, self._count, self._asked, self._reached, self._before = items, count, asked, reached, before

    @cached_property
    def silences(self) -> Sequence[Silence]:
        reached, before = self._reached, self._before
        if not reached:
            return []
        silences = [(reached[place - 1], reached[place]) for place in find_silences(reached)]
        if before is not None and reached[0] - before > JUMP:
            silences.insert(0, (before, reached[0]))
        return silences

    @cached_property
    def _items(self) -> list[Event | Spoken]:
        return [item for item in self._all if not isinstance(item, Passed)]

    @cached_property
    def _places(self) -> dict[str, list[int]]:
        """Places of what is only heard, by kind."""
        places: dict[str, list[int]] = {kind: [] for kind in self._asked.heard}
        for place, kind in enumerate(map(_kind_of, self._items)):
            if kind in places:
                places[kind].append(place)
        return places

    def __len__(self) -> int:
        return self._count

    def hear(self, kind: str) -> Hearings:
        heard = self._items_at(self._places[kind])
        received_at = list(map(_came_at, heard))
        # Equal arrivals stand in the order in which they are played, which is that of the files.
        ids = np.zeros((len(heard), 2), ">u8")
        ids[:, 1] = np.arange(len(heard))
        return Hearings(
            asset_ids=list(map(_asset_of, heard)),
            received_at=received_at,
            observed_us=to_microseconds(list(map(_made_at, heard))),
            received_us=to_microseconds(received_at),
            ids=ids.tobytes(),
        )

    def assets_beside(self, heard: Collection[str]) -> Set[str]:
        return {item.asset_id for item in self._items if _kind_of(item) not in heard}

    def to_events(self, places: Mapping[str, Sequence[int]]) -> Sequence[Event]:
        """Give the events in the order of their arrival; those of ``places`` are made now, if they are not yet."""
        chosen: list[Any] = list(self._items)
        for kind, asked in places.items():
            mine = self._places[kind]
            kept = self._items_at([mine[place] for place in asked])
            for place in mine:
                chosen[place] = None
            for place, event in zip([mine[place] for place in asked], to_events(kind, kept), strict=True):
                chosen[place] = event
        return [item for item in chosen if item is not None]

    def _items_at(self, places: Iterable[int]) -> list[Event | Spoken]:
        items = self._items
        return [items[place] for place in places]
