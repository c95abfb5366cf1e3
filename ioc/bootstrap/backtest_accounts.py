"""What a backtest found, as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alerts.backtest.comparison import Change, Comparison, Line
from alerts.backtest.trial import Occurrence
from ioc.bootstrap.backtests import Account

FIRST = 100
"""Differences that are listed; the rest is counted."""


def to_summary(account: Account) -> dict[str, Any]:
    """Give the account as the API shows it: a line per rule and unit, and the first differences."""
    comparison = account.comparison
    return {
        **describe(account),
        "lines": [_to_line(line) for line in comparison.lines],
        "occurrences_count": len(comparison.draft),
        "in_force_count": len(comparison.active),
        "added_count": len(comparison.added),
        "gone_count": len(comparison.gone),
        "changed_count": len(comparison.changed),
        "added": to_items(comparison.added[:FIRST]),
        "gone": to_items(comparison.gone[:FIRST]),
        "changed": to_changes(comparison.changed[:FIRST]),
    }


def describe(account: Account) -> dict[str, Any]:
    """Give what an account rests on."""
    period, until = account.period, account.comparison.until
    return {
        "from": period.start.isoformat(), "to": period.end.isoformat(), "unit": period.unit_code,
        "until": until and until.isoformat(), "is_partial": account.is_partial,
        "warm_up_s": account.warm_up.total_seconds(), "kinds": list(account.kinds), "events": account.events_count,
        "elapsed_s": round(account.elapsed_s, 3), "faults": list(account.faults), "faults_count": account.faults_count,
        "unreadable": list(account.unreadable), "unreadable_count": account.unreadable_count,
    }  # fmt: skip


def to_occurrences(comparison: Comparison) -> dict[str, Any]:
    """Give every occurrence of both sides, and which of them the other side does not have or has otherwise."""
    return {
        "draft": to_items(comparison.draft),
        "in_force": to_items(comparison.active),
        "added": to_items(comparison.added),
        "gone": to_items(comparison.gone),
        "changed": to_changes(comparison.changed),
    }


def to_items(items: Sequence[Occurrence]) -> list[dict[str, Any]]:
    """Give occurrences one by one."""
    return [
        {
            "rule": item.rule_id, "asset": item.asset_id, "unit": item.unit_code, "severity": item.severity.value,
            "title_vi": item.title_vi, "title_en": item.title_en, "observed_at": item.observed_at.isoformat(),
            "decided_at": item.started_at.isoformat(), "ended_at": item.ended_at and item.ended_at.isoformat(),
        }
        for item in items
    ]  # fmt: skip


def to_changes(changes: Sequence[Change]) -> list[dict[str, Any]]:
    """Give changed occurrences one by one, as they are with the rule in force and as they would be."""
    return [
        {"in_force": was, "draft": would_be}
        for was, would_be in zip(
            to_items([change.active for change in changes]),
            to_items([change.draft for change in changes]),
            strict=True,
        )
    ]


def _to_line(line: Line) -> dict[str, Any]:
    return {
        "rule": line.rule_id, "unit": line.unit_code, "firings": line.firings_count,
        "in_alarm_s": line.in_alarm.total_seconds(), "in_force_firings": line.active_firings_count,
        "in_force_in_alarm_s": line.active_in_alarm.total_seconds(), "added": line.added_count,
        "gone": line.gone_count, "changed": line.changed_count,
    }  # fmt: skip
