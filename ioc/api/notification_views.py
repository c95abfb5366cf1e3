"""How silences, routes, groups and notifications look on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from alerts.notification.escalation import Ladder, Rung, Waits
from alerts.notification.policy import Policy, Route
from alerts.notification.suppression import Suppression
from ioc.api.views import to_ms

_LOG_FIELDS = (
    "notification_id",
    "department",
    "group_key",
    "route_id",
    "reason",
    "form",
    "new_count",
    "receivers_count",
)


def to_silence(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give a silence: what it covers, from when to when, by whom and why."""
    times = {name: to_ms(row[name]) for name in ("starts_at", "ends_at", "created_at")}
    texts = {name: row[name] for name in ("matchers", "author", "comment", "ended_by")}
    return {"id": str(row["silence_id"]), **texts, **times}


def to_notification(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give a notification as the log has it."""
    ids = {name: [str(value) for value in row[name]] for name in ("firing_ids", "resolved_ids")}
    return {"at": to_ms(row["at"]), **{name: row[name] for name in _LOG_FIELDS}, **ids}


def to_group(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give a group in which an alert stands, with its last decision and what holds the alert there."""
    plain = ("group_key", "route_id", "departments", "labels", "reason", "told_count", "held_why", "held_by")
    times = ("opened_at", "joined_at", "told_at", "decided_at", "look_at", "held_until")
    return {**{name: row[name] for name in plain}, **{name: to_ms(row[name]) for name in times}}


def to_held(held: Suppression | None) -> dict[str, Any] | None:
    """Give what keeps an alert quiet; None where nothing does."""
    return None if held is None else {"why": held.why.value, "by": held.by, "until": to_ms(held.until)}


def to_climb(ladder: Ladder, rung: Rung, waits: Waits, look_at: datetime) -> dict[str, Any]:
    """Give where an alert stands on its ladder, whom each level tells, and why it waits there."""
    return {
        "ladder": ladder.ladder_id,
        "unacked_at": to_ms(rung.unacked_at),
        "reached": rung.reached,
        "waits": waits.value,
        "looks_at": to_ms(look_at),
        "levels": [
            {
                "level": number, "after_s": level.after.total_seconds(), "departments": list(level.departments),
                "is_told": number <= rung.reached,
            }
            for number, level in enumerate(ladder.levels, 1)
        ],
    }  # fmt: skip


def to_route(route: Route, depth: int) -> dict[str, Any]:
    """Give a route of the tree, without those below it."""
    return {
        "id": route.route_id, "depth": depth, "match": route.matchers.to_text(),
        "departments": list(route.departments), "group_by": list(route.group_by), "continue": route.goes_on,
        "ladder": route.ladder_id, "resolved": route.wants_ends,
    }  # fmt: skip


def to_explanation(policy: Policy, labels: dict[str, str]) -> dict[str, Any]:
    """Give who is told of an alert with these labels, and what each route says to it."""
    return {
        "goes_to": [
            {"route": item.route.route_id, "departments": list(item.route.departments), "group": item.group_key}
            for item in policy.route(labels)
        ],
        "steps": [
            {"route": step.route_id, "depth": step.depth, "refused_by": step.refused_by}
            for step in policy.explain(labels)
        ],
    }
