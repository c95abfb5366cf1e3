"""What a rule made in a period: for whoever asks why it told nobody."""

from __future__ import annotations

from datetime import datetime

from ioc.domain.alerts import Alert
from ioc.storage.alert_rows import to_alert
from ioc.storage.pool import Database
from ioc.storage.statements import fetch_rows, load_statements

_SQL = load_statements("rule_alerts")


class RuleAlerts:
    """Reads the alerts of one rule.

    Args:
        database: the open pool.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def in_period(
        self, rule_id: str, *, asset_id: str | None, start: datetime, end: datetime, limit: int
    ) -> list[Alert]:
        """Give the first alerts that were open at some time of a period, in shadow too; without an asset of all."""
        wanted = {"rule_id": rule_id, "asset_id": asset_id, "start": start, "end": end, "limit": limit}
        async with self._database.connection() as connection:
            return [to_alert(row) for row in await fetch_rows(connection, _SQL["in_period"], wanted)]

    async def find_last(self, rule_id: str) -> datetime | None:
        """Tell when the last alert of a rule began, in force or not any more; None where it never made one."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(_SQL["find_last"], (rule_id,))).fetchone()
        return None if row is None else row[0]
