"""What is stored, put to a backtest slice by slice: as few events as say all, and time where none of them came."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from alerts.backtest.speech import Hearings, Listener
from alerts.backtest.trial import Trial
from alerts.engine.stepping import JUMP
from alerts.memory.partition import Stretch
from ioc.domain.events import Event
from ioc.storage.stored_columns import Arrivals, StoredColumns, StoredSlice, to_us
from ioc.storage.stored_events import StoredEvents

_NOTHING: NDArray[np.int64] = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class _Piece:
    """What has to be looked at of so many rows, and in which stretches assets spoke besides."""

    rows_count: int
    events: Sequence[Event]
    speaking: Mapping[str, Sequence[Stretch]]


class Feed:
    """Feeds a trial. The engine runs in a thread while the next slice is read.

    Args:
        trial: the rules.
        stored: what they look at.
        silences: spans in which nothing at all came, in their order.
    """

    def __init__(self, trial: Trial, stored: StoredEvents, silences: Sequence[tuple[datetime, datetime]]) -> None:
        self._trial, self._stored, self._silences = trial, stored, deque(silences)
        self._listeners = {kind: Listener(silence) for kind, silence in trial.heard_kinds().items()}

    async def run(self, start: datetime, end: datetime) -> AsyncGenerator[int, None]:
        """Have each slice stepped over while the next one is read; give the number of events of each that is done."""
        loop, stepping = asyncio.get_running_loop(), None
        slices = self._stored.read_slices(kinds=self._trial.kinds, start=start, end=end)
        try:
            async with aclosing(slices):
                async for found in slices:
                    piece = self._sift(found)
                    if stepping is not None:
                        yield await stepping
                    stepping = loop.run_in_executor(None, self._take, piece)
            if stepping is not None:
                done, stepping = await stepping, None
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

    def _sift(self, found: StoredSlice) -> _Piece:
        """Make events of the rows that say something; of most kinds all do."""
        places: dict[str, Sequence[int]] = {}
        speaking: dict[str, list[Stretch]] = {}
        for kind, listener in self._listeners.items():
            heard = listener.listen(_hear(found, kind))
            stored = found.stored.get(kind)
            # What is in the archive comes as events in any case; its places follow those of the store.
            places[kind] = (
                [] if stored is None else [place for place in heard.places if place < len(stored.received_us)]
            )
            for asset_id, stretches in heard.stretches.items():
                speaking.setdefault(asset_id, []).extend(stretches)
        return _Piece(len(found), found.to_events(places), speaking)

    def _take(self, piece: _Piece) -> int:
        """Step over the next events; give how many rows they stand for."""
        self._trial.assure(piece.speaking)
        events = piece.events
        if events:
            reached, first = self._trial.reached_at or events[0].received_at, 0
            if events[-1].received_at - reached > JUMP:
                for place, event in enumerate(events):
                    at = event.received_at
                    if at - reached > JUMP:
                        self._trial.take(events[first:place])
                        self.let_pass(at)
                        first = place
                    reached = at
            self._trial.take(events[first:])
        return piece.rows_count


def _hear(found: StoredSlice, kind: str) -> Hearings:
    """Give who spoke when, of one kind: rows of the store, then what was in the archive."""
    parts = [] if (stored := found.stored.get(kind)) is None else [_hear_stored(stored)]
    parts += [_hear_archived(arrivals, kind) for arrivals in found.archived]
    if len(parts) == 1:
        return parts[0]
    return Hearings(
        asset_ids=[asset_id for part in parts for asset_id in part.asset_ids],
        received_at=[at for part in parts for at in part.received_at],
        observed_us=np.concatenate([_NOTHING, *(part.observed_us for part in parts)]),
        received_us=np.concatenate([_NOTHING, *(part.received_us for part in parts)]),
        ids=b"".join(part.ids for part in parts),
    )


def _hear_stored(stored: StoredColumns) -> Hearings:
    return Hearings(
        asset_ids=stored.columns["asset_id"],
        received_at=stored.columns["received_at"],
        observed_us=stored.observed_us,
        received_us=stored.received_us,
        ids=stored.ids,
    )


def _hear_archived(arrivals: Arrivals, kind: str) -> Hearings:
    places = [place for place, event in enumerate(arrivals.events) if event.kind == kind]
    events = [arrivals.events[place] for place in places]
    return Hearings(
        asset_ids=[event.asset_id for event in events],
        received_at=[event.received_at for event in events],
        observed_us=np.array([to_us(event.observed_at) for event in events], np.int64),
        received_us=arrivals.received_us[places],
        ids=b"".join(bytes(event.event_id) for event in events),
    )
