"""How the domain looks on the wire: the same rows on REST and on the wall's socket."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from alerts.fingerprints import fnv1a_fingerprint
from alerts.rulebook.lateness import LatenessMarks
from ioc.domain.alerts import Alert, AlertEvent
from ioc.domain.ids import format_event_id
from ioc.ports import Clock
from ioc.storage.series import Reading

ALERT_FIELDS = (
    "id", "rev", "severity", "condition", "operator", "rule_id", "asset_id", "unit_code", "zone_id", "title_vi",
    "title_en", "detail_vi", "detail_en", "value", "limit", "quantity_unit", "lon", "lat", "observed_at", "started_at",
    "decided_at", "ended_at", "acked_by", "acked_at", "labels", "flapping", "flip_count", "assigned_to",
    "suppressed_until",
)  # fmt: skip
"""Fields of an alert's row on the channel ``alerts``, in order."""


def to_ms(at: datetime | None) -> int | None:
    """Give an instant in milliseconds since the epoch, as the wire has them."""
    return None if at is None else round(at.timestamp() * 1000)


def now_ms(clock: Clock) -> int:
    """Give a clock's present instant as the wire has instants."""
    return round(clock.now().timestamp() * 1000)


def to_alert(alert: Alert) -> dict[str, Any]:
    """Give an alert as REST shows it: with its fingerprint, and that as Alertmanager would write it."""
    return {
        **_show(alert),
        "fingerprint": alert.fingerprint.hex(),
        "fingerprint_fnv1a": f"{fnv1a_fingerprint(alert.labels):016x}",
    }


def _show(alert: Alert) -> dict[str, Any]:
    """Give an alert with every field of its row, and more that the journal keeps."""
    return {
        "id": str(alert.alert_id),
        "rev": alert.revision,
        "severity": alert.severity.value,
        "condition": alert.condition.value,
        "operator": alert.operator.value,
        "rule_id": alert.rule_id,
        "asset_id": alert.asset_id,
        "unit_code": alert.unit_code,
        "zone_id": alert.zone_id,
        "title_vi": alert.title_vi,
        "title_en": alert.title_en,
        "detail_vi": alert.detail_vi,
        "detail_en": alert.detail_en,
        "value": alert.value,
        "limit": alert.limit,
        "quantity_unit": alert.quantity_unit,
        "lon": alert.lon_deg,
        "lat": alert.lat_deg,
        "observed_at": to_ms(alert.observed_at),
        "started_at": to_ms(alert.started_at),
        "decided_at": to_ms(alert.decided_at),
        "ended_at": to_ms(alert.ended_at),
        "acked_by": alert.acked_by,
        "acked_at": to_ms(alert.acked_at),
        "labels": dict(alert.labels),
        "assigned_to": alert.assigned_to,
        "suppressed_until": to_ms(alert.suppressed_until),
        "suppression_id": None if alert.suppression_id is None else str(alert.suppression_id),
        "rule_severity": (alert.rule_severity or alert.severity).value,
        "severity_by": alert.severity_by,
        "received_at": to_ms(alert.received_at),
        "shelved_until": to_ms(alert.shelved_until),
        "resolve_reason": alert.resolve_reason.value if alert.resolve_reason else None,
        "rule_version": alert.rule_version,
        "feed_id": alert.feed_id,
        "shadow": alert.shadow,
        "flapping": alert.flapping,
        "flip_count": alert.flip_count,
        "kind": alert.kind,
    }


def to_alert_row(alert: Alert) -> list[Any]:
    """Give an alert's row on the channel ``alerts``."""
    shown = _show(alert)
    return [shown[name] for name in ALERT_FIELDS]


def to_alert_event(event: AlertEvent) -> dict[str, Any]:
    """Give a journal entry as the wall and REST have it."""
    return {
        "event_id": event.event_id,
        "type": event.type.value,
        "at": to_ms(event.at),
        "actor": event.actor,
        "reason": event.reason,
        "alert": _show(event.alert),
    }


def to_reading(reading: Reading, marks: LatenessMarks) -> dict[str, Any]:
    """Give a reading as REST has it, marked with the rules that do not judge it because it came too late for them."""
    delay = reading.received_at - reading.observed_at
    return {
        "event_id": format_event_id(reading.event_id),
        "kind": reading.kind,
        "asset_id": reading.asset_id,
        "unit_code": reading.unit_code,
        "feed_id": reading.feed_id,
        "observed_at": to_ms(reading.observed_at),
        "received_at": to_ms(reading.received_at),
        "delay_s": delay.total_seconds(),
        "late_for": marks.late_for(reading.kind, delay),
        "quality": int(reading.quality),
        "lon": reading.lon_deg,
        "lat": reading.lat_deg,
        "values": dict(reading.values),
    }
