"""What was told to whom: the log of notifications, written with the deliveries that carry them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ioc.storage.statements import BoundStatements


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """A subscription that wants notifications."""

    subscription_id: UUID
    department: str
    min_severity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """One notification to one department, as the log keeps it."""

    at: datetime
    department: str
    group_id: UUID
    group_key: str
    route_id: str
    reason: str
    form: str
    firing_ids: Sequence[UUID]
    resolved_ids: Sequence[UUID]
    new_count: int
    receivers: Sequence[UUID]
    webhook_id: str
    body: bytes


class NotificationLog:
    """Finds who receives, writes what they are told, and remembers it.

    Args:
        work: the statements of notification, in the notifier's transaction.
        outbox: those of the outbox, in the same.
    """

    def __init__(self, work: BoundStatements, outbox: BoundStatements) -> None:
        self._work, self._outbox = work, outbox

    async def receivers(self, departments: Sequence[str]) -> list[Receiver]:
        """Give the subscriptions of departments that want notifications."""
        return [Receiver(**row) for row in await self._work.fetch("receivers", departments=list(departments))]

    async def told_since(self, departments: Sequence[str], since: datetime) -> dict[str, list[tuple[datetime, int]]]:
        """Give, by department, when how many new alerts were told, oldest first."""
        found: dict[str, list[tuple[datetime, int]]] = {department: [] for department in departments}
        for row in await self._work.fetch("recent_notifications", departments=list(departments), since=since):
            found[row["department"]].append((row["at"], row["new_count"]))
        return found

    async def told_on_ladder(self, alert_id: UUID) -> list[str]:
        """Give the departments whose last word of an alert from its ladder was that it holds."""
        return [row["department"] for row in await self._work.fetch("told_on_ladder", alert_id=alert_id)]

    async def tell(self, tellings: Sequence[Telling]) -> None:
        """Write notifications into their log, and the deliveries that carry them."""
        fields = ("at", "department", "group_id", "group_key", "route_id", "reason", "form", "new_count")
        for telling in tellings:
            row = {name: getattr(telling, name) for name in fields}
            row |= {"firing_ids": list(telling.firing_ids), "resolved_ids": list(telling.resolved_ids)}
            await self._work.run("note_notifications", **row, receivers_count=len(telling.receivers))
        found = [
            (f"{telling.webhook_id}_{receiver.hex}", receiver, telling.group_id, None, telling.body, telling.at)
            for telling in tellings
            for receiver in telling.receivers
        ]
        if found:
            names = ("webhook_ids", "subscription_ids", "alert_ids", "revisions", "bodies", "ats")
            deliveries = dict(zip(names, map(list, zip(*found, strict=True)), strict=True))
            await self._outbox.run_unprepared("enqueue", **deliveries)

    async def forget(self, before: datetime) -> None:
        """Drop the log of notifications before an instant."""
        await self._work.run("forget_notifications", before=before)
