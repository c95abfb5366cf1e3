"""Slices of what is stored, as a backtest takes them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence, Set
from contextlib import aclosing
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from alerts.backtest.speech import Hearings
from ioc.bootstrap.backtest_feed import Arrived, Silence
from ioc.domain.events import Event
from ioc.storage.stored_columns import Arrivals, StoredColumns, StoredSlice, to_us
from ioc.storage.stored_events import StoredEvents

_NOTHING: NDArray[np.int64] = np.empty(0, np.int64)


async def read_stored(
    stored: StoredEvents, *, kinds: Sequence[str], start: datetime, end: datetime
) -> AsyncGenerator[Arrived, None]:
    """Give what came from ``start`` (inclusive) to ``end`` (exclusive).

    Raises:
        StoreUnavailableError: the store did not answer.
    """
    async with aclosing(stored.read_slices(kinds=kinds, start=start, end=end)) as slices:
        async for found in slices:
            yield _Stored(found)


class _Stored:
    """Rows of the store, then what of the slice was in the archive."""

    silences: Sequence[Silence] = ()

    def __init__(self, found: StoredSlice) -> None:
        self._found = found

    def __len__(self) -> int:
        return len(self._found)

    def hear(self, kind: str) -> Hearings:
        stored = self._found.stored.get(kind)
        parts = [] if stored is None else [_hear_stored(stored)]
        parts += [_hear_archived(arrivals, kind) for arrivals in self._found.archived]
        if len(parts) == 1:
            return parts[0]
        return Hearings(
            asset_ids=[asset_id for part in parts for asset_id in part.asset_ids],
            received_at=[at for part in parts for at in part.received_at],
            observed_us=np.concatenate([_NOTHING, *(part.observed_us for part in parts)]),
            received_us=np.concatenate([_NOTHING, *(part.received_us for part in parts)]),
            ids=b"".join(part.ids for part in parts),
        )

    def assets_beside(self, heard: Collection[str]) -> Set[str]:
        others = [stored for kind, stored in self._found.stored.items() if kind not in heard]
        found = {asset_id for stored in others for asset_id in stored.columns["asset_id"]}
        return found.union(
            event.asset_id for arrivals in self._found.archived for event in arrivals.events if event.kind not in heard
        )

    def to_events(self, places: Mapping[str, Sequence[int]]) -> Sequence[Event]:
        # What is in the archive comes as events in any case; its places follow those of the store.
        stored = self._found.stored
        inside = {
            kind: [] if kind not in stored else [place for place in asked if place < len(stored[kind].received_us)]
            for kind, asked in places.items()
        }
        return self._found.to_events(inside)


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
