"""The figures of a period, as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.notification.flood import Flood
from ioc.domain.alerts import OperatorState, Severity

INTERVAL = timedelta(minutes=10)
"""The span that alarm rates are given for."""

BUSY, OVERLOADED = 5, 10
"""More annunciations than this in ten minutes keep an operator busy, or are too many to follow (EEMUA 191)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Annunciations per ten minutes. ``intervals`` are counts from the start on; the last one may be shorter.

    ``peak_at`` is where the first of the busiest intervals begins, None where nothing came.
    """

    mean: float
    peak_count: int
    peak_at: datetime | None
    above_busy_ratio: float
    above_overloaded_ratio: float
    intervals: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What alerts are about: a rule and a thing, with how it behaved in the period.

    ``title_vi`` and ``title_en`` are of its last annunciation. ``burst_count`` is how many of its alerts fired
    within a minute of two others; ``is_flapping`` whether the engine said that it flaps.
    """

    rule_id: str
    thing: str
    count: int
    title_vi: str
    title_en: str
    burst_count: int = 0
    is_flapping: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """The most frequent ones with their counts, at most ten, and the share of all annunciations that they are."""

    items: Sequence[tuple[str, int]]
    ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale:
    """An alert that has stood unattended for longer than a day when the period ended."""

    alert_id: str
    rule_id: str
    severity: Severity
    title_vi: str
    title_en: str
    started_at: datetime
    age: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long something took. All None where there was none."""

    count: int
    mean: timedelta | None
    median: timedelta | None
    p90: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """Alarm performance from ``start`` up to ``end``, of one unit or of all.

    ``priorities`` are shares of the annunciations. ``acknowledging`` is of what people acknowledged or closed in the
    period, counted from the first annunciation that was not answered yet; ``ending`` is of what ended in it, counted
    from the alert's beginning; both by severity, and under None for all together. ``unanswered`` are alerts of the
    period whose last annunciation nobody had acknowledged or closed by its end. ``standing`` is the operators' list at
    the end, by state.
    """

    start: datetime
    end: datetime
    unit_code: str | None
    annunciations: Mapping[Severity, int]
    rate: Rate
    floods: Sequence[Flood]
    flood_ratio: float
    priorities: Mapping[Severity, float] | None
    rules: Ranking
    assets: Ranking
    sources: Sequence[Source]
    sources_ratio: float
    chattering: Sequence[Source]
    fleeting_count: int
    fleeting_rules: Sequence[tuple[str, int]]
    stale: Sequence[Stale]
    long_acknowledged_count: int
    acknowledging: Mapping[Severity | None, Times]
    ending: Mapping[Severity | None, Times]
    unanswered: Mapping[Severity, int]
    shelved_count: int
    suppressed_count: int
    shadow_count: int
    standing: Mapping[OperatorState, int]

    @property
    def annunciation_count(self) -> int:
        """All annunciations of the period."""
        return sum(self.annunciations.values())
