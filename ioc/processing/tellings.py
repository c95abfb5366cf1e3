"""What a department reads: one notification of a group, an escalation, or a flood in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from alerts.notification.escalation import Ladder
from alerts.notification.flood import Digest, FloodLimits, collapse, is_flood
from alerts.notification.grouping import Reason
from alerts.notification.labels import labels_of
from alerts.notification.policy import Policy
from alerts.notification.telling import Plan
from ioc.domain.alerts import Alert, Severity
from ioc.storage.notification_groups import Group
from ioc.storage.notification_ladders import Climber
from ioc.storage.notification_log import Receiver, Telling

FLOOD_MEMORY = timedelta(hours=1)
"""How far back the log of notifications is read to know whether a department is in a flood."""

_SHOWN = (
    "alert_id", "revision", "rule_id", "severity", "condition", "operator", "feed_id", "asset_id", "unit_code",
    "zone_id", "lon_deg", "lat_deg", "title_vi", "title_en", "detail_vi", "detail_en", "value", "limit",
    "quantity_unit", "started_at", "ended_at", "acked_by", "flapping", "flip_count", "kind",
)  # fmt: skip


def tell_group(
    group: Group,
    plan: Plan,
    *,
    receivers: Sequence[Receiver],
    told: dict[str, list[tuple[datetime, int]]],
    limits: FloodLimits,
    now: datetime,
) -> list[Telling]:
    """Give a notification per department of a group; ``told`` is taken on with what they are told here."""
    tellings = []
    for department in group.departments:
        history = told.setdefault(department, [])
        history.append((now, len(plan.news)))
        flood = is_flood(history, limits, now)
        firing, resolved = collapse(plan.firing, flood=flood), collapse(plan.resolved, flood=flood)
        form = "flood" if flood and (firing.collapsed or resolved.collapsed) else "group"
        body = _encode(
            f"notification.{form}", now, group.group_key, group.route_id, department, plan.verdict.reason.value,
            labels=dict(group.labels), new=plan.news, firing=firing, resolved=resolved,
        )  # fmt: skip
        tellings.append(
            Telling(
                at=now, department=department, group_id=group.group_id, group_key=group.group_key,
                route_id=group.route_id, reason=plan.verdict.reason.value, form=form,
                firing_ids=[alert.alert_id for alert in plan.firing],
                resolved_ids=[alert.alert_id for alert in plan.resolved], new_count=len(plan.news),
                receivers=_pick(receivers, department, [*plan.firing, *plan.resolved]),
                webhook_id=f"ntf_{group.group_id.hex[:16]}_{_stamp(now)}", body=body,
            )
        )  # fmt: skip
    return tellings


def tell_level(
    climber: Climber,
    ladder: Ladder,
    departments: Sequence[str],
    number: int | None,
    *,
    policy: Policy,
    receivers: Sequence[Receiver],
    now: datetime,
) -> list[Telling]:
    """Give a notification per department of one level of a ladder; without a number, that its alert has ended."""
    alert = climber.alert
    mark, reason = ("end", Reason.ALL_RESOLVED.value) if number is None else (str(number), f"level_{number}")
    firing, resolved = ([alert], []) if alert.ended_at is None else ([], [alert])
    routed = next((item for item in policy.route(labels_of(alert)) if item.route.ladder_id), None)
    key = f"{ladder.ladder_id}/{alert.alert_id}"
    return [
        Telling(
            at=now, department=department, group_id=alert.alert_id, group_key=key,
            route_id=routed.route.route_id if routed else ladder.ladder_id, reason=reason, form="escalation",
            firing_ids=[item.alert_id for item in firing], resolved_ids=[item.alert_id for item in resolved],
            new_count=len(firing), receivers=_pick(receivers, department, [alert]),
            webhook_id=f"esc_{alert.alert_id.hex[:16]}_{mark}_{_stamp(now)}",
            body=_encode(
                "notification.escalation", now, key, ladder.ladder_id, department, reason, labels=labels_of(alert),
                new=firing, firing=collapse(firing, flood=False), resolved=collapse(resolved, flood=False),
            ),
        )
        for department in departments
    ]  # fmt: skip


def _encode(
    kind: str,
    now: datetime,
    group_key: str,
    route_id: str,
    department: str,
    reason: str,
    *,
    labels: dict[str, str],
    new: Sequence[Alert],
    firing: Digest,
    resolved: Digest,
) -> bytes:
    """Write the bytes that are signed and sent: alerts one by one, or in a flood their numbers and ids."""
    new_ids = {alert.alert_id for alert in new}
    about = {"group": group_key, "route": route_id, "department": department, "reason": reason, "labels": labels}
    parts = {
        name: {
            "count": len(digest.single) + len(digest.collapsed),
            "alerts": [{**_show(alert), "is_new": alert.alert_id in new_ids} for alert in digest.single],
            "collapsed": {"counts": digest.counts, "ids": [alert.alert_id for alert in digest.collapsed]},
        }
        for name, digest in (("firing", firing), ("resolved", resolved))
    }
    return msgspec.json.encode({"type": kind, "timestamp": now, "data": {**about, **parts}})


def _show(alert: Alert) -> dict[str, Any]:
    return {name: getattr(alert, name) for name in _SHOWN}


def _pick(receivers: Sequence[Receiver], department: str, alerts: Sequence[Alert]) -> list[Any]:
    # By the highest that each has had: whoever was told of it hears what becomes of it.
    top = max((alert.severity_reached.rank for alert in alerts), default=Severity.INFO.rank)
    return [item.subscription_id for item in receivers if item.department == department and item.min_severity <= top]


def _stamp(now: datetime) -> int:
    return int(now.timestamp() * 1_000_000)
