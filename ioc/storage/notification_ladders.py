"""Alerts on their escalation ladders: locked when one has to be looked at, and kept where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from alerts.notification.escalation import Climb, Rung
from alerts.notification.telling import SWEEP
from ioc.domain.alerts import Alert
from ioc.storage.alert_rows import to_alert
from ioc.storage.statements import BoundStatements


@dataclass(frozen=True, slots=True, kw_only=True)
class Climber:
    """An alert on its ladder, locked."""

    alert: Alert
    ladder_id: str
    rung: Rung


class LadderClimbs:
    """Gives climbers out for a look, each to one replica, and keeps how far they are.

    Args:
        work: the statements of notification, in the notifier's transaction.
    """

    def __init__(self, work: BoundStatements) -> None:
        self._work = work

    async def due(self, now: datetime, *, limit: int) -> list[Climber]:
        """Lock alerts whose ladder has to be looked at."""
        return [
            Climber(
                alert=to_alert(row),
                ladder_id=row["ladder_id"],
                rung=Rung(unacked_at=row["unacked_at"], reached=row["reached"], is_paused=row["is_paused"]),
            )
            for row in await self._work.fetch("due_escalations", now=now, limit=limit)
        ]

    async def keep(self, alert_id: UUID, climbed: Climb, now: datetime) -> None:
        """Keep where an alert stands. It stays on its ladder until it is over: who was told is not told again."""
        if climbed.is_over:
            await self.end(alert_id)
            return
        rung = climbed.rung
        await self._work.run(
            "save_escalation", alert_id=alert_id, unacked_at=rung.unacked_at, reached=rung.reached,
            is_paused=rung.is_paused, look_at=climbed.look_at or now + SWEEP,
        )  # fmt: skip

    async def end(self, alert_id: UUID) -> None:
        """Take an alert off its ladder."""
        await self._work.run("end_escalation", alert_id=alert_id)
