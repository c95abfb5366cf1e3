"""What people do to alerts, and what time does: against the revision that was seen, and with its journal entry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from psycopg import AsyncConnection

from alerts.notification.register import RegisterEntry, place
from ioc.domain import alert_machines
from ioc.domain.alerts import Alert, ChangeType, Severity
from ioc.errors import InvalidRequestError, NotFoundError, RevisionConflictError
from ioc.storage.alert_rows import Enqueue, JournalEntry, fetch_alerts, fetch_events, write_entries
from ioc.storage.pool import Database
from ioc.storage.register import read_register
from ioc.storage.statements import load_statements

_SQL = load_statements("alerts")
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
    idempotency_key: str | None = None
    check: Callable[[Alert], None] | None = None


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
        self._database, self._enqueue, self._longest_shelf = database, enqueue, longest_shelf

    async def act(self, alert_id: UUID, action: Action) -> Alert:
        """Do what an operator asks, once per ``idempotency_key``, against the revision that they saw.

        Raises:
            NotFoundError: there is no such alert.
            RevisionConflictError: somebody was first; the error carries the alert as it is now.
            RefusedActionError: the action does not fit the alert's state, or lacks what it needs.
            InvalidRequestError: the key was used for something else.
        """
        async with self._database.transaction() as connection:
            register: list[RegisterEntry] = []
            if action.type in _MOVE_UNDER_REGISTER:
                register = await read_register(connection)
            current, done = await lock_asked(connection, alert_id, action)
            if done is not None:
                return done
            if action.check is not None:
                action.check(current)
            alert = alert_machines.act(
                current, action.type, actor=action.actor, at=action.at, reason=action.reason, until=action.until,
                to=action.to, severity=action.severity, longest_shelf=self._longest_shelf,
            )  # fmt: skip
            if action.type in _MOVE_UNDER_REGISTER:
                alert = place(alert, current, register)
            entry = JournalEntry(
                type=action.type, at=action.at, alert=alert, previous=current, actor=action.actor, reason=action.reason
            )
            events = await write_entries(connection, [entry])
            await self._enqueue(connection, [entry], events)
            await note_done(connection, action, alert)
            return alert

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

    async def forget_actions(self, *, now: datetime) -> None:
        """Drop idempotency keys older than a day."""
        async with self._database.connection() as connection:
            await connection.execute(_SQL["forget_actions"], {"before": now - timedelta(days=1)})


async def lock_asked(connection: AsyncConnection, alert_id: UUID, action: Action) -> tuple[Alert, Alert | None]:
    """Lock the alert of an action; give it, and what a request with the same key answered, if there was one.

    Raises:
        NotFoundError: there is no such alert.
        RevisionConflictError: somebody was first; the error carries the alert as it is now.
        InvalidRequestError: the key was used for something else.
    """
    # The lock comes first: of two equal requests at once, the second sees here what the first one did.
    found = await fetch_alerts(connection, "lock_one", {"alert_id": alert_id})
    if not found:
        raise NotFoundError("alert", str(alert_id))
    done = await _find_done(connection, alert_id, action)
    if done is None and found[0].revision != action.expected_revision:
        raise RevisionConflictError(expected=action.expected_revision, current=found[0])
    return found[0], done


async def note_done(connection: AsyncConnection, action: Action, alert: Alert) -> None:
    """Keep what a request with a key answered."""
    if action.idempotency_key is not None:
        await connection.execute(
            _SQL["note_action"],
            {
                "actor": action.actor, "idempotency_key": action.idempotency_key, "alert_id": alert.alert_id,
                "revision": alert.revision, "at": action.at,
            },
        )  # fmt: skip


async def _find_done(connection: AsyncConnection, alert_id: UUID, action: Action) -> Alert | None:
    """Give what a request with the same Idempotency-Key answered."""
    if action.idempotency_key is None:
        return None
    wanted = {"actor": action.actor, "idempotency_key": action.idempotency_key}
    found = await fetch_events(connection, "find_action", wanted)
    if not found:
        return None
    if (found[0].alert_id, found[0].type) != (alert_id, action.type):
        raise InvalidRequestError("idempotency_key_reused", "this Idempotency-Key was used for something else")
    return found[0].alert
