"""Reports on the wire: the same JSON from the API and from the command line."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from alerts.performance.figures import Performance, Ranking, Source, Times
from alerts.performance.targets import check
from alerts.shift import Deed
from ioc.api.views import to_alert, to_ms
from ioc.domain.alerts import Severity
from ioc.storage.reports import Shift


def to_shift(shift: Shift) -> dict[str, Any]:
    """Give a shift with its alarm performance in short."""
    report = shift.report
    return {
        "from": to_ms(report.start),
        "to": to_ms(report.end),
        "fired": {severity.value: count for severity, count in report.fired.items()},
        "ended": {severity.value: count for severity, count in report.ended.items()},
        "fired_by_rule": dict(report.fired_by_rule),
        "fired_by_unit": dict(report.fired_by_unit),
        "mean_to_acknowledge_s": _seconds(report.mean_to_acknowledge),
        "mean_to_end_s": _seconds(report.mean_to_end),
        "deeds": [_to_deed(deed) for deed in report.deeds],
        "open": [to_alert(alert) for alert in report.open],
        "performance": _to_targets(shift.performance),
    }


def to_performance(made: Performance) -> dict[str, Any]:
    """Give every figure; shares are ratios from 0 to 1, lengths of time seconds."""
    return {
        "from": to_ms(made.start),
        "to": to_ms(made.end),
        "unit": made.unit_code,
        "annunciations": {severity.value: count for severity, count in made.annunciations.items()},
        **_to_targets(made),
        "rate_per_10min": {
            "mean": made.rate.mean, "peak": made.rate.peak_count, "peak_at": to_ms(made.rate.peak_at),
            "above_5_ratio": made.rate.above_busy_ratio, "above_10_ratio": made.rate.above_overloaded_ratio,
            "intervals": list(made.rate.intervals),
        },
        "flood_ratio": made.flood_ratio,
        "floods": [
            {"from": to_ms(flood.began_at), "to": to_ms(flood.ended_at), "peak": flood.peak_count}
            for flood in made.floods
        ],
        "priorities": None if made.priorities is None else {key.value: part for key, part in made.priorities.items()},
        "top_rules": _to_ranking(made.rules),
        "top_assets": _to_ranking(made.assets),
        "top_sources": {"items": [_to_source(item) for item in made.sources], "ratio": made.sources_ratio},
        "chattering": [_to_source(item) for item in made.chattering],
        "fleeting": {"count": made.fleeting_count, "rules": dict(made.fleeting_rules)},
        "stale": [
            {
                "alert_id": item.alert_id, "rule_id": item.rule_id, "severity": item.severity.value,
                "title_vi": item.title_vi, "title_en": item.title_en, "started_at": to_ms(item.started_at),
                "age_s": item.age.total_seconds(),
            }
            for item in made.stale
        ],
        "long_acknowledged_count": made.long_acknowledged_count,
        "acknowledging": {_level(key): _to_times(times) for key, times in made.acknowledging.items()},
        "ending": {_level(key): _to_times(times) for key, times in made.ending.items()},
        "unanswered": {severity.value: count for severity, count in made.unanswered.items()},
        "shelved_count": made.shelved_count,
        "suppressed_count": made.suppressed_count,
        "shadow_count": made.shadow_count,
        "standing": {state.value: count for state, count in made.standing.items()},
    }  # fmt: skip


def _to_targets(made: Performance) -> dict[str, Any]:
    return {
        "annunciation_count": made.annunciation_count,
        "targets": [
            {
                "name": item.name, "figure": item.figure, "target": item.target, "most": item.most,
                "is_share": item.is_share, "verdict": None if item.verdict is None else item.verdict.value,
            }
            for item in check(made)
        ],
    }  # fmt: skip


def _to_deed(deed: Deed) -> dict[str, Any]:
    alert = deed.alert
    return {
        "at": to_ms(deed.at), "actor": deed.actor, "type": deed.type.value, "reason": deed.reason,
        "after_s": deed.after.total_seconds(), "alert_id": str(alert.alert_id), "title_vi": alert.title_vi,
        "title_en": alert.title_en,
    }  # fmt: skip


def _to_ranking(ranking: Ranking) -> dict[str, Any]:
    return {"items": [{"id": name, "count": count} for name, count in ranking.items], "ratio": ranking.ratio}


def _to_source(source: Source) -> dict[str, Any]:
    return {
        "rule_id": source.rule_id, "thing": source.thing, "count": source.count, "title_vi": source.title_vi,
        "title_en": source.title_en, "burst_count": source.burst_count, "is_flapping": source.is_flapping,
    }  # fmt: skip


def _to_times(times: Times) -> dict[str, Any]:
    return {
        "count": times.count, "mean_s": _seconds(times.mean), "median_s": _seconds(times.median),
        "p90_s": _seconds(times.p90),
    }  # fmt: skip


def _level(severity: Severity | None) -> str:
    return "all" if severity is None else severity.value


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()
