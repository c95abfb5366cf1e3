"""What people do to alerts, and what time does: against the revision that was seen, and with its journal entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from alerts.notification.register import RegisterEntry, place
from ioc.domain import alert_machines
from ioc.domain.alerts import Alert, ChangeType, Severity
from ioc.errors import IocError, NotFoundError, RefusedActionError, RevisionConflictError
from ioc.storage.alert_rows import Enqueue, JournalEntry, fetch_alerts, write_entries
from ioc.storage.pool import Database
from ioc.storage.register import read_register

_MOVE_UNDER_REGISTER = frozenset({ChangeType.UNSHELVED, ChangeType.SEVERITY_SET})
_MOST_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What an operator wants to do to an alert that they saw at ``expected_revision``.

    ``check`` looks at the alert behind its lock and refuses by raising.
    """

    type: ChangeType
    actor: str
    at: datetime
    expected_revision: int
    reason: str | None = None
    until: datetime | None = None
    to: str | None = None
    severity: Severity | None = None
    check: Callable[[Alert], None] | None = None

    def to_detail(self, alert: Alert) -> dict[str, Any]:
        """Give what the audit log keeps of it beside who, when and on what; ``alert`` is as it became."""
        given = {"reason": self.reason, "until": None if self.until is None else self.until.isoformat()}
        return {"revision": alert.revision} | {name: value for name, value in given.items() if value is not None}


class AlertActions:
    """Moves single alerts; those that the register of suppressions moves are in ``ioc.storage.suppressions``.

    Args:
        database: the store.
        enqueue: writes the deliveries that follow from what happens to alerts.
        longest_shelf: how long an alert may be shelved.
    """

    def __init__(
        self, database: Database, enqueue: Enqueue, *, longest_shelf: timedelta = alert_machines.LONGEST_SHELF
    ) -> None:
        self._database, self._enqueue, self.longest_shelf = database, enqueue, longest_shelf

    async def act(self, alert_id: UUID, action: Action) -> Alert:
        """Do what an operator asks, against the revision that they saw.

        Raises:
            NotFoundError: there is no such alert.
            RevisionConflictError: somebody was first; the error carries the alert as it is now.
            RefusedActionError: the action does not fit the alert's state, or lacks what it needs.
        """
        async with self._database.transaction() as connection:
            register: list[RegisterEntry] = []
            if action.type in _MOVE_UNDER_REGISTER:
                register = await read_register(connection)
            current = await lock_asked(connection, alert_id, action)
            if action.check is not None:
                action.check(current)
            alert = alert_machines.act(
                current, action.type, actor=action.actor, at=action.at, reason=action.reason, until=action.until,
                to=action.to, severity=action.severity, longest_shelf=self.longest_shelf,
            )  # fmt: skip
            if action.type in _MOVE_UNDER_REGISTER:
                alert = place(alert, current, register)
            entry = JournalEntry(
                type=action.type, at=action.at, alert=alert, previous=current, actor=action.actor, reason=action.reason
            )
            events = await write_entries(connection, [entry])
            await self._enqueue(connection, [entry], events)
            return alert

    async def acknowledge_several(self, asked: Mapping[UUID, Action]) -> Mapping[UUID, Alert | IocError]:
        """Acknowledge alerts together, each for itself: give each as it is now, or what stood in its way."""
        results: dict[UUID, Alert | IocError] = {}
        async with self._database.transaction() as connection:
            found = await fetch_alerts(connection, "lock_named", {"alert_ids": list(asked)})
            known = {alert.alert_id: alert for alert in found}
            entries = []
            for alert_id, action in asked.items():
                try:
                    entry = _acknowledge(_as_seen(known.get(alert_id), alert_id, action), action)
                except (NotFoundError, RefusedActionError, RevisionConflictError) as refusal:
                    results[alert_id] = refusal
                else:
                    entries.append(entry)
                    results[alert_id] = entry.alert
            if entries:
                await self._enqueue(connection, entries, await write_entries(connection, entries))
        return results

    async def end_shelves(self, *, now: datetime) -> int:
        """Take alerts whose shelf is over off it; give how many."""
        count = 0
        async with self._database.transaction() as connection:
            register = await read_register(connection)
            for current in await fetch_alerts(connection, "lock_over_shelves", {"now": now}):
                alert = place(alert_machines.unshelve(current, None, now), current, register)
                entry = JournalEntry(type=ChangeType.UNSHELVED, at=now, alert=alert, previous=current, reason="expired")
                events = await write_entries(connection, [entry])
                await self._enqueue(connection, [entry], events)
                count += 1
        return count

    async def acknowledge_returned(self, *, ended_before: datetime, now: datetime, limit: int = _MOST_AT_ONCE) -> int:
        """Take alerts off the list that ended long ago and need nobody to take note; give how many."""
        wanted = {"before": ended_before, "severities": list(alert_machines.LEFT_TO_TIME), "limit": limit}
        async with self._database.transaction() as connection:
            entries = [
                JournalEntry(
                    type=ChangeType.ACKNOWLEDGED, at=now, previous=current, reason="returned",
                    alert=alert_machines.acknowledge_returned(current, at=now),
                )
                for current in await fetch_alerts(connection, "lock_long_returned", wanted)
            ]  # fmt: skip
            if entries:
                await self._enqueue(connection, entries, await write_entries(connection, entries))
        return len(entries)


async def lock_asked(connection: AsyncConnection, alert_id: UUID, action: Action) -> Alert:
    """Lock the alert of an action.

    Raises:
        NotFoundError: there is no such alert.
        RevisionConflictError: somebody was first; the error carries the alert as it is now.
    """
    found = await fetch_alerts(connection, "lock_named", {"alert_ids": [alert_id]})
    return _as_seen(found[0] if found else None, alert_id, action)


def _as_seen(current: Alert | None, alert_id: UUID, action: Action) -> Alert:
    if current is None:
        raise NotFoundError("alert", str(alert_id))
    if current.revision != action.expected_revision:
        raise RevisionConflictError(expected=action.expected_revision, current=current)
    return current


def _acknowledge(current: Alert, action: Action) -> JournalEntry:
    alert = alert_machines.act(current, action.type, actor=action.actor, at=action.at, reason=action.reason)
    return JournalEntry(
        type=action.type, at=action.at, alert=alert, previous=current, actor=action.actor, reason=action.reason
    )
