"""Silences, and what was told to whom: the part of notification that people ask for and change."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from alerts.notification.escalation import Rung
from alerts.notification.holds import Silence
from alerts.notification.matchers import Matchers
from ioc.domain.alerts import Alert
from ioc.errors import NotFoundError
from ioc.storage.alert_rows import to_alert
from ioc.storage.pool import Database
from ioc.storage.statements import fetch_rows, load_statements

_SQL = load_statements("notifications")
MOST_FIRING = 20_000


class NotificationStore:
    """Silences and the log of notifications."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def silences(self, *, over_since: datetime | None, limit: int = 1_000) -> list[dict[str, Any]]:
        """Give silences, the latest first; with ``over_since`` only those that end after it."""
        return await self._rows("silences", {"silence_id": None, "over_since": over_since, "limit": limit})

    async def silence(self, silence_id: UUID) -> Mapping[str, Any]:
        """Give one silence.

        Raises:
            NotFoundError: there is none with this id.
        """
        found = await self._rows("silences", {"silence_id": silence_id, "over_since": None, "limit": 1})
        if not found:
            raise NotFoundError("silence", str(silence_id))
        return found[0]

    async def add_silence(
        self, matchers: Matchers, *, starts_at: datetime, ends_at: datetime, author: str, comment: str, now: datetime
    ) -> Mapping[str, Any]:
        """Keep alerts quiet for a time. Groups look at themselves anew at once."""
        silence_id = uuid4()
        row = {
            "silence_id": silence_id, "matchers": matchers.to_text(), "starts_at": starts_at, "ends_at": ends_at,
            "author": author, "comment": comment, "created_at": now,
        }  # fmt: skip
        await self._change("add_silence", row, now)
        return await self.silence(silence_id)

    async def end_silence(self, silence_id: UUID, *, actor: str, now: datetime) -> Mapping[str, Any]:
        """End a silence now; one that has ended stays as it is.

        Raises:
            NotFoundError: there is none with this id.
        """
        await self._change("end_silence", {"silence_id": silence_id, "actor": actor, "now": now}, now)
        return await self.silence(silence_id)

    async def notifications(
        self,
        *,
        department: str | None = None,
        alert_id: UUID | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[dict[str, Any]]:
        """Give what was told, newest first; ``before`` is the last id of the page before."""
        wanted = {"department": department, "alert_id": alert_id, "before": before, "limit": limit}
        return await self._rows("notifications", wanted)

    async def groups_of(self, alert_id: UUID) -> list[dict[str, Any]]:
        """Give the groups that an alert stands in, each with its last decision and its reason."""
        return await self._rows("groups_of_alert", {"alert_id": alert_id})

    async def ladder_of(self, alert_id: UUID) -> tuple[str, Rung, datetime] | None:
        """Give the ladder that an alert is on, where it stands there, and when it is looked at next; None without."""
        for row in await self._rows("escalation_of_alert", {"alert_id": alert_id}):
            rung = Rung(unacked_at=row["unacked_at"], reached=row["reached"], is_paused=row["is_paused"])
            return row["ladder_id"], rung, row["look_at"]
        return None

    async def firing_alerts(self) -> list[Alert]:
        """Give the alerts that hold now."""
        return [to_alert(row) for row in await self._rows("firing_alerts", {"rule_ids": None, "limit": MOST_FIRING})]

    async def _rows(self, name: str, wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
        async with self._database.connection() as connection:
            return await fetch_rows(connection, _SQL[name], wanted)

    async def _change(self, name: str, wanted: Mapping[str, Any], now: datetime) -> None:
        async with self._database.transaction() as connection:
            await connection.execute(_SQL["wait_for_position"])
            await connection.execute(_SQL[name], wanted)
            await connection.execute(_SQL["wake_groups"], {"now": now})


def to_silence(row: Mapping[str, Any]) -> Silence:
    """Read a row of the table ``silence``."""
    return Silence(
        silence_id=row["silence_id"], matchers=Matchers.restore(row["matchers"]), starts_at=row["starts_at"],
        ends_at=row["ends_at"], author=row["author"], comment=row["comment"],
    )  # fmt: skip
