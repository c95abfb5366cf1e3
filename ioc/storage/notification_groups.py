"""Groups of alerts that are due for a look: locked, decided, and kept with the decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from alerts.notification.covering import Elsewhere
from alerts.notification.grouping import GroupLog
from alerts.notification.telling import Member, Plan
from ioc.domain.alerts import Severity
from ioc.storage.alert_rows import to_alert
from ioc.storage.statements import BoundStatements


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group of alerts that is due for a look, locked; ``elsewhere`` says of its alerts in which others they are told
    to its departments.
    """

    group_id: UUID
    group_key: str
    route_id: str
    departments: Sequence[str]
    labels: Mapping[str, str]
    told_count: int
    log: GroupLog | None
    members: Sequence[Member]
    elsewhere: Mapping[UUID, Sequence[Elsewhere]]


class GroupDecisions:
    """Gives groups out for a decision, each to one replica, and keeps what was decided.

    Args:
        work: the statements of notification, in the notifier's transaction.
    """

    def __init__(self, work: BoundStatements) -> None:
        self._work = work

    async def due(self, now: datetime, *, limit: int) -> list[Group]:
        """Lock groups whose time has come, leaving those that another replica decides, and give them with members."""
        rows = await self._work.fetch("due_groups", now=now, limit=limit)
        members: dict[UUID, list[Member]] = {row["group_id"]: [] for row in rows}
        for row in await self._work.fetch("members_of_groups", group_ids=list(members)) if members else []:
            members[row["group_id"]].append(
                Member(
                    alert=to_alert(row), joined_at=row["joined_at"], was_held=row["held_why"] is not None,
                    told_severity=Severity(row["told_severity"]) if row["told_severity"] else None,
                    told_flapping=row["told_flapping"],
                )
            )  # fmt: skip
        elsewhere: dict[UUID, dict[UUID, list[Elsewhere]]] = {group_id: {} for group_id in members}
        for row in await self._work.fetch("elsewhere_of_members", group_ids=list(members)) if members else []:
            elsewhere[row["group_id"]].setdefault(row["alert_id"], []).append(
                Elsewhere(route_id=row["route_id"], departments=frozenset(row["departments"]), has_told=row["has_told"])
            )
        return [_to_group(row, members[row["group_id"]], elsewhere[row["group_id"]]) for row in rows]

    async def save(self, group: Group, plan: Plan, now: datetime) -> None:
        """Keep what was decided on a group, with the reason for each member that is held."""
        if plan.closes:
            await self._work.run("leave_groups", group_id=group.group_id, alert_ids=_ids(group))
            await self._work.run("close_groups", group_ids=[group.group_id])
            return
        await self._hold(group, plan)
        if plan.verdict.notify:
            told = plan.firing
            await self._work.run(
                "note_told", group_id=group.group_id, alert_ids=[alert.alert_id for alert in told],
                severities=[alert.severity.value for alert in told], flappings=[alert.flapping for alert in told],
            )  # fmt: skip
        if plan.leaving:
            await self._work.run("leave_groups", group_id=group.group_id, alert_ids=list(plan.leaving))
        log = plan.log
        await self._work.run(
            "save_group", group_id=group.group_id, told_at=log.told_at if log else None,
            told_firing=sorted(log.firing) if log else [], told_resolved=sorted(log.resolved) if log else [],
            told_renewed=sorted(log.renewed) if log else [],
            told_count=group.told_count + plan.verdict.notify, look_at=plan.look_at, reason=plan.verdict.reason.value,
            now=now,
        )  # fmt: skip

    async def _hold(self, group: Group, plan: Plan) -> None:
        changed = [
            member.alert.alert_id for member in group.members if member.was_held or member.alert.alert_id in plan.held
        ]
        if not changed:
            return
        holds = [plan.held.get(alert_id) for alert_id in changed]
        await self._work.run(
            "hold_members", group_id=group.group_id, alert_ids=changed,
            whys=[None if hold is None else hold.why.value for hold in holds],
            bys=[None if hold is None else hold.by for hold in holds],
            untils=[None if hold is None else hold.until for hold in holds],
        )  # fmt: skip


def _to_group(
    row: Mapping[str, Any], members: Sequence[Member], elsewhere: Mapping[UUID, Sequence[Elsewhere]]
) -> Group:
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
        elsewhere=elsewhere,
    )  # fmt: skip


def _ids(group: Group) -> list[UUID]:
    return [member.alert.alert_id for member in group.members]
