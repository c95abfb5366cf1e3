"""Why an alert is not told now. Suppression changes notification only; the condition goes on underneath."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.notification.holds import MaintenanceWindow, Silence
from alerts.notification.inhibition import Inhibitors
from alerts.notification.labels import labels_of
from ioc.domain.alerts import Alert, OperatorState

LOOK_AT_HELD = timedelta(seconds=10)
"""What is held by something without a known end is looked at again after this."""


class Why(enum.StrEnum):
    """What keeps an alert quiet; the first that applies, in this order."""

    SHADOW = "shadow"
    OUT_OF_SERVICE = "out_of_service"
    SUPPRESSED = "suppressed"
    SHELVED = "shelved"
    MAINTENANCE = "maintenance"
    SILENCED = "silenced"
    INHIBITED = "inhibited"


@dataclass(frozen=True, slots=True)
class Suppression:
    """The reason, the entry, silence, window or alert behind it, and when it ends by itself, if that is known."""

    why: Why
    by: str
    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Holds:
    """Everything that may keep alerts quiet at an instant."""

    silences: Sequence[Silence]
    windows: Sequence[MaintenanceWindow]
    inhibitors: Inhibitors


def why_suppressed(alert: Alert, holds: Holds, at: datetime) -> Suppression | None:
    """Give why an alert is not told at an instant; None when nothing stands against it."""
    if alert.shadow:
        return Suppression(Why.SHADOW, alert.rule_id, None)
    if alert.operator in (OperatorState.OUT_OF_SERVICE, OperatorState.SUPPRESSED):
        by = str(alert.suppression_id) if alert.suppression_id is not None else alert.rule_id
        return Suppression(Why(alert.operator.value), by, alert.suppressed_until)
    if alert.operator is OperatorState.SHELVED:
        return Suppression(Why.SHELVED, str(alert.alert_id), alert.shelved_until)
    labels = labels_of(alert)
    for window in holds.windows:
        if (until := window.until(at)) is not None and window.matchers.matches(labels):
            return Suppression(Why.MAINTENANCE, window.window_id, until)
    covering = [silence for silence in holds.silences if silence.covers(labels, at)]
    if covering:
        longest = max(covering, key=lambda silence: silence.ends_at)
        return Suppression(Why.SILENCED, str(longest.silence_id), longest.ends_at)
    if (found := holds.inhibitors.find(labels)) is not None:
        return Suppression(Why.INHIBITED, str(found[1]), None)
    return None
