"""The journal of alerts sorted into groups: what is new since the position, and where it belongs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.types.json import Jsonb

from alerts.notification.policy import Routed
from ioc.domain.alerts import Alert, ChangeType
from ioc.storage.alert_rows import to_alert
from ioc.storage.statements import BoundStatements


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """A journal entry, as far as notification cares."""

    event_id: int
    alert_id: UUID
    type: ChangeType


class JournalSorting:
    """Sorts the journal: whoever holds its position does so alone.

    Args:
        work: the statements of notification, in the notifier's transaction.
    """

    def __init__(self, work: BoundStatements) -> None:
        self._work = work

    async def take(self, *, limit: int) -> list[Happening]:
        """Give the next journal entries and lock the position; none while another replica sorts."""
        position = await self._work.fetch("lock_position")
        if not position:
            return []
        rows = await self._work.fetch("journal_after", after=position[0]["event_id"], limit=limit)
        return [
            Happening(event_id=row["event_id"], alert_id=row["alert_id"], type=ChangeType(row["type"])) for row in rows
        ]

    async def move_position(self, event_id: int) -> None:
        """Say how far the journal is sorted."""
        await self._work.run("move_position", event_id=event_id)

    async def alerts(self, alert_ids: Sequence[UUID]) -> list[Alert]:
        """Give alerts as they stand."""
        return [to_alert(row) for row in await self._work.fetch("alerts_by_id", alert_ids=list(alert_ids))]

    async def routes_of(self, alert_ids: Sequence[UUID]) -> set[tuple[UUID, str]]:
        """Give through which routes alerts are in groups already."""
        rows = await self._work.fetch("groups_of_alerts", alert_ids=list(alert_ids))
        return {(row["alert_id"], row["route_id"]) for row in rows}

    async def come_to_list(self, alert_ids: Sequence[UUID]) -> list[UUID]:
        """Give those of the alerts that have left the shadow, or an entry of the register, without more ado."""
        return [row["alert_id"] for row in await self._work.fetch("come_to_list", alert_ids=list(alert_ids))]

    async def join(self, pairs: Sequence[tuple[Routed, UUID]], now: datetime) -> None:
        """Put alerts into groups, opening those that are new."""
        groups = {routed.group_id: routed for routed, _ in pairs}
        await self._work.run(
            "open_groups",
            group_ids=list(groups),
            group_keys=[routed.group_key for routed in groups.values()],
            route_ids=[routed.route.route_id for routed in groups.values()],
            departments=[" ".join(routed.route.departments) for routed in groups.values()],
            labels=[Jsonb(routed.group_labels) for routed in groups.values()],
            now=now,
        )
        joined = {
            "group_ids": [routed.group_id for routed, _ in pairs],
            "alert_ids": [alert_id for _, alert_id in pairs],
        }
        await self._work.run("join_groups", **joined, now=now)

    async def wake(self, alert_ids: Sequence[UUID], now: datetime) -> None:
        """Let the groups and ladders of alerts look at themselves now."""
        await self._work.run("wake_groups_of", alert_ids=list(alert_ids), now=now)
        await self._work.run("wake_escalations_of", alert_ids=list(alert_ids), now=now)

    async def watch(self, climbers: Sequence[tuple[UUID, str]], now: datetime) -> None:
        """Put alerts on their ladders."""
        await self._work.run(
            "watch_escalations",
            alert_ids=[one for one, _ in climbers],
            ladder_ids=[two for _, two in climbers],
            now=now,
        )
