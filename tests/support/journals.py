"""A journal made by hand, by the machines that make the real one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from ioc.domain import alert_machines
from ioc.domain.alerts import Alert, AlertChange, AlertEvent, ChangeType
from tests.support.alerts import at


class HandMadeJournal:
    """Takes the engine's decisions and people's actions, and keeps the entries that follow."""

    def __init__(self) -> None:
        self.entries: list[AlertEvent] = []
        self.alerts: dict[UUID, Alert] = {}

    def say(self, change: AlertChange) -> UUID:
        """The engine decides."""
        for alert in alert_machines.decide_condition(self.alerts.get(change.alert_id), change):
            self._add(change.type, change.decided_at, alert, None, None)
        return change.alert_id

    def do(self, alert_id: UUID, action: ChangeType, minute: float, *, actor: str = "lan", **others: Any) -> None:
        """A person acts."""
        alert = alert_machines.act(self.alerts[alert_id], action, actor=actor, at=at(minute), **others)
        self._add(action, at(minute), alert, actor, others.get("reason"))

    def end_shelf(self, alert_id: UUID, minute: float) -> None:
        """The shelf's time is over."""
        alert = alert_machines.unshelve(self.alerts[alert_id], None, at(minute))
        self._add(ChangeType.UNSHELVED, at(minute), alert, None, "expired")

    def standing(self, minute: float) -> list[Alert]:
        """The operators' list at an instant, as the store gives it."""
        newest: dict[UUID, Alert] = {}
        for entry in self.entries:
            if entry.at < at(minute):
                newest[entry.alert_id] = entry.alert
        return [alert for alert in newest.values() if alert.is_open]

    def _add(self, kind: ChangeType, when: Any, alert: Alert, actor: str | None, reason: str | None) -> None:
        self.alerts[alert.alert_id] = alert
        self.entries.append(
            AlertEvent(
                event_id=len(self.entries) + 1, alert_id=alert.alert_id, revision=alert.revision, type=kind, at=when,
                actor=actor, reason=reason, alert=alert,
            )
        )  # fmt: skip
