"""Entries of the register of suppressions: made and ended with the alerts that they hold, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from psycopg import AsyncConnection

from alerts.notification.matchers import Matchers
from alerts.notification.register import LONGEST, RegisterEntry, find_cover, name_condition
from ioc.domain.alerts import Alert, ChangeType, OperatorState
from ioc.domain.supervision import release, require, suppress
from ioc.errors import NotFoundError, RefusedActionError
from ioc.storage.alert_actions import Action, lock_asked
from ioc.storage.alert_rows import Enqueue, JournalEntry, to_alert, write_entries
from ioc.storage.pool import Database
from ioc.storage.register import fetch_running, lock_register
from ioc.storage.statements import fetch_rows, load_statements

_SQL = load_statements("suppressions")
MOST_RUNNING = 1_000
"""Each new alert is held against every running entry."""


class SuppressionStore:
    """The register, for the API and for the job that ends what is over.

    Args:
        database: the store.
        enqueue: writes the deliveries that follow from what happens to alerts.
    """

    def __init__(self, database: Database, enqueue: Enqueue) -> None:
        self._database, self._enqueue = database, enqueue

    async def entries(self, *, with_ended: bool, limit: int = 1_000) -> Sequence[Mapping[str, Any]]:
        """Give entries, the newest first, each with how many alerts it holds now."""
        async with self._database.connection() as connection:
            return await _rows(connection, "list", suppression_id=None, with_ended=with_ended, limit=limit)

    async def entry(self, suppression_id: UUID) -> Mapping[str, Any]:
        """Give one entry.

        Raises:
            NotFoundError: there is none with this id.
        """
        async with self._database.connection() as connection:
            found = await _rows(connection, "list", suppression_id=suppression_id, with_ended=True, limit=1)
        if not found:
            raise NotFoundError("suppression", str(suppression_id))
        return found[0]

    async def add(
        self, matchers: Matchers, *, state: OperatorState, ends_at: datetime, author: str, reason: str, now: datetime
    ) -> Mapping[str, Any]:
        """Take what matches off the list from now on: what is open goes there, what opens later opens there.

        Raises:
            RefusedActionError: too many entries run.
        """
        entry = _make_entry(matchers, state=state, ends_at=ends_at, author=author, reason=reason, now=now)
        async with self._database.transaction() as connection:
            await lock_register(connection)
            await self._begin(connection, entry)
        return await self.entry(entry.suppression_id)

    async def end(self, suppression_id: UUID, *, actor: str, reason: str, now: datetime) -> Mapping[str, Any]:
        """End an entry; one that has ended stays as it is. What no other entry covers goes back to the operators.

        Raises:
            NotFoundError: there is none with this id.
        """
        async with self._database.transaction() as connection:
            await lock_register(connection)
            await self._end(connection, [suppression_id], actor=actor, reason=reason, now=now)
        return await self.entry(suppression_id)

    async def end_due(self, *, now: datetime) -> int:
        """End the entries whose time is over; give how many. Replicas may share it."""
        async with self._database.connection() as connection:
            if not await _rows(connection, "due", now=now):
                return 0
        async with self._database.transaction() as connection:
            await lock_register(connection)
            due = [row["suppression_id"] for row in await _rows(connection, "due", now=now)]
            await self._end(connection, due, actor=None, reason="expired", now=now)
        return len(due)

    async def hold_alert(self, alert_id: UUID, action: Action) -> Alert:
        """Take the condition of one alert off the list, by an entry that names only that.

        Raises:
            NotFoundError: there is no such alert.
            RevisionConflictError: somebody was first; the error carries the alert as it is now.
            RefusedActionError: it does not fit the alert's state, or the reason or the end is missing or not allowed.
        """
        async with self._database.transaction() as connection:
            await lock_register(connection)
            current = await lock_asked(connection, alert_id, action)
            reason, until = _check(action)
            entry = _make_entry(
                name_condition(current), state=OperatorState(action.type.value), ends_at=until, author=action.actor,
                reason=reason, now=action.at,
            )  # fmt: skip
            suppress(current, entry.hold)
            return _find_moved(await self._begin(connection, entry), alert_id)

    async def return_alert(self, alert_id: UUID, action: Action) -> Alert:
        """Give one alert back to the operators by ending the entries that name only its condition.

        Raises:
            NotFoundError, RevisionConflictError: as ``hold_alert``.
            RefusedActionError: nothing holds it, the reason is missing, or an entry holds it that holds others too.
        """
        async with self._database.transaction() as connection:
            await lock_register(connection)
            current = await lock_asked(connection, alert_id, action)
            release(current)
            require(action.reason, "reason_required", "giving an alert back needs a reason")
            # The entry that holds it need not cover it any more: what moves to another unit stays under it.
            covering = [
                entry
                for entry in await fetch_running(connection)
                if entry.covers(current) or entry.suppression_id == current.suppression_id
            ]
            for entry in covering:
                if not entry.names_only(current):
                    raise RefusedActionError(
                        "held_with_others",
                        f"entry {entry.suppression_id} of {entry.author} holds it together with others"
                        f" ({entry.matchers.to_text()}); end that in the register",
                        suppression_id=str(entry.suppression_id),
                    )
            ids = [entry.suppression_id for entry in covering]
            moved = await self._end(
                connection, ids, actor=action.actor, reason=str(action.reason), now=action.at
            )  # fmt: skip
            return _find_moved(moved, alert_id)

    async def _begin(self, connection: AsyncConnection, entry: RegisterEntry) -> list[JournalEntry]:
        if len(await fetch_running(connection)) >= MOST_RUNNING:
            raise RefusedActionError("too_many_suppressions", f"{MOST_RUNNING} entries run already; end some first")
        row = {name: getattr(entry, name) for name in ("suppression_id", "starts_at", "ends_at", "author", "reason")}
        more = {"state": entry.state.value, "matchers": entry.matchers.to_text(), "created_at": entry.created_at}
        await connection.execute(_SQL["add"], {**row, **more})
        rule_id = next(
            (item.value for item in entry.matchers.items if (item.name, item.operator) == ("rule", "=")), None
        )
        found = [to_alert(row) for row in await _rows(connection, "open_candidates", rule_id=rule_id)]
        alert_ids = [alert.alert_id for alert in found if entry.covers(alert)]
        # Only what it covers is locked; what moved away meanwhile is looked at once more behind the lock.
        locked = await _rows(connection, "lock_alerts", alert_ids=alert_ids) if alert_ids else []
        return await self._write(
            connection,
            [
                _note(alert, suppress(alert, entry.hold), entry, at=entry.starts_at, actor=entry.author)
                for alert in map(to_alert, locked)
                if entry.covers(alert)
            ],
        )

    async def _end(
        self,
        connection: AsyncConnection,
        suppression_ids: Sequence[UUID],
        *,
        actor: str | None,
        reason: str,
        now: datetime,
    ) -> list[JournalEntry]:
        """End entries; what another covers goes under that, the rest goes back."""
        wanted = {"suppression_ids": list(suppression_ids), "actor": actor, "reason": reason, "now": now}
        ended = [row["suppression_id"] for row in await _rows(connection, "end", **wanted)]
        if not ended:
            return []
        running, moves = await fetch_running(connection), []
        for alert in map(to_alert, await _rows(connection, "lock_held", suppression_ids=ended)):
            if (cover := find_cover(running, alert)) is not None:
                moves.append(_note(alert, suppress(alert, cover.hold), cover, at=now, actor=actor))
            else:
                moves.append(
                    JournalEntry(
                        type=ChangeType.RETURNED, at=now, alert=release(alert), previous=alert, actor=actor,
                        reason=reason,
                    )
                )  # fmt: skip
        return await self._write(connection, moves)

    async def _write(self, connection: AsyncConnection, moves: list[JournalEntry]) -> list[JournalEntry]:
        if moves:
            await self._enqueue(connection, moves, await write_entries(connection, moves))
        return moves


def _make_entry(
    matchers: Matchers, *, state: OperatorState, ends_at: datetime, author: str, reason: str, now: datetime
) -> RegisterEntry:
    return RegisterEntry(
        suppression_id=uuid4(), state=state, matchers=matchers, starts_at=now, ends_at=ends_at, author=author,
        reason=reason, created_at=now,
    )  # fmt: skip


def _find_moved(moves: Sequence[JournalEntry], alert_id: UUID) -> Alert:
    return next(move.alert for move in moves if move.alert.alert_id == alert_id)


def _check(action: Action) -> tuple[str, datetime]:
    require(action.reason, "reason_required", "taking a condition off the list needs a reason")
    if action.until is None or action.until <= action.at:
        raise RefusedActionError("until_required", "taking a condition off the list needs an end that lies ahead")
    if action.until - action.at > LONGEST:
        raise RefusedActionError("until_too_late", f"a condition can be off the list for {LONGEST.days} days at most")
    return str(action.reason), action.until


def _note(before: Alert, after: Alert, entry: RegisterEntry, *, at: datetime, actor: str | None) -> JournalEntry:
    return JournalEntry(
        type=ChangeType(entry.state.value), at=at, alert=after, previous=before, actor=actor, reason=entry.reason
    )


async def _rows(connection: AsyncConnection, name: str, **wanted: object) -> list[dict[str, Any]]:
    return await fetch_rows(connection, _SQL[name], wanted)
