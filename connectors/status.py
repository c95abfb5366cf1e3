"""What is known about each feed: when it last spoke, how fast, and whether it is live, late, lost or never heard."""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ioc.domain.events import Event

_SPAN = timedelta(seconds=60)
_STEP = timedelta(seconds=5)
_MOST_ASSETS = 200_000


class FeedState(enum.StrEnum):
    """How a feed stands, judged by its silence in its own expected periods."""

    LIVE = "live"
    LATE = "late"
    LOST = "lost"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedStatus:
    """A feed as walls and the API show it. ``last_at`` is the newest source time, ``received_at`` our newest arrival.

    ``assets_count`` counts the things it has spoken of since the process started, ``dead_letters_count`` what it sent
    and nobody could read since then.
    """

    feed_id: str
    state: FeedState
    last_at: datetime | None
    received_at: datetime | None
    rate_per_min: float
    expected_period: timedelta
    assets_count: int
    dead_letters_count: int
    is_connected: bool

    def to_wire(self) -> dict[str, object]:
        """Give the fields as the API and the wall protocol name them; instants in milliseconds since the epoch."""
        return {
            "feed_id": self.feed_id,
            "state": self.state.value,
            "last_at": None if self.last_at is None else round(self.last_at.timestamp() * 1000),
            "received_at": None if self.received_at is None else round(self.received_at.timestamp() * 1000),
            "rate_per_min": round(self.rate_per_min, 1),
            "expected_period_s": self.expected_period.total_seconds(),
            "assets": self.assets_count,
            "dead_letters": self.dead_letters_count,
        }


class FeedMonitor:
    """Keeps the status of one feed. Fed by the intake, or by whoever reads the feed's events from the log."""

    def __init__(
        self, feed_id: str, *, expected_period: timedelta, late_after: float = 2, lost_after: float = 3
    ) -> None:
        self.feed_id = feed_id
        self.expected_period = expected_period
        self.is_connected = True
        self._late_after = expected_period * late_after
        self._lost_after = expected_period * lost_after
        self._last_at: datetime | None = None
        self._received_at: datetime | None = None
        self._assets: set[str] = set()
        self._dead_letters_count = 0
        self._steps: deque[tuple[datetime, int]] = deque()

    def note(self, events: Sequence[Event], *, received_at: datetime, dead_letters_count: int = 0) -> None:
        """Note what arrived at ``received_at``. Broken records do not make a feed live."""
        self._dead_letters_count += dead_letters_count
        if not events:
            return
        self.recall(max(event.observed_at for event in events), received_at)
        if len(self._assets) < _MOST_ASSETS:
            self._assets.update(event.asset_id for event in events)
        if self._steps and received_at - self._steps[-1][0] < _STEP:
            started_at, count = self._steps[-1]
            self._steps[-1] = (started_at, count + len(events))
        else:
            self._steps.append((received_at, len(events)))
            self._forget(received_at)

    def recall(self, last_at: datetime, received_at: datetime) -> None:
        """Know when the feed spoke, for example to a process before this one; what is known to be newer stands."""
        self._last_at = last_at if self._last_at is None else max(self._last_at, last_at)
        self._received_at = received_at if self._received_at is None else max(self._received_at, received_at)

    def status(self, now: datetime) -> FeedStatus:
        """Judge the feed at ``now``."""
        self._forget(now)
        return FeedStatus(
            feed_id=self.feed_id,
            state=self._judge(now),
            last_at=self._last_at,
            received_at=self._received_at,
            rate_per_min=sum(count for _, count in self._steps) * (timedelta(minutes=1) / _SPAN),
            expected_period=self.expected_period,
            assets_count=len(self._assets),
            dead_letters_count=self._dead_letters_count,
            is_connected=self.is_connected,
        )

    def _judge(self, now: datetime) -> FeedState:
        if self._received_at is None:
            return FeedState.NEVER
        silence = now - self._received_at
        if silence > self._lost_after:
            return FeedState.LOST
        return FeedState.LATE if silence > self._late_after else FeedState.LIVE

    def _forget(self, now: datetime) -> None:
        while self._steps and now - self._steps[0][0] > _SPAN:
            self._steps.popleft()


class FeedBoard:
    """The monitors of all feeds of a process."""

    def __init__(self, monitors: Iterable[FeedMonitor]) -> None:
        self._monitors = {monitor.feed_id: monitor for monitor in monitors}

    def monitor(self, feed_id: str) -> FeedMonitor | None:
        """Give the monitor of a feed, or None for a feed that this deployment does not run."""
        return self._monitors.get(feed_id)

    def recall(self, heard: Mapping[str, tuple[datetime, datetime]]) -> None:
        """Take up when feeds spoke before this process started: newest source time and newest arrival, by feed."""
        for feed_id, (last_at, received_at) in heard.items():
            if (monitor := self._monitors.get(feed_id)) is not None:
                monitor.recall(last_at, received_at)

    def statuses(self, now: datetime) -> list[FeedStatus]:
        """Judge every feed at ``now``."""
        return [monitor.status(now) for monitor in self._monitors.values()]
