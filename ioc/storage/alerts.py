"""Alerts for those who look: lists, the journal, and the stream that walls follow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
import psycopg

from ioc.domain.alerts import Alert, AlertEvent
from ioc.domain.grounds import Grounds
from ioc.errors import InvalidRequestError, NotFoundError
from ioc.storage.alert_rows import fetch_alerts, fetch_events
from ioc.storage.pool import Database, cut_after, translated_errors
from ioc.storage.statements import load_statements

_SQL = load_statements("alerts")
CHANNEL = "alert_event"
PAGE = 1_000
REPORT_PAGE = 500
"""Entries that a report takes at once: a page is decoded on the loop, which others wait for."""
FOLLOW_DEADLINE = timedelta(seconds=10)
"""Within this a follower's question is answered, or its connection is given up."""


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


class PostgresAlertStore:
    """Reads alerts and their journal; nothing here changes them.

    Args:
        database: the store.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

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

    async def grounds(self, alert_id: UUID, revision: int) -> Grounds | None:
        """Give what a condition asked for when it decided; None where that decision kept nothing of it."""
        async with self._database.connection() as connection:
            wanted = {"alert_id": alert_id, "revision": revision}
            row = await (await connection.execute(_SQL["grounds_of"], wanted)).fetchone()
        return None if row is None or row[0] is None else msgspec.convert(row[0], Grounds)

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
        """Give the alerts that were open or on the operators' list at an instant, as they stood then.

        Those of rules that were in shadow then are among them.
        """
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


def _read_cursor(cursor: str | None) -> tuple[datetime | None, UUID | None]:
    if cursor is None:
        return None, None
    started, _, alert_id = cursor.partition("|")
    try:
        return datetime.fromisoformat(started), UUID(alert_id)
    except ValueError as error:
        raise InvalidRequestError("bad_cursor", "the cursor is not one that this list gave") from error
