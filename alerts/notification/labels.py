"""What the policy matches an alert by."""

from __future__ import annotations

from collections.abc import Mapping

from ioc.domain.alerts import Alert

Labels = Mapping[str, str]
"""Names and values of an alert; one that is missing matches as if it were empty."""

NAMES = ("severity", "rule", "feed", "kind", "asset", "unit", "zone")
"""Labels that every policy may use; a rule's own identity labels come beside them."""


def labels_of(alert: Alert) -> dict[str, str]:
    """Give an alert's labels: those of its identity, and what it is about as it stands now."""
    found = {
        "severity": alert.severity.value,
        "rule": alert.rule_id,
        "feed": alert.feed_id,
        "kind": alert.kind,
        "asset": alert.asset_id,
        "unit": alert.unit_code,
        "zone": alert.zone_id,
    }
    return {**dict(alert.labels), **{name: value for name, value in found.items() if value}}
