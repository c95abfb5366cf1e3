"""Alarm flood (ISA-18.2): more comes than a person can read, so what is not critical comes in summary."""

from __future__ import annotations

from collections import Counter
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


def is_flood(told: Iterable[tuple[datetime, int]], limits: FloodLimits, now: datetime) -> bool:
    """Whether a department is in a flood, from what it was told: instants, oldest first, each with its new alerts.

    Hysteresis makes the answer depend on the past, so pass at least an hour of it; an hour below the lower limit
    is never within a flood.
    """
    recent: list[tuple[datetime, int]] = []
    flood = False
    for at, count in [*told, (now, 0)]:
        # What left the window since the last instant may have ended the flood in between.
        for left_at in [then + WINDOW for then, _ in recent if then + WINDOW <= at]:
            recent = [(then, new) for then, new in recent if then + WINDOW > left_at]
            flood = flood and sum(new for _, new in recent) >= limits.ends_below
        recent.append((at, count))
        total = sum(new for _, new in recent)
        flood = total > limits.begins_above or (flood and total >= limits.ends_below)
    return flood


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
