"""Alarm flood (ISA-18.2): more comes than a person can read, so what is not critical comes in summary."""

from __future__ import annotations

import itertools
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ioc.domain.alerts import Alert, Severity

WINDOW = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class FloodLimits:
    """A flood begins above ``begins_above`` new annunciations in ten minutes and ends below ``ends_below``."""

    begins_above: int = 10
    ends_below: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """One flood: from the annunciation that was too many up to the instant that left fewer than the lower limit.

    ``ended_at`` is None while it lasts. ``peak_count`` is the most that ten minutes of it had.
    """

    began_at: datetime
    ended_at: datetime | None
    peak_count: int


def find_floods(told: Iterable[tuple[datetime, int]], limits: FloodLimits, now: datetime) -> list[Flood]:
    """Find the floods among annunciations up to ``now``: instants, oldest first, each with its new alerts."""
    recent: deque[tuple[datetime, int]] = deque()
    floods: list[Flood] = []
    total, peak_count, began_at = 0, 0, None
    for at, count in itertools.chain(told, [(now, 0)]):
        # What left the window since the last instant may have ended the flood in between.
        while recent and recent[0][0] + WINDOW <= at:
            then, left = recent.popleft()
            total -= left
            if began_at is not None and total < limits.ends_below:
                floods.append(Flood(began_at=began_at, ended_at=then + WINDOW, peak_count=peak_count))
                began_at = None
        recent.append((at, count))
        total += count
        if began_at is None and total > limits.begins_above:
            began_at, peak_count = at, 0
        peak_count = max(peak_count, total)
    if began_at is not None:
        floods.append(Flood(began_at=began_at, ended_at=None, peak_count=peak_count))
    return floods


def is_flood(told: Iterable[tuple[datetime, int]], limits: FloodLimits, now: datetime) -> bool:
    """Whether a department is in a flood, from what it was told: instants, oldest first, each with its new alerts.

    Hysteresis makes the answer depend on the past, so pass at least an hour of it. A flood that has lain between both
    limits for all of that time is taken for over.
    """
    floods = find_floods(told, limits, now)
    return bool(floods) and floods[-1].ended_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """What a notification says of its alerts: some one by one, of the rest how many. Together they are all."""

    single: Sequence[Alert]
    counts: dict[str, int]
    collapsed: Sequence[Alert]


def collapse(alerts: Sequence[Alert], *, flood: bool) -> Digest:
    """Keep critical alerts single in a flood and count the rest by rule and severity; without one all are single."""
    single = [alert for alert in alerts if not flood or alert.severity is Severity.CRITICAL]
    rest = [alert for alert in alerts if flood and alert.severity is not Severity.CRITICAL]
    counts = Counter(f"{alert.rule_id}/{alert.severity}" for alert in rest)
    return Digest(single=single, counts=dict(sorted(counts.items())), collapsed=rest)
