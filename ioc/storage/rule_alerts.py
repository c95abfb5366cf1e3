"""What rules made in a period: for whoever asks why one told nobody, or compares two versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from alerts.backtest.trial import Occurrence
from alerts.fingerprints import sha256_fingerprint
from alerts.lifecycle.versions import split_id
from ioc.domain.alerts import Alert, Severity
from ioc.storage.alert_rows import to_alert
from ioc.storage.pool import Database
from ioc.storage.statements import fetch_rows, load_statements

_SQL = load_statements("rule_alerts")
MOST_OCCURRENCES = 50_000


class RuleAlerts:
    """Reads the alerts of rules.

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

    async def occurrences(self, rule_ids: Sequence[str], *, start: datetime, end: datetime) -> list[Occurrence]:
        """Give the alerts of rules and candidates that stood in a time, under the rule's own name and identity."""
        wanted = {"rule_ids": list(rule_ids), "start": start, "end": end, "limit": MOST_OCCURRENCES}
        async with self._database.connection() as connection:
            rows = await fetch_rows(connection, _SQL["occurrences"], wanted)
        return [_to_occurrence(row) for row in rows]


def _to_occurrence(row: Mapping[str, Any]) -> Occurrence:
    rule_id, _ = split_id(row["rule_id"])
    labels = {**row["labels"], "rule": rule_id}
    return Occurrence(
        rule_id=rule_id, fingerprint=sha256_fingerprint(labels.items()), asset_id=row["asset_id"],
        unit_code=row["unit_code"], title_vi=row["title_vi"], title_en=row["title_en"],
        severity=max(map(Severity, row["severities"]), key=lambda severity: severity.rank),
        observed_at=row["observed_at"], started_at=row["started_at"], ended_at=row["ended_at"],
    )  # fmt: skip
