"""The notifier's transactions: journal into groups, groups under a row lock, deliveries with the decision."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from psycopg import AsyncConnection

from alerts.notification.holds import Silence
from ioc.domain.alerts import Alert
from ioc.storage.alert_rows import to_alert
from ioc.storage.notification_groups import GroupDecisions
from ioc.storage.notification_ladders import LadderClimbs
from ioc.storage.notification_log import NotificationLog
from ioc.storage.notification_sorting import JournalSorting
from ioc.storage.notifications import MOST_FIRING, to_silence
from ioc.storage.pool import Database
from ioc.storage.statements import BoundStatements, load_statements

_SQL = load_statements("notifications")
_OUTBOX = load_statements("outbox")
_MOST_SILENCES = 1_000


class NotificationWork:
    """What the notifier does inside one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._work = BoundStatements(_SQL, connection)
        self.journal = JournalSorting(self._work)
        self.groups = GroupDecisions(self._work)
        self.ladders = LadderClimbs(self._work)
        self.log = NotificationLog(self._work, BoundStatements(_OUTBOX, connection))

    async def silences(self, now: datetime) -> list[Silence]:
        """Give silences that have not ended."""
        found = await self._work.fetch("silences", silence_id=None, over_since=now, limit=_MOST_SILENCES)
        return [to_silence(row) for row in found]

    async def firing(self, rule_ids: Sequence[str] | None) -> list[Alert]:
        """Give alerts that hold, of some rules or of all."""
        wanted = None if rule_ids is None else list(rule_ids)
        return [to_alert(row) for row in await self._work.fetch("firing_alerts", rule_ids=wanted, limit=MOST_FIRING)]


@asynccontextmanager
async def open_work(database: Database) -> AsyncIterator[NotificationWork]:
    """Open a transaction for the notifier; it commits when the block ends without an error."""
    async with database.transaction() as connection:
        yield NotificationWork(connection)
