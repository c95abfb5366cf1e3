"""The engine's decisions become alerts with their journal, inside the worker's transaction."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import AsyncConnection

from alerts.notification.register import RegisterEntry, place
from ioc.domain import alert_machines
from ioc.domain.alerts import Alert, AlertChange, ChangeType
from ioc.storage.alert_rows import Enqueue, JournalEntry, fetch_alerts, write_entries
from ioc.storage.register import read_register

_ASK_REGISTER = frozenset({ChangeType.FIRED, ChangeType.SEVERITY})


class AlertWriter:
    """Applies the engine's decisions.

    Args:
        enqueue: writes the deliveries that follow from them.
    """

    def __init__(self, enqueue: Enqueue) -> None:
        self._enqueue = enqueue

    async def __call__(self, connection: AsyncConnection, changes: Sequence[AlertChange]) -> None:
        """Move alerts by a batch of decisions, in their order. A decision that was applied before changes nothing.

        The register of suppressions is read only where alerts may open or change their severity, and before any
        alert is locked: who changes the register locks alerts after it.
        """
        register = await read_register(connection) if any(change.type in _ASK_REGISTER for change in changes) else None
        known = await fetch_alerts(
            connection,
            "lock_for_changes",
            {
                "alert_ids": list({change.alert_id for change in changes}),
                "fingerprints": list({change.fingerprint for change in changes}),
            },
        )
        by_id = {alert.alert_id: alert for alert in known}
        if register is None and any(_comes_to_list(by_id.get(change.alert_id), change) for change in changes):
            register = await read_register(connection)
        entries = _move(known, changes, register)
        if entries:
            events = await write_entries(connection, entries)
            await self._enqueue(connection, entries, events)


def _move(
    known: Sequence[Alert], changes: Sequence[AlertChange], register: Sequence[RegisterEntry] | None
) -> list[JournalEntry]:
    """Give what becomes of alerts, in the order of the decisions. Of one condition one occurrence is open at a time."""
    by_id = {alert.alert_id: alert for alert in known}
    open_ids = {alert.fingerprint: alert.alert_id for alert in known if alert.ended_at is None}
    entries: list[JournalEntry] = []
    for change in changes:
        current = by_id.get(change.alert_id)
        for moved in alert_machines.decide_condition(current, change):
            alert = moved if register is None else place(moved, current, register)
            other = by_id.get(open_ids.get(alert.fingerprint, alert.alert_id), alert)
            if alert.ended_at is None and other.alert_id != alert.alert_id:
                entries.append(_expire(other, change))
                by_id[other.alert_id] = entries[-1].alert
            entries.append(_to_entry(change, alert, previous=current))
            by_id[alert.alert_id] = current = alert
            if alert.ended_at is None:
                open_ids[alert.fingerprint] = alert.alert_id
            elif open_ids.get(alert.fingerprint) == alert.alert_id:
                del open_ids[alert.fingerprint]
    return entries


def _comes_to_list(current: Alert | None, change: AlertChange) -> bool:
    """Whether a decision may bring an alert to the operators' list without being one that opens it."""
    if change.type is ChangeType.RESOLVED:
        return False
    if current is None or (current.shadow and not change.shadow):
        return True
    return current.suppression_id is not None and current.unit_code != change.unit_code


def _expire(alert: Alert, change: AlertChange) -> JournalEntry:
    """End an open occurrence that the engine no longer knows, because a new one of the same condition has begun."""
    ended = alert_machines.expire(alert, at=change.decided_at)
    return JournalEntry(
        type=ChangeType.RESOLVED, at=change.decided_at, alert=ended, previous=alert, reason=str(ended.resolve_reason)
    )


def _to_entry(change: AlertChange, alert: Alert, *, previous: Alert | None) -> JournalEntry:
    return JournalEntry(
        type=change.type, at=change.decided_at, alert=alert, previous=previous,
        reason=str(change.reason) if change.reason else None, input_ids=change.input_ids, grounds=change.grounds,
    )  # fmt: skip
