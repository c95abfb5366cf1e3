"""How the rules do, as REST and the command line show it: each over all processes that run it, and by process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from alerts.language.rule import Rule
from alerts.memory.partition import RuleFault
from ioc.api.views import to_ms
from ioc.storage.rule_health import ProcessReport, RuleReport


def to_rules_health(
    rules: Sequence[Rule], reports: Sequence[ProcessReport], faults: Mapping[str, Sequence[RuleFault]]
) -> dict[str, Any]:
    """Give every rule in force, and those that some process still runs; ``share_pct`` is of the time of all rules."""
    by_rule: dict[str, list[ProcessReport]] = {}
    for report in reports:
        by_rule.setdefault(report.report.rule_id, []).append(report)
    all_recent_s = sum(report.report.recent_cost_s for report in reports)
    known = {rule.rule_id: rule for rule in rules}
    items = [
        _to_rule(rule_id, known.get(rule_id), by_rule.get(rule_id, []), faults.get(rule_id, ()), all_recent_s)
        for rule_id in sorted(known.keys() | by_rule.keys())
    ]
    processes = {report.process: report for report in reports}
    return {
        "items": items,
        "failing_count": sum(item["is_failing"] for item in items),
        "processes": [
            {"process": name, "started_at": to_ms(found.report.started_at), "reported_at": to_ms(found.reported_at)}
            for name, found in sorted(processes.items())
        ],
    }


def _to_rule(
    rule_id: str,
    rule: Rule | None,
    reports: Sequence[ProcessReport],
    faults: Sequence[RuleFault],
    all_recent_s: float,
) -> dict[str, Any]:
    found = [item.report for item in reports]
    failing_since = min((item.failing_since for item in found if item.failing_since), default=None)
    shown_faults = [
        {"at": to_ms(fault.at), "asset_id": fault.asset_id or None, "reason": fault.reason} for fault in faults
    ]
    return {
        "rule_id": rule_id,
        "version": None if rule is None else rule.version,
        "condition": None if rule is None else rule.condition_name,
        "shadow": rule is not None and rule.shadow,
        "is_reported": bool(found),
        "is_failing": failing_since is not None,
        "failing_since": to_ms(failing_since),
        **_to_figures(found),
        "share_pct": _share_pct(sum(item.recent_cost_s for item in found), all_recent_s),
        "last_fault": shown_faults[0] if shown_faults else None,
        "faults": shown_faults,
        "processes": [
            {
                "process": item.process,
                "version": item.report.version,
                "started_at": to_ms(item.report.started_at),
                "reported_at": to_ms(item.reported_at),
                **_to_figures([item.report]),
            }
            for item in reports
        ],
    }


def _to_figures(reports: Sequence[RuleReport]) -> dict[str, Any]:
    """Sum reports up. Rates are of the last minute; the time per evaluation of all, where the minute had none."""

    def total(read: Callable[[RuleReport], float]) -> float:
        return sum(read(report) for report in reports)

    evaluations, cost_s = total(lambda item: item.recent_evaluations_count), total(lambda item: item.recent_cost_s)
    if not evaluations:
        evaluations, cost_s = total(lambda item: item.evaluations_count), total(lambda item: item.cost_s)
    limits = [report.readings_limit for report in reports if report.readings_limit is not None]
    bounds = [report.series_limit for report in reports if report.series_limit is not None]
    rate = total(lambda item: item.recent_evaluations_count / item.recent_s if item.recent_s > 0 else 0.0)
    return {
        "evaluations_count": total(lambda item: item.evaluations_count),
        "evaluations_per_s": round(rate, 3),
        "cost_s": round(total(lambda item: item.cost_s), 6),
        "us_per_evaluation": round(1e6 * cost_s / evaluations, 3) if evaluations else None,
        "faults_count": total(lambda item: item.faults_count),
        "series_count": total(lambda item: item.series_count),
        "open_count": total(lambda item: item.open_count),
        "readings_count": total(lambda item: item.readings_count),
        "readings_limit": sum(limits) if limits else None,
        "series_limit": sum(bounds) if bounds else None,
    }


def _share_pct(cost_s: float, all_s: float) -> float | None:
    return round(100.0 * cost_s / all_s, 2) if all_s > 0 else None
