"""How rules, versions and reports look on the wire and in ``--json``: instants in milliseconds since the epoch."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from alerts.backtest.comparison import Change, Line
from alerts.backtest.trial import Occurrence
from alerts.language.rule import Rule
from alerts.lifecycle.versions import candidate_id, split_id
from ioc.rules.desk import ShadowReport
from ioc.rules.in_force import RulesInForce, name_of
from ioc.storage.rule_activations import Activation, Lane, State
from ioc.storage.rule_versions import RuleVersion

_FIRST = 50


def list_rules(rules: RulesInForce, *, with_retired: bool) -> list[dict[str, Any]]:
    """Give the rules in force, each with where it comes from, who put it there, and its candidates.

    A candidate of a rule that is not in force stands as an item of its own; retired rules only where they are wanted.
    """
    items: dict[str, dict[str, Any]] = {}
    newest: dict[str, int] = {}
    for standing in rules.standing:
        newest[standing.rule_id] = max(newest.get(standing.rule_id, 0), standing.activation_id)
    for rule in rules.rulebook.rules:
        name, number = split_id(rule.rule_id)
        if number is None:
            items[name] = _describe(rule) | {"source": "file", "candidates": []}
    for standing in rules.standing:
        if standing.lane is Lane.LIVE:
            _place(items, rules, standing, with_retired=with_retired)
    for standing in rules.standing:
        if standing.lane is Lane.SHADOW and standing.number is not None:
            candidate = rules.rulebook.find(candidate_id(standing.rule_id, standing.number))
            if candidate is not None:
                shown = _describe(candidate) | {"id": standing.rule_id, "source": "shadow", "candidates": []}
                items.setdefault(standing.rule_id, shown)["candidates"].append(
                    {**_who(rules, standing), "version": candidate.version}
                )
    for rule_id, item in items.items():
        of_file = rules.files.get(rule_id)
        item |= {"newest_activation": newest.get(rule_id, 0), "file_version": of_file and of_file.version}
    return [items[name] for name in sorted(items)]


def _place(items: dict[str, dict[str, Any]], rules: RulesInForce, standing: Activation, *, with_retired: bool) -> None:
    """Say of what is in force who put it there; of a retired rule, where that is wanted, what the files say."""
    if (item := items.get(standing.rule_id)) is not None:
        item |= {"source": standing.state.value, **_who(rules, standing)}
    elif with_retired and standing.state is State.OFF:
        of_file = rules.files.get(standing.rule_id)
        shown = {"id": standing.rule_id} if of_file is None else _describe(of_file)
        items[standing.rule_id] = shown | {"source": "retired", "candidates": [], **_who(rules, standing)}


def _who(rules: RulesInForce, standing: Activation) -> dict[str, Any]:
    saved = rules.versions.get(name_of(standing)) if standing.number is not None else None
    return {
        "number": standing.number, "author": saved and saved.author, "since": _to_ms(standing.at),
        "activated_by": standing.actor, "reason": standing.reason,
    }  # fmt: skip


def _describe(rule: Rule) -> dict[str, Any]:
    texts = rule.texts
    return {
        "id": rule.rule_id,
        "version": rule.version,
        "condition": rule.condition_name,
        "severities": [level.severity.value for level in rule.condition.levels],
        "title_vi": texts.title_vi,
        "title_en": texts.title_en,
        "procedure_vi": texts.runbook_vi,
        "procedure_en": texts.runbook_en,
        "quantity_unit": rule.quantity_unit,
        "shadow": rule.shadow,
    }


def to_version(version: RuleVersion) -> dict[str, Any]:
    """Give a version with its text."""
    return {
        "rule_id": version.rule_id, "number": version.number, "version": version.version, "source": version.source,
        "tests_count": version.tests_count, "author": version.author, "reason": version.reason,
        "created_at": _to_ms(version.created_at),
    }  # fmt: skip


def to_activation(item: Activation) -> dict[str, Any]:
    """Give one change of what is in force."""
    return {
        "activation": item.activation_id, "rule_id": item.rule_id, "mode": item.lane.value, "state": item.state.value,
        "number": item.number, "is_roll_back": item.is_roll_back, "restores": item.restores, "actor": item.actor,
        "reason": item.reason, "at": _to_ms(item.at),
    }  # fmt: skip


def to_report(report: ShadowReport) -> dict[str, Any]:
    """Give a comparison; of what only one side has, the first ones."""
    found = report.comparison
    return {
        "rule_id": report.rule_id, "number": report.number, "from": _to_ms(report.start), "to": _to_ms(report.end),
        "firings": len(report.candidate), "in_force_firings": len(report.in_force),
        "added": len(found.added), "gone": len(found.gone), "changed": len(found.changed),
        "units": [_to_line(line) for line in found.lines],
        "first_added": [_to_occurrence(item) for item in found.added[:_FIRST]],
        "first_gone": [_to_occurrence(item) for item in found.gone[:_FIRST]],
        "first_changed": [_to_change(item) for item in found.changed[:_FIRST]],
    }  # fmt: skip


def _to_line(line: Line) -> dict[str, Any]:
    return {
        "unit_code": line.unit_code, "firings": line.firings_count, "in_force_firings": line.active_firings_count,
        "in_alarm_s": line.in_alarm.total_seconds(), "in_force_in_alarm_s": line.active_in_alarm.total_seconds(),
        "added": line.added_count, "gone": line.gone_count, "changed": line.changed_count,
    }  # fmt: skip


def _to_change(change: Change) -> dict[str, Any]:
    return {"in_force": _to_occurrence(change.active), "candidate": _to_occurrence(change.draft)}


def _to_occurrence(item: Occurrence) -> dict[str, Any]:
    return {
        "asset_id": item.asset_id, "unit_code": item.unit_code, "severity": item.severity.value,
        "title_vi": item.title_vi, "title_en": item.title_en, "observed_at": _to_ms(item.observed_at),
        "decided_at": _to_ms(item.started_at), "ended_at": _to_ms(item.ended_at),
    }  # fmt: skip


def _to_ms(at: datetime | None) -> int | None:
    return None if at is None else round(at.timestamp() * 1000)
