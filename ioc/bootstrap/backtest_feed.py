"""What came, put to a backtest slice by slice: as few events as say all, and time where none of them came."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence, Set
from contextlib import aclosing
from datetime import datetime
from typing import Any, Protocol, TypeAlias

from alerts.backtest.speech import Hearings, Listener
from alerts.backtest.trial import Trial
from alerts.memory.partition import Stretch
from ioc.domain.events import Event

AT_ONCE = 10_000
"""How many events are stepped over between two looks whether to stop: a second or two of work."""

Silence: TypeAlias = tuple[datetime, datetime]
"""A span in which nothing at all came, longer than ``JUMP``."""


class Arrived(Protocol):
    """What came in one slice. Slices follow each other, and arrival never goes back in them or from one to the next."""

    @property
    def silences(self) -> Sequence[Silence]:
        """Silences that end in this slice and were not told before, in their order."""

    def __len__(self) -> int:
        """Give how many events it stands for."""

    def hear(self, kind: str) -> Hearings:
        """Give who spoke when, of one kind."""

    def assets_beside(self, heard: Collection[str]) -> Set[str]:
        """Give whose events came of other kinds than these."""

    def to_events(self, places: Mapping[str, Sequence[int]]) -> Sequence[Event]:
        """Give the events in the order of their arrival; of kinds in ``places`` those at these places of ``hear``."""


class Feed:
    """Feeds a trial.

    Args:
        trial: the rules.
        silences: those that are known before anything is read, in their order.
        compute: calls what takes long; in a thread, so that the loop stays free and the next slice is read meanwhile.
        is_stopped: says whether to break off, also in the midst of a slice: a short period is one slice.
    """

    def __init__(
        self,
        trial: Trial,
        silences: Sequence[Silence] = (),
        *,
        compute: Callable[..., Any] = asyncio.to_thread,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._trial, self._silences, self._compute, self._is_stopped = trial, deque(silences), compute, is_stopped
        self.is_done = False
        """Whether all slices have been stepped over."""
        self.is_cut = False
        """Whether a slice was broken off."""
        self._listeners = {kind: Listener(silence) for kind, silence in trial.heard_kinds().items()}
        self._heard: dict[str, set[str]] = {kind: set() for kind in self._listeners}
        self._others: set[str] = set()
        self._mixed: set[str] = set()

    async def run(self, slices: AsyncGenerator[Arrived, None]) -> AsyncGenerator[int, None]:
        """Have each slice stepped over while the next one is read; give the number of events of each that is done."""
        stepping: asyncio.Task[int] | None = None
        try:
            async with aclosing(slices):
                async for found in slices:
                    if stepping is not None:
                        yield await stepping
                    if self.is_cut:
                        return
                    stepping = asyncio.create_task(self._compute(self._take, found))
            if stepping is not None:
                done, stepping = await stepping, None
                self.is_done = not self.is_cut
                yield done
        finally:
            if stepping is not None:
                await stepping  # a thread cannot be called off; what follows needs the engine at rest

    def let_pass(self, to: datetime) -> None:
        """Let time go by up to an instant; where nothing at all came, it jumps, as it did live."""
        while self._silences and self._silences[0][0] < to:
            begins_at, ends_at = self._silences[0]
            self._trial.pass_time(begins_at)
            if ends_at > to:
                return  # whatever comes next ends the silence
            self._trial.jump(ends_at)
            self._silences.popleft()
        self._trial.pass_time(to)

    def _take(self, found: Arrived) -> int:
        """Step over a slice; give how many events it stands for, of one that is broken off its share of them."""
        events, speaking = self._sift(found)
        self._silences.extend(found.silences)
        self._trial.assure(speaking)
        for first in range(0, len(events), AT_ONCE):
            if self._is_stopped():
                self.is_cut = True
                return len(found) * first // len(events)
            self._trial.take(events[first : first + AT_ONCE], over=self.let_pass)
        return len(found)

    def _sift(self, found: Arrived) -> tuple[Sequence[Event], Mapping[str, Sequence[Stretch]]]:
        """Find the events that say something, and in which stretches assets spoke besides; of most kinds all do.

        Of assets that send several kinds all do: which rule hears which of them, and for how long it waits then, is
        the rules' affair.
        """
        came = {kind: found.hear(kind) for kind in self._listeners}
        self._note_assets(came, found.assets_beside(came.keys()))
        places: dict[str, Sequence[int]] = {}
        speaking: dict[str, Sequence[Stretch]] = {}
        for kind, listener in self._listeners.items():
            asset_ids = came[kind].asset_ids
            heard = listener.listen(came[kind])
            if self._mixed.isdisjoint(asset_ids):
                places[kind] = heard.places
                speaking.update(heard.stretches)
            else:
                mixed = [place for place, asset_id in enumerate(asset_ids) if asset_id in self._mixed]
                places[kind] = sorted({*heard.places, *mixed})
                speaking.update({one: spans for one, spans in heard.stretches.items() if one not in self._mixed})
        return found.to_events(places), speaking

    def _note_assets(self, came: Mapping[str, Hearings], others: Set[str]) -> None:
        """Find assets that are heard and send another of the kinds that rules look at."""
        self._others |= others
        for kind, hearings in came.items():
            self._heard[kind].update(hearings.asset_ids)
        for kind, assets in self._heard.items():
            self._mixed |= assets & self._others
            for other, theirs in self._heard.items():
                if other != kind:
                    self._mixed |= assets & theirs
