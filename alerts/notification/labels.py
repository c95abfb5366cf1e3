"""What the policy matches an alert by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from alerts.language.documents import suggest
from ioc.domain.alerts import Alert, Severity

Labels = Mapping[str, str]
"""Names and values of an alert; one that is missing matches as if it were empty."""

NAMES = ("severity", "rule", "feed", "kind", "asset", "unit", "zone")
"""Labels that every alert may have."""

IDENTITY_NAMES = ("blackout", "direction", "no_data", "quantity", "reception", "scope", "trip", "warning")
"""What tells alerts of some rules apart, beside ``NAMES``."""


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


def read_labels(texts: Iterable[str]) -> dict[str, str]:
    """Read labels such as ``rule=crowd.density``.

    Raises:
        ValueError: one is not written so, no alert has its name, or a severity is none.
    """
    found = {}
    for text in texts:
        name, is_pair, value = text.partition("=")
        if not name or not is_pair:
            raise ValueError(f"{text!r}: write LABEL=VALUE, such as rule=crowd.density")
        found[name] = value
    if (unknown := explain_unknown(found)) is not None:
        raise ValueError(unknown)
    severity = found.get("severity")
    if severity is not None and severity not in list(Severity):
        raise ValueError(f"severity={severity}: one of {', '.join(Severity)}")
    return found


def explain_unknown(names: Iterable[str]) -> str | None:
    """Say which names no alert has; None if all are known.

    A matcher of a name that nothing has holds for nothing, or, turned round, for everything.
    """
    known = (*NAMES, *IDENTITY_NAMES)
    for name in names:
        if name not in known:
            return f"no label {name!r}" + (suggest(name, known) or f"; labels are {', '.join(known)}")
    return None
