"""The notifier's transactions: journal into groups, groups under a row lock, deliveries with the decision."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from alerts.notification.escalation import Climb, Rung
from alerts.notification.grouping import GroupLog
from alerts.notification.holds import Silence
from alerts.notification.policy import Routed
from alerts.notification.telling import SWEEP, Member, Plan
from ioc.domain.alerts import Alert, ChangeType, Severity
from ioc.storage.alert_rows import to_alert
from ioc.storage.notifications import to_silence
from ioc.storage.pool import Database
from ioc.storage.statements import load_statements

_SQL = load_statements("notifications")
_OUTBOX = load_statements("outbox")
_MOST_FIRING = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """A journal entry, as far as notification cares."""

    event_id: int
    alert_id: UUID
    type: ChangeType


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group of alerts that is due for a look, locked."""

    group_id: UUID
    group_key: str
    route_id: str
    departments: Sequence[str]
    labels: Mapping[str, str]
    told_count: int
    log: GroupLog | None
    members: Sequence[Member]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """A subscription that wants notifications."""

    subscription_id: UUID
    department: str
    min_severity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Climber:
    """An alert on its ladder, locked."""

    alert: Alert
    ladder_id: str
    rung: Rung


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


class NotificationWork:
    """What the notifier does inside one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def take_journal(self, *, limit: int) -> list[Happening]:
        """Give the next journal entries and lock the position; none while another replica sorts."""
        position = await self._rows("lock_position")
        if not position:
            return []
        rows = await self._rows("journal_after", after=position[0]["event_id"], limit=limit)
        return [
            Happening(event_id=row["event_id"], alert_id=row["alert_id"], type=ChangeType(row["type"])) for row in rows
        ]

    async def move_position(self, event_id: int) -> None:
        """Say how far the journal is sorted."""
        await self._do("move_position", event_id=event_id)

    async def alerts(self, alert_ids: Sequence[UUID]) -> list[Alert]:
        """Give alerts as they stand."""
        return [to_alert(row) for row in await self._rows("alerts_by_id", alert_ids=list(alert_ids))]

    async def routes_of(self, alert_ids: Sequence[UUID]) -> set[tuple[UUID, str]]:
        """Give through which routes alerts are in groups already."""
        rows = await self._rows("groups_of_alerts", alert_ids=list(alert_ids))
        return {(row["alert_id"], row["route_id"]) for row in rows}

    async def ungrouped(self, alert_ids: Sequence[UUID]) -> list[UUID]:
        """Give those of the alerts that hold, are not in shadow, and stand in no group."""
        return [row["alert_id"] for row in await self._rows("ungrouped", alert_ids=list(alert_ids))]

    async def join(self, pairs: Sequence[tuple[Routed, UUID]], now: datetime) -> None:
        """Put alerts into groups, opening those that are new."""
        groups = {routed.group_id: routed for routed, _ in pairs}
        await self._do(
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
        await self._do("join_groups", **joined, now=now)

    async def wake(self, alert_ids: Sequence[UUID], now: datetime) -> None:
        """Let the groups and ladders of alerts look at themselves now."""
        await self._do("wake_groups_of", alert_ids=list(alert_ids), now=now)
        await self._do("wake_escalations_of", alert_ids=list(alert_ids), now=now)

    async def watch(self, climbers: Sequence[tuple[UUID, str]], now: datetime) -> None:
        """Put alerts on their ladders."""
        await self._do(
            "watch_escalations",
            alert_ids=[one for one, _ in climbers],
            ladder_ids=[two for _, two in climbers],
            now=now,
        )

    async def due_groups(self, now: datetime, *, limit: int) -> list[Group]:
        """Lock groups whose time has come, leaving those that another replica decides, and give them with members."""
        rows = await self._rows("due_groups", now=now, limit=limit)
        members: dict[UUID, list[Member]] = {row["group_id"]: [] for row in rows}
        for row in await self._rows("members_of_groups", group_ids=list(members)) if members else []:
            members[row["group_id"]].append(
                Member(
                    alert=to_alert(row), joined_at=row["joined_at"], was_held=row["held_why"] is not None,
                    told_severity=Severity(row["told_severity"]) if row["told_severity"] else None,
                    told_flapping=row["told_flapping"],
                )
            )  # fmt: skip
        return [_to_group(row, members[row["group_id"]]) for row in rows]

    async def silences(self, now: datetime) -> list[Silence]:
        """Give silences that have not ended."""
        return [to_silence(row) for row in await self._rows("silences", silence_id=None, over_since=now, limit=1_000)]

    async def firing(self, rule_ids: Sequence[str] | None) -> list[Alert]:
        """Give alerts that hold, of some rules or of all."""
        wanted = None if rule_ids is None else list(rule_ids)
        return [to_alert(row) for row in await self._rows("firing_alerts", rule_ids=wanted, limit=_MOST_FIRING)]

    async def receivers(self, departments: Sequence[str]) -> list[Receiver]:
        """Give the subscriptions of departments that want notifications."""
        return [Receiver(**row) for row in await self._rows("receivers", departments=list(departments))]

    async def told_since(self, departments: Sequence[str], since: datetime) -> dict[str, list[tuple[datetime, int]]]:
        """Give, by department, when how many new alerts were told, oldest first."""
        found: dict[str, list[tuple[datetime, int]]] = {department: [] for department in departments}
        for row in await self._rows("recent_notifications", departments=list(departments), since=since):
            found[row["department"]].append((row["at"], row["new_count"]))
        return found

    async def save(self, group: Group, plan: Plan, now: datetime) -> None:
        """Keep what was decided on a group, with the reason for each member that is held."""
        if plan.closes:
            await self._do("leave_groups", group_id=group.group_id, alert_ids=_ids(group))
            await self._do("close_groups", group_ids=[group.group_id])
            return
        await self._hold(group, plan)
        if plan.verdict.notify:
            told = plan.firing
            await self._do(
                "note_told", group_id=group.group_id, alert_ids=[alert.alert_id for alert in told],
                severities=[alert.severity.value for alert in told], flappings=[alert.flapping for alert in told],
            )  # fmt: skip
        if plan.leaving:
            await self._do("leave_groups", group_id=group.group_id, alert_ids=list(plan.leaving))
        log = plan.log
        await self._do(
            "save_group", group_id=group.group_id, told_at=log.told_at if log else None,
            told_firing=sorted(log.firing) if log else [], told_resolved=sorted(log.resolved) if log else [],
            told_renewed=sorted(log.renewed) if log else [],
            told_count=group.told_count + plan.verdict.notify, look_at=plan.look_at, reason=plan.verdict.reason.value,
            now=now,
        )  # fmt: skip

    async def tell(self, tellings: Sequence[Telling]) -> None:
        """Write notifications into their log, and the deliveries that carry them."""
        fields = ("at", "department", "group_id", "group_key", "route_id", "reason", "form", "new_count")
        for telling in tellings:
            row = {name: getattr(telling, name) for name in fields}
            row |= {"firing_ids": list(telling.firing_ids), "resolved_ids": list(telling.resolved_ids)}
            await self._do("note_notifications", **row, receivers_count=len(telling.receivers))
        found = [
            (f"{telling.webhook_id}_{receiver.hex}", receiver, telling.group_id, None, telling.body, telling.at)
            for telling in tellings
            for receiver in telling.receivers
        ]
        if found:
            names = ("webhook_ids", "subscription_ids", "alert_ids", "revisions", "bodies", "ats")
            deliveries = dict(zip(names, map(list, zip(*found, strict=True)), strict=True))
            await self._connection.execute(_OUTBOX["enqueue"], deliveries, prepare=False)

    async def due_climbers(self, now: datetime, *, limit: int) -> list[Climber]:
        """Lock alerts whose ladder has to be looked at."""
        return [
            Climber(
                alert=to_alert(row),
                ladder_id=row["ladder_id"],
                rung=Rung(unacked_at=row["unacked_at"], reached=row["reached"], is_paused=row["is_paused"]),
            )
            for row in await self._rows("due_escalations", now=now, limit=limit)
        ]

    async def keep_climbing(self, alert_id: UUID, climbed: Climb, now: datetime) -> None:
        """Keep where an alert stands. It stays on its ladder until it is over: who was told is not told again."""
        if climbed.is_over:
            await self.end_climbing(alert_id)
            return
        rung = climbed.rung
        await self._do(
            "save_escalation", alert_id=alert_id, unacked_at=rung.unacked_at, reached=rung.reached,
            is_paused=rung.is_paused, look_at=climbed.look_at or now + SWEEP,
        )  # fmt: skip

    async def end_climbing(self, alert_id: UUID) -> None:
        """Take an alert off its ladder."""
        await self._do("end_escalation", alert_id=alert_id)

    async def forget(self, before: datetime) -> None:
        """Drop the log of notifications before an instant."""
        await self._do("forget_notifications", before=before)

    async def _hold(self, group: Group, plan: Plan) -> None:
        changed = [
            member.alert.alert_id for member in group.members if member.was_held or member.alert.alert_id in plan.held
        ]
        if not changed:
            return
        holds = [plan.held.get(alert_id) for alert_id in changed]
        await self._do(
            "hold_members", group_id=group.group_id, alert_ids=changed,
            whys=[None if hold is None else hold.why.value for hold in holds],
            bys=[None if hold is None else hold.by for hold in holds],
            untils=[None if hold is None else hold.until for hold in holds],
        )  # fmt: skip

    async def _rows(self, name: str, **wanted: object) -> list[dict[str, Any]]:
        async with self._connection.cursor(row_factory=dict_row) as cursor:
            return await (await cursor.execute(_SQL[name], wanted)).fetchall()

    async def _do(self, name: str, **wanted: object) -> None:
        await self._connection.execute(_SQL[name], wanted)


@asynccontextmanager
async def open_work(database: Database) -> AsyncIterator[NotificationWork]:
    """Open a transaction for the notifier; it commits when the block ends without an error."""
    async with database.transaction() as connection:
        yield NotificationWork(connection)


def _to_group(row: Mapping[str, Any], members: Sequence[Member]) -> Group:
    log = None
    if row["told_at"] is not None:
        log = GroupLog(
            told_at=row["told_at"],
            firing=frozenset(row["told_firing"]),
            resolved=frozenset(row["told_resolved"]),
            renewed=frozenset(row["told_renewed"]),
        )
    return Group(
        group_id=row["group_id"], group_key=row["group_key"], route_id=row["route_id"],
        departments=row["departments"], labels=row["labels"], told_count=row["told_count"], log=log, members=members,
    )  # fmt: skip


def _ids(group: Group) -> list[UUID]:
    return [member.alert.alert_id for member in group.members]
