"""Sums over what each asset said last, while it still speaks for the present."""

from __future__ import annotations

from datetime import datetime, timedelta
from heapq import heappop, heappush

from ioc.domain.quantities import Quality


class FreshSum:
    """The sum of each asset's newest value. A value that grew older than ``stale_after`` is left out until a newer one.

    One step per change: silence is noticed by a queue of when each value grows old, not by looking at all of them.
    """

    def __init__(self, stale_after: timedelta | None) -> None:
        self._stale_after = stale_after
        self._held: dict[str, tuple[datetime, float | None, bool]] = {}
        self._due: list[tuple[datetime, str]] = []
        self._silent_count = 0
        self.total = 0.0
        self.count = 0
        self.newest_at: datetime | None = None

    def __len__(self) -> int:
        """Assets that were heard of, those that fell silent among them."""
        return len(self._held)

    def put(self, asset_id: str, at: datetime, value: float | None) -> None:
        """Note what an asset says; None when it says nothing that counts."""
        held = self._held.get(asset_id)
        if held is not None:
            if at <= held[0]:
                return
            self._take_away(held)
        self._held[asset_id] = (at, value, True)
        if value is not None:
            self.total += value
            self.count += 1
        if self._stale_after is not None:
            heappush(self._due, (at + self._stale_after, asset_id))
        self.newest_at = at if self.newest_at is None else max(self.newest_at, at)

    def values(self) -> list[float]:
        """Give what every asset says that is not silent."""
        return [value for _, value, is_fresh in self._held.values() if is_fresh and value is not None]

    def forget_silent(self) -> None:
        """Forget the assets that fell silent: they are gone."""
        if self._silent_count:
            self._held = {asset_id: held for asset_id, held in self._held.items() if held[2]}
            self._silent_count = 0

    def settle(self, now: datetime) -> Quality:
        """Leave out what has grown old by now, and say how far the sum speaks for the present."""
        while self._due and self._due[0][0] < now:
            due, asset_id = heappop(self._due)
            held = self._held.get(asset_id)
            if held is not None and self._stale_after is not None and held[0] + self._stale_after == due and held[2]:
                self._take_away(held)
                self._held[asset_id] = (held[0], held[1], False)
                self._silent_count += 1
        if not self._silent_count:
            return Quality.GOOD
        return Quality.STALE if self._silent_count == len(self._held) else Quality.UNCERTAIN

    def _take_away(self, held: tuple[datetime, float | None, bool]) -> None:
        _, value, is_fresh = held
        if not is_fresh:
            self._silent_count -= 1
        elif value is not None:
            self.total -= value
            self.count -= 1
