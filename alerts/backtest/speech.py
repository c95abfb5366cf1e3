"""Which readings a backtest need not look at: those of which all rules only ask whether they came.

Feeders and traffic counters are nearly half of what rules look at, and a rule about silence hears from each only that
it still speaks. Where an asset spoke without a silence that any rule would notice, the first and the last reading of
that stretch say all that there is to say, if it is known that there were others between them.

The engine takes a reading in only if the source made it after all that it knows of the asset. The same is worked out
here, for a slice of arrivals at once and from what came before it; a test compares with looking at every reading.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from alerts.memory.partition import Stretch

_NEVER = -(2**62)
"""An instant in microseconds before all others, from which the way to any of them can still be counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearings:
    """What came of one kind in one slice, in any order, column by column.

    ``observed_us`` and ``received_us`` are microseconds since any one instant; ``ids`` are the event ids, 16 bytes
    each, which put equal arrivals in order.
    """

    asset_ids: Sequence[str]
    received_at: Sequence[datetime]
    observed_us: NDArray[np.int64]
    received_us: NDArray[np.int64]
    ids: bytes


class Heard(NamedTuple):
    """Places of the readings to look at, in no order, and between which arrivals the assets spoke all the while."""

    places: list[int]
    stretches: Mapping[str, Sequence[Stretch]]


class Listener:
    """Listens to one kind, slice by slice in the order of arrival.

    Args:
        shortest_silence: no rule notices a silence that is shorter.
    """

    def __init__(self, shortest_silence: timedelta) -> None:
        self._silence_us = shortest_silence // timedelta(microseconds=1)
        self._places: dict[str, int] = {}
        self._newest_us: NDArray[np.int64] = np.empty(0, np.int64)
        self._heard_us: NDArray[np.int64] = np.empty(0, np.int64)
        self._heard_at: list[datetime | None] = []

    def listen(self, came: Hearings) -> Heard:
        """Give which readings of the next slice say something that is not known without them."""
        if not came.asset_ids:
            return Heard([], {})
        assets = self._find_places(came.asset_ids)
        halves = np.frombuffer(came.ids, ">u8").reshape(-1, 2)
        order = np.lexsort((halves[:, 1], halves[:, 0], came.received_us, assets))
        order = order[self._is_news(assets[order], came.observed_us[order])]
        if not len(order):
            return Heard([], {})
        assets, received_us = assets[order], came.received_us[order]
        is_first = _differs_from_previous(assets)
        is_last = np.append(is_first[1:], True)
        previous_us = np.append(_NEVER, received_us[:-1])
        previous_us[is_first] = self._heard_us[assets[is_first]]
        begins = received_us - previous_us >= self._silence_us
        ends = is_last | np.append(begins[1:], False)
        stretches = self._find_stretches(came, order, assets, begins, np.flatnonzero(begins | is_first), ends)
        self._newest_us[assets[is_last]] = came.observed_us[order[is_last]]
        self._heard_us[assets[is_last]] = received_us[is_last]
        for asset, place in zip(assets[is_last].tolist(), order[is_last].tolist(), strict=True):
            self._heard_at[asset] = came.received_at[place]
        return Heard(order[begins | ends].tolist(), stretches)

    def _find_places(self, asset_ids: Sequence[str]) -> NDArray[np.int64]:
        """Number the assets, new ones after those that are known."""
        places, known = self._places, len(self._places)
        found = np.array([places.setdefault(asset_id, len(places)) for asset_id in asset_ids], np.int64)
        unheard: NDArray[np.int64] = np.full(len(places) - known, _NEVER, np.int64)
        self._newest_us = np.append(self._newest_us, unheard)
        self._heard_us = np.append(self._heard_us, unheard)
        self._heard_at += [None] * len(unheard)
        return found

    def _is_news(self, assets: NDArray[np.int64], observed_us: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Say which readings were made after all that came before them of the same asset; assets lie together."""
        is_first = _differs_from_previous(assets)
        instants, ranks = np.unique(observed_us, return_inverse=True)
        # A step up for each asset keeps the largest so far from reaching over from the asset before.
        steps = np.cumsum(is_first) * len(instants)
        largest_us = instants[np.maximum.accumulate(steps + ranks) - steps]
        before_us = np.append(_NEVER, largest_us[:-1])
        before_us[is_first] = _NEVER
        is_news: NDArray[np.bool_] = observed_us > np.maximum(before_us, self._newest_us[assets])
        return is_news

    def _find_stretches(
        self,
        came: Hearings,
        order: NDArray[np.int64],
        assets: NDArray[np.int64],
        begins: NDArray[np.bool_],
        starts: NDArray[np.int64],
        ends: NDArray[np.bool_],
    ) -> dict[str, list[Stretch]]:
        """Pair the beginnings of stretches with their ends; one that goes on from the last slice began there."""
        found: dict[str, list[Stretch]] = {}
        for start, end in zip(starts.tolist(), np.flatnonzero(ends).tolist(), strict=True):
            first, last = order[start], order[end]
            since = came.received_at[first] if begins[start] else self._heard_at[assets[start]]
            until = came.received_at[last]
            if since is not None and since < until:
                found.setdefault(came.asset_ids[first], []).append((since, until))
        return found


def _differs_from_previous(values: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.append(True, values[1:] != values[:-1])
