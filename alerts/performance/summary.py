"""From the counts of a period to its figures."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from alerts.notification.flood import Flood, FloodLimits, find_floods
from alerts.performance.figures import (
    BUSY,
    INTERVAL,
    OVERLOADED,
    Performance,
    Ranking,
    Rate,
    Source,
    Stale,
    Times,
)
from alerts.performance.tally import SourceTally, Tally, to_instant, to_spans, to_us
from ioc.domain.alerts import Alert, OperatorState, Severity

TOP = 10
STALE = timedelta(days=1)
"""What stands for longer than this is stale (ISA-18.2)."""

_WAITING = frozenset({OperatorState.UNACKNOWLEDGED, OperatorState.RETURNED_UNACKNOWLEDGED})
_NO_TIME = timedelta(0)


def summarise(
    tally: Tally, standing: Sequence[Alert], *, start: datetime, end: datetime, unit_code: str | None
) -> Performance:
    """Give the figures of a period; ``standing`` is the operators' list at its end."""
    instants_us = sorted(tally.instants_us)
    count = sum(tally.annunciations.values())
    floods = _find_floods(instants_us, start, end)
    told = [source for source in tally.sources.values() if source.count]
    sources = _rank_sources(told)[:TOP]
    return Performance(
        start=start,
        end=end,
        unit_code=unit_code,
        annunciations={severity: tally.annunciations[severity] for severity in Severity},
        rate=_rate(instants_us[bisect_left(instants_us, to_us(start)) :], start, end),
        floods=floods,
        flood_ratio=sum((_within(flood, start, end) for flood in floods), _NO_TIME) / (end - start),
        priorities={severity: tally.annunciations[severity] / count for severity in Severity} if count else None,
        rules=_rank((source.rule_id, source.count) for source in told),
        assets=_rank((source.asset_id, source.count) for source in told if source.asset_id is not None),
        sources=sources,
        sources_ratio=_share(sum(source.count for source in sources), count),
        chattering=[item for item in _rank_sources(tally.sources.values()) if item.burst_count or item.is_flapping],
        fleeting_count=sum(tally.fleeting.values()),
        fleeting_rules=_order(tally.fleeting)[:TOP],
        stale=_find_stale(standing, end),
        long_acknowledged_count=sum(
            alert.operator is OperatorState.ACKNOWLEDGED and end - alert.started_at > STALE for alert in standing
        ),
        acknowledging=_times(tally.waits_us),
        ending=_times(tally.lasted_us),
        unanswered={severity: tally.unanswered[severity] for severity in Severity},
        shelved_count=tally.shelved_count,
        suppressed_count=tally.suppressed_count,
        shadow_count=tally.shadow_count,
        standing=Counter(alert.operator for alert in standing if not alert.shadow),
    )


def _rate(instants_us: Sequence[int], start: datetime, end: datetime) -> Rate:
    intervals = [0] * math.ceil((end - start) / INTERVAL)
    start_us, interval_us = to_us(start), INTERVAL // timedelta(microseconds=1)
    for at_us in instants_us:
        intervals[(at_us - start_us) // interval_us] += 1
    peak_count = max(intervals, default=0)
    return Rate(
        mean=len(instants_us) / ((end - start) / INTERVAL),
        peak_count=peak_count,
        peak_at=start + intervals.index(peak_count) * INTERVAL if peak_count else None,
        above_busy_ratio=_share(sum(count > BUSY for count in intervals), len(intervals)),
        above_overloaded_ratio=_share(sum(count > OVERLOADED for count in intervals), len(intervals)),
        intervals=intervals,
    )


def _find_floods(instants_us: Iterable[int], start: datetime, end: datetime) -> list[Flood]:
    floods = find_floods(((to_instant(at_us), 1) for at_us in instants_us), FloodLimits(), end)
    return [flood for flood in floods if flood.ended_at is None or flood.ended_at > start]


def _within(flood: Flood, start: datetime, end: datetime) -> timedelta:
    return (flood.ended_at or end) - max(flood.began_at, start)


def _rank_sources(tallies: Iterable[SourceTally]) -> list[Source]:
    sources = [
        Source(
            rule_id=tally.rule_id, thing=tally.thing, count=tally.count,
            title_vi=tally.last[2] if tally.last else "", title_en=tally.last[3] if tally.last else "",
            burst_count=tally.burst_count(), is_flapping=tally.is_flapping,
        )
        for tally in tallies
    ]  # fmt: skip
    return sorted(sources, key=lambda source: (-source.count, source.rule_id, source.thing, source.title_en))


def _rank(counts: Iterable[tuple[str, int]]) -> Ranking:
    """Rank names; the share is of all that have a name of this sort."""
    sums: Counter[str] = Counter()
    for name, count in counts:
        sums[name] += count
    items = _order(sums)[:TOP]
    return Ranking(items=items, ratio=_share(sum(count for _, count in items), sums.total()))


def _order(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _find_stale(standing: Iterable[Alert], end: datetime) -> list[Stale]:
    found = [alert for alert in standing if alert.operator in _WAITING and end - alert.started_at > STALE]
    found.sort(key=lambda alert: (alert.started_at, str(alert.alert_id)))
    return [
        Stale(
            alert_id=str(alert.alert_id), rule_id=alert.rule_id, severity=alert.severity, title_vi=alert.title_vi,
            title_en=alert.title_en, started_at=alert.started_at, age=end - alert.started_at,
        )
        for alert in found
    ]  # fmt: skip


def _times(spans_us: Mapping[Severity, Iterable[int]]) -> dict[Severity | None, Times]:
    by_severity: dict[Severity | None, list[int]] = {
        severity: list(spans_us.get(severity, ())) for severity in Severity
    }
    by_severity[None] = [value for values in list(by_severity.values()) for value in values]
    return {severity: _to_times(to_spans(values)) for severity, values in by_severity.items()}


def _to_times(spans: Sequence[timedelta]) -> Times:
    """Sum lengths of time up; the 90th percentile is the nearest rank: nine of ten took no longer."""
    if not spans:
        return Times(count=0, mean=None, median=None, p90=None)
    return Times(
        count=len(spans),
        mean=sum(spans, _NO_TIME) / len(spans),
        median=(spans[(len(spans) - 1) // 2] + spans[len(spans) // 2]) / 2,
        p90=spans[math.ceil(0.9 * len(spans)) - 1],
    )
