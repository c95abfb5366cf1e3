"""How the rules do: written by every process that runs them, read by api processes and the command line.

A row per rule and process holds what that process counted since it started, so a restart takes nothing away from what
others counted and adds nothing to it. Rows of a process that stopped are no longer shown, and go a little later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from alerts.memory.partition import RuleFault
from ioc.ports import Clock
from ioc.storage.pool import Database
from ioc.storage.statements import load_statements

_SQL = load_statements("rule_health")
MOST_FAULTS = 20
"""Faults that are kept of each rule: the newest."""

_AWAY_AFTER = timedelta(seconds=60)
"""Processes report every ten seconds; one that is silent for longer has stopped."""

_GONE_AFTER = timedelta(minutes=10)
_LONGEST_REASON, _LONGEST_ASSET = 400, 200


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleReport:
    """One rule in one process: counters since ``started_at``, and beside them those of the last ``recent_s`` seconds.

    ``failing_since`` is set while the rule fails on readings; see ``RuleHealth`` for the rest.
    """

    rule_id: str
    version: str
    started_at: datetime
    evaluations_count: int
    cost_s: float
    faults_count: int
    recent_s: float
    recent_evaluations_count: int
    recent_cost_s: float
    failing_since: datetime | None
    series_count: int
    open_count: int
    readings_count: int
    readings_limit: int | None
    series_limit: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessReport:
    """A report with the process that made it, and when."""

    process: str
    reported_at: datetime
    report: RuleReport


_COLUMNS = tuple(field.name for field in fields(RuleReport))


class RuleHealthStore:
    """Reports of the processes that run now, and the newest faults of every rule.

    Args:
        database: the open pool.
        clock: tells which reports are too old to speak for the present.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def report(self, process: str, reports: Sequence[RuleReport], faults: Sequence[RuleFault]) -> None:
        """Take the place of what this process said before, and keep its newest faults."""
        now = self._clock.now()
        columns = {name: [getattr(report, name) for report in reports] for name in _COLUMNS}
        about = {"process": process, "now": now, "gone_before": now - _GONE_AFTER}
        async with self._database.transaction() as connection:
            await connection.execute(_SQL["report"], columns | about)
            await connection.execute(_SQL["forget"], about)
            if faults:
                rows = _to_columns(faults)
                await connection.execute(_SQL["add_faults"], rows)
                await connection.execute(_SQL["trim_faults"], {"rule_id": rows["rule_id"], "most": MOST_FAULTS})

    async def reports(self) -> list[ProcessReport]:
        """Give what running processes report, by rule and process."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_SQL["list"], (self._clock.now() - _AWAY_AFTER,))).fetchall()
        return [
            ProcessReport(
                process=process,
                reported_at=reported_at,
                report=RuleReport(**dict(zip(_COLUMNS, (rule_id, version, started_at, *counted), strict=True))),
            )
            for rule_id, process, version, started_at, reported_at, *counted in rows
        ]

    async def faults(self) -> Mapping[str, Sequence[RuleFault]]:
        """Give the newest faults of every rule that ever failed, newest first."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_SQL["list_faults"])).fetchall()
        found: dict[str, list[RuleFault]] = {}
        for rule_id, at, asset_id, reason in rows:
            found.setdefault(rule_id, []).append(RuleFault(rule_id=rule_id, asset_id=asset_id, reason=reason, at=at))
        return found

    async def failing(self) -> tuple[list[str], int]:
        """Name the rules that fail somewhere now, and count those that run."""
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_SQL["list_failing"], (self._clock.now() - _AWAY_AFTER,))).fetchall()
        return [rule_id for rule_id, is_failing in rows if is_failing], len(rows)


def _to_columns(faults: Sequence[RuleFault]) -> dict[str, list[object]]:
    return {
        "rule_id": [fault.rule_id for fault in faults],
        "at": [fault.at for fault in faults],
        "asset_id": [_clean(fault.asset_id)[:_LONGEST_ASSET] for fault in faults],
        "reason": [_clean(fault.reason)[:_LONGEST_REASON] for fault in faults],
    }


def _clean(text: str) -> str:
    """Show what a key or a message holds of control characters as spaces: some separate parts, one no text may hold."""
    return "".join(sign if sign.isprintable() else " " for sign in text)
