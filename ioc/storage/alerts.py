"""The store's alerts: the engine's decisions and the operators' actions end here, one journal for both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import psycopg
from psycopg import AsyncConnection

from alerts.notification.register import RegisterEntry, place
from ioc.domain import alert_machines
from ioc.domain.alerts import Alert, AlertChange, AlertEvent, ChangeType, Severity
from ioc.errors import InvalidRequestError, NotFoundError, RevisionConflictError
from ioc.storage.alert_rows import JournalEntry, fetch_alerts, fetch_events, write_entries
from ioc.storage.pool import Database, cut_after, translated_errors
from ioc.storage.register import read_register
from ioc.storage.statements import load_statements

_SQL = load_statements("alerts")
CHANNEL = "alert_event"
PAGE = 1_000
_ASK_REGISTER = frozenset({ChangeType.FIRED, ChangeType.SEVERITY})
_MOVE_UNDER_REGISTER = frozenset({ChangeType.UNSHELVED, ChangeType.SEVERITY_SET})
REPORT_PAGE = 500
"""Entries that a report takes at once: a page is decoded on the loop, which others wait for."""
FOLLOW_DEADLINE = timedelta(seconds=10)
"""Within this a follower's question is answered, or its connection is given up."""


Enqueue = Callable[[AsyncConnection, Sequence[JournalEntry], Sequence[AlertEvent]], Awaitable[None]]
"""Writes the deliveries that follow from journal entries, in the same transaction (``ioc.storage.outbox``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertPage:
    """One page of alerts, newest first. ``next_cursor`` is None on the last."""

    items: Sequence[Alert]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFilter:
    """Which alerts a page shows; None means any."""

    open_only: bool = True
    rule_id: str | None = None
    asset_id: str | None = None
    unit_code: str | None = None
    severity: str | None = None


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


class AlertWriter:
    """Applies the engine's decisions inside the worker's transaction."""

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
        if entries:
            events = await write_entries(connection, entries)
            await self._enqueue(connection, entries, events)


class PostgresAlertStore:
    """Alerts for the API: lists, the journal, operators' actions, and the stream that walls follow."""

    def __init__(self, database: Database, enqueue: Enqueue) -> None:
        self._database, self._enqueue = database, enqueue

    async def open_alerts(self, *, limit: int = 20_000) -> list[Alert]:
        """Give every alert that is still on the operators' list, newest first."""
        async with self._database.connection() as connection:
            return await fetch_alerts(connection, "open", {"limit": limit})

    async def alerts_touched_since(self, since: datetime, *, limit: int = 50_000) -> list[Alert]:
        """Give the alerts that were acknowledged, or ended, since an instant."""
        async with self._database.connection() as connection:
            return await fetch_alerts(connection, "touched_since", {"since": since, "limit": limit})

    async def page(self, which: AlertFilter, *, limit: int, cursor: str | None = None) -> AlertPage:
        """Give one page.

        Raises:
            InvalidRequestError: the cursor is not one of ours.
        """
        started_at, alert_id = _read_cursor(cursor)
        parameters = {
            "open_only": which.open_only, "rule_id": which.rule_id, "asset_id": which.asset_id,
            "unit_code": which.unit_code, "severity": which.severity, "after_started_at": started_at,
            "after_alert_id": alert_id, "limit": limit + 1,
        }  # fmt: skip
        async with self._database.connection() as connection:
            found = await fetch_alerts(connection, "page", parameters)
        items = found[:limit]
        last = items[-1] if len(found) > limit else None
        return AlertPage(items=items, next_cursor=f"{last.started_at.isoformat()}|{last.alert_id}" if last else None)

    async def get(self, alert_id: UUID) -> Alert:
        """Give one alert.

        Raises:
            NotFoundError: there is none with this id.
        """
        async with self._database.connection() as connection:
            found = await fetch_alerts(connection, "get", {"alert_id": alert_id})
        if not found:
            raise NotFoundError("alert", str(alert_id))
        return found[0]

    async def events(self, alert_id: UUID, *, limit: int = PAGE) -> list[AlertEvent]:
        """Give the newest part of an alert's journal, oldest first."""
        async with self._database.connection() as connection:
            found = await fetch_events(connection, "events_of", {"alert_id": alert_id, "limit": limit})
        return found[::-1]

    async def inputs(self, alert_id: UUID, *, limit: int = PAGE) -> dict[int, list[str]]:
        """Give, by revision, the ids (hex) of the events that the engine's decisions rest on, newest last."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(_SQL["inputs_of"], {"alert_id": alert_id, "limit": limit})
            return {revision: [item.hex for item in ids] for revision, ids in await cursor.fetchall()}

    async def last_event_id(self) -> int:
        """Give the id of the newest journal entry of all alerts; 0 when there is none."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(_SQL["last_event_id"])).fetchone()
        return int(row[0]) if row else 0

    async def events_after(self, event_id: int, *, limit: int = PAGE) -> list[AlertEvent]:
        """Give the journal entries behind ``event_id`` in the order in which they were committed."""
        async with self._database.connection() as connection:
            return await fetch_events(connection, "events_after", {"after": event_id, "limit": limit})

    async def events_between(
        self, start: datetime, end: datetime, *, page: int = REPORT_PAGE
    ) -> AsyncIterator[list[AlertEvent]]:
        """Give the journal of a time in pages, in the order in which entries were committed."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(_SQL["span_between"], {"start": start, "end": end})).fetchone()
        if row is None or row[0] is None:
            return
        wanted = {"after": row[0] - 1, "last": row[1], "limit": page}
        while wanted["after"] < wanted["last"]:
            async with self._database.connection() as connection:
                found = await fetch_events(connection, "events_of_span", wanted)
            if not found:
                return
            wanted["after"] = found[-1].event_id
            # Between its first and last entry lie some of other times: clocks of partitions and people are not one.
            yield [entry for entry in found if start <= entry.at < end]

    async def open_at(self, at: datetime, *, limit: int = 20_000) -> list[Alert]:
        """Give the alerts that were on the operators' list at an instant, as they stood then."""
        async with self._database.connection() as connection:
            found = await fetch_events(connection, "standing_at", {"at": at, "limit": limit})
        return [entry.alert for entry in found if entry.alert.is_open]

    async def follow(self, after: int) -> AsyncIterator[list[AlertEvent]]:
        """Give journal entries behind ``after`` as they are committed, without end.

        The database's notification wakes the reader at once; a look once a second makes up for one that was missed.

        Raises:
            StoreUnavailableError: the database went away; follow again from the last id seen.
        """
        limit_s = FOLLOW_DEADLINE.total_seconds()
        with translated_errors():
            connection = await psycopg.AsyncConnection.connect(self._database.conninfo, autocommit=True)
        try:
            with translated_errors(), cut_after(connection, limit_s):
                await connection.execute(f"LISTEN {CHANNEL}")
            while True:
                with translated_errors(), cut_after(connection, limit_s):
                    found = await fetch_events(connection, "events_after", {"after": after, "limit": PAGE})
                if found:
                    after = found[-1].event_id
                    yield found
                if len(found) < PAGE:
                    with translated_errors(), cut_after(connection, limit_s):
                        async for _ in connection.notifies(timeout=1.0, stop_after=1):
                            pass
        finally:
            await asyncio.shield(connection.close())

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
                to=action.to, severity=action.severity,
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

    async def acknowledge_returned(self, *, ended_before: datetime, now: datetime, limit: int = PAGE) -> int:
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


def _expire(alert: Alert, change: AlertChange) -> JournalEntry:
    """End an open occurrence that the engine no longer knows, because a new one of the same condition has begun."""
    ended = alert_machines.expire(alert, at=change.decided_at)
    return JournalEntry(
        type=ChangeType.RESOLVED, at=change.decided_at, alert=ended, previous=alert, reason=str(ended.resolve_reason)
    )


def _to_entry(change: AlertChange, alert: Alert, *, previous: Alert | None) -> JournalEntry:
    return JournalEntry(
        type=change.type, at=change.decided_at, alert=alert, previous=previous,
        reason=str(change.reason) if change.reason else None, input_ids=change.input_ids,
    )  # fmt: skip


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


def _comes_to_list(current: Alert | None, change: AlertChange) -> bool:
    """Whether a decision brings an alert to the operators' list without being one that opens it."""
    return change.type is not ChangeType.RESOLVED and (current is None or (current.shadow and not change.shadow))


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


def _read_cursor(cursor: str | None) -> tuple[datetime | None, UUID | None]:
    if cursor is None:
        return None, None
    started, _, alert_id = cursor.partition("|")
    try:
        return datetime.fromisoformat(started), UUID(alert_id)
    except ValueError as error:
        raise InvalidRequestError("bad_cursor", "the cursor is not one that this list gave") from error
