"""Shipped rules over stored history decide what they decided live, and the command says what drafts would change."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

import pytest
from typer.testing import CliRunner

from alerts.backtest import Trial
from alerts.rulebook import Rulebook
from ioc.bootstrap import Foundations, scratch
from ioc.bootstrap.backtests import Account, Period, backtest_stored
from ioc.bootstrap.knowledge import load_world
from ioc.cli import make_app
from ioc.domain.alerts import ChangeType
from ioc.domain.events import Event
from ioc.domain.ids import event_id
from ioc.domain.kinds import Crowd, UnitReport
from ioc.replaying import Replay
from ioc.replaying.journal import read_journal
from ioc.storage.alerts import PostgresAlertStore
from ioc.storage.batches import PostgresBatchStore
from ioc.storage.migrate import migrate_database
from ioc.storage.outbox import enqueue
from ioc.storage.pool import Database
from tests.support.golden import CASES, START, Golden, dump, make_settings

RULES = Path(str(resources.files("alerts").joinpath("rules")))
CROWD = RULES / "28-crowd.yaml"
Found = tuple[str, bytes, str, datetime, datetime | None]


async def _listed_alerts(base: Foundations) -> set[Found]:
    """Give the alerts of the store as occurrences: rule, identity, worst severity, begin and end."""
    found: dict[object, Found] = {}
    async for entry in read_journal(PostgresAlertStore(base.database, enqueue)):
        alert = entry.alert
        if alert.shadow:
            continue
        known = found.get(alert.alert_id)
        begun, ended = (entry.at, None) if known is None else (known[3], known[4])
        worst = alert.severity.value
        if known is not None and alert.severity.rank <= _rank(known[2]):
            worst = known[2]
        if entry.type is ChangeType.RESOLVED:
            ended = entry.at
        found[alert.alert_id] = (alert.rule_id, alert.fingerprint, worst, begun, ended)
    return set(found.values())


def _rank(severity: str) -> int:
    return ("info", "minor", "major", "critical").index(severity)


def _found(account: Account) -> set[Found]:
    return {
        (item.rule_id, item.fingerprint, item.severity.value, item.started_at, item.ended_at)
        for item in account.comparison.draft
    }


async def _backtest(base: Foundations, drafts: Rulebook, period: Period, *, stop_after: int | None = None) -> Account:
    reached = []
    return await backtest_stored(
        base.settings, base.database, drafts, period, on_progress=reached.append,
        is_stopped=lambda: stop_after is not None and len(reached) >= stop_after,
    )  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_shipped_rules_over_stored_history_give_the_alerts_that_live_gave(
    case: Golden, plain_postgres_url, fresh_database, tmp_path
):
    settings = make_settings(tmp_path / "data", await fresh_database(plain_postgres_url))
    async with scratch(settings) as base:
        played = await Replay(base, dump(case, tmp_path), speed=None, on_progress=lambda *_: None).run()
        assert played.ends_at is not None
        period = Period(start=START - timedelta(hours=1), end=played.ends_at + timedelta(microseconds=1))
        account = await _backtest(base, Rulebook.load([RULES]), period)
        listed = await _listed_alerts(base)
    assert account.faults_count == 0
    assert len(listed) >= 1
    assert _found(account) == listed
    assert account.comparison.added == account.comparison.gone == []
