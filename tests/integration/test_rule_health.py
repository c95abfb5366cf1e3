"""A rule that fails on real events makes no alert, and is seen: in log, API, metrics and on the command line."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from alerts.memory.partition import RuleFault
from ioc.api.app import create_app
from ioc.api.services import Services
from ioc.bootstrap.processing import make_worker
from ioc.bootstrap.rule_health import describe_failing, make_reporter
from ioc.cli import make_app
from ioc.clocks import SystemClock
from ioc.domain.events import Event
from ioc.domain.ids import event_id
from ioc.domain.kinds import VesselPosition
from ioc.ports import Topic
from ioc.storage.rule_health import RuleHealthStore, RuleReport
from tests.support.edge import SCHEMA, open_edge

RULES = """\
rule: vessel.broken
condition: expression
on: vessel.position
levels:
  - {severity: major, when: "double(timestamp(name).getHours()) > 5.0"}
title: {vi: "a {asset}", en: "a {asset}"}
detail: {vi: b, en: b}
runbook: {vi: c, en: c}
---
rule: vessel.fast
condition: threshold
on: vessel.position
levels:
  - {severity: minor, when: sog_kn >= 30}
title: {vi: "a {asset}", en: "a {asset}"}
detail: {vi: b, en: b}
runbook: {vi: c, en: c}
"""
"""The first asks for the number of a name; the engine cannot know that names are words."""

NOW = datetime.now(UTC)


def position(number: int, name: str = "HẠ LONG 08", sog_kn: float = 4.0) -> Event:
    at = NOW - timedelta(seconds=60 - number)
    return Event(
        event_id=event_id("vessels", "vessel.574000123", at, "vessel.position"), feed_id="vessels",
        asset_id="vessel.574000123", observed_at=at, received_at=at, data=VesselPosition(sog_kn=sog_kn, name=name),
        lon_deg=107.05, lat_deg=20.91,
    )  # fmt: skip


@pytest.fixture
def rules_dir(tmp_path):
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "rules.yaml").write_text(RULES, encoding="utf-8")
    return folder


@pytest.fixture
async def edge(tmp_path, rules_dir, address):
    async with open_edge(tmp_path, address, alerts={"rules_dir": rules_dir}) as edge:
        await edge.add_person("xem", "viewer")
        yield edge


async def process(edge, events):
    """Have a real worker take events off the log, and report the rules once."""
    base = replace(edge.base, clock=SystemClock())
    worker = make_worker(base)
    await base.log.append(Topic.EVENTS, events)
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        running = group.create_task(worker.run())
        while sum(worker.positions.values()) < await edge.count(Topic.EVENTS):
            assert not running.done()
            await asyncio.sleep(0.01)
        running.cancel()
    await make_reporter(base, worker.watch).report()
    return worker


async def health_of(edge, rule_id):
    async with edge.signed_in("xem") as viewer:
        answer = await viewer.get("/api/v1/rules/health")
    assert answer.status_code == 200, answer.text
    return next(item for item in answer.json()["items"] if item["rule_id"] == rule_id)


async def test_a_rule_that_fails_makes_no_alert_and_is_seen(edge):
    with capture_logs() as said:
        await process(edge, [position(number) for number in range(8)])
    assert [(line["rule"], line["asset"]) for line in said if line["event"] == "rule.failed"] == [
        ("vessel.broken", "vessel.574000123")
    ]
    assert await edge.api.alerts.open_alerts() == []
    broken, sound = await health_of(edge, "vessel.broken"), await health_of(edge, "vessel.fast")
    assert (broken["is_failing"], broken["faults_count"]) == (True, 8)
    assert broken["last_fault"]["asset_id"] == "vessel.574000123"
    assert "conversion failed" in broken["last_fault"]["reason"]
    assert len(broken["faults"]) == 8
    assert broken["evaluations_count"] >= 8
    assert (sound["is_failing"], sound["faults_count"], sound["faults"]) == (False, 0, [])
    [running] = broken["processes"]
    assert (running["faults_count"], running["version"]) == (8, broken["version"])
    async with edge.client() as client:
        text = (await client.get("/metrics")).text
    assert 'ioc_rule_faults_total{rule="vessel.broken"}' in text


async def test_a_rule_that_fails_harms_no_other(edge):
    await process(edge, [position(number, sog_kn=35.0) for number in range(3)])
    [alert] = await edge.api.alerts.open_alerts()
    assert alert.rule_id == "vessel.fast"


async def test_readiness_names_the_rules_that_fail_and_stays_ready(edge):
    assert await describe_failing(edge.base) == "0 running, none failing"
    await process(edge, [position(0)])
    app = create_app(Services(clock=edge.clock, checks={"rules": lambda: describe_failing(edge.base)}))
    async with replace(edge, app=app).client() as client:
        answer = await client.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json()["checks"]["rules"] == {"ok": True, "detail": "1 of 2 failing: vessel.broken"}


def report(rule_id: str, **others) -> RuleReport:
    given = {
        "rule_id": rule_id, "version": "1", "started_at": NOW, "evaluations_count": 1_000, "cost_s": 2.0,
        "faults_count": 0, "recent_s": 10.0, "recent_evaluations_count": 100, "recent_cost_s": 0.3,
        "failing_since": None, "series_count": 2, "open_count": 1, "readings_count": 50, "readings_limit": 4_096,
        "series_limit": 100_000,
    }  # fmt: skip
    return RuleReport(**{**given, **others})


async def test_what_processes_report_is_added_up(edge):
    store = RuleHealthStore(edge.base.database, edge.clock)
    await store.report("a", [report("vessel.broken"), report("vessel.fast", recent_cost_s=0.1)], [])
    await store.report("b", [report("vessel.broken", recent_s=20.0)], [])
    found = await health_of(edge, "vessel.broken")
    assert (found["evaluations_count"], found["evaluations_per_s"], found["us_per_evaluation"]) == (2_000, 15.0, 3_000)
    assert found["share_pct"] == round(100 * 0.6 / 0.7, 2)
    assert (found["series_count"], found["readings_count"], found["readings_limit"]) == (4, 100, 8_192)
    assert found["series_limit"] == 200_000
    assert [item["process"] for item in found["processes"]] == ["a", "b"]
    assert (await health_of(edge, "vessel.fast"))["readings_limit"] == 4_096


async def test_a_process_that_stopped_is_no_longer_counted_and_its_faults_stay(edge):
    store = RuleHealthStore(edge.base.database, edge.clock)
    fault = RuleFault(rule_id="vessel.broken", asset_id="unit:06652\x1fx", reason="ValueError: \x00", at=NOW)
    await store.report("a", [report("vessel.broken", failing_since=NOW)], [fault])
    edge.clock.step(seconds=61)
    found = await health_of(edge, "vessel.broken")
    assert (found["is_reported"], found["is_failing"], found["evaluations_count"]) == (False, False, 0)
    assert found["last_fault"]["asset_id"] == "unit:06652 x"
    edge.clock.step(minutes=10)
    await store.report("b", [report("vessel.fast")], [])
    async with edge.base.database.connection() as connection:
        rows = await (await connection.execute("SELECT rule_id, process FROM rule_health")).fetchall()
    assert rows == [("vessel.fast", "b")]


async def test_a_rule_that_a_process_runs_no_more_leaves_its_report(edge):
    store = RuleHealthStore(edge.base.database, edge.clock)
    await store.report("a", [report("vessel.broken"), report("rule.of-yesterday")], [])
    edge.clock.step(seconds=10)
    await store.report("a", [report("vessel.broken")], [])
    assert [item.report.rule_id for item in await store.reports()] == ["vessel.broken"]


async def test_the_newest_twenty_faults_of_a_rule_are_kept_each_once(edge):
    store = RuleHealthStore(edge.base.database, edge.clock)
    faults = [
        RuleFault(
            rule_id="vessel.broken", asset_id="vessel.1", reason=f"fault {number}", at=NOW + timedelta(seconds=number)
        )
        for number in range(25)
    ]  # fmt: skip
    await store.report("a", [report("vessel.broken")], faults)
    await store.report("b", [report("vessel.broken")], faults[10:])
    kept = (await store.faults())["vessel.broken"]
    assert [fault.reason for fault in kept] == [f"fault {number}" for number in range(24, 4, -1)]


async def test_rules_are_for_people_who_are_signed_in(edge):
    async with edge.client() as client:
        assert (await client.get("/api/v1/rules/health")).status_code == 401


async def test_the_command_line_shows_rules_by_their_share_of_the_time(edge, address, rules_dir, tmp_path, monkeypatch):
    store = RuleHealthStore(edge.base.database, SystemClock())
    fault = RuleFault(rule_id="vessel.broken", asset_id="vessel.1", reason="ValueError: [x]", at=NOW)
    long = "sc.centre-of-the-old-town~12"
    reports = [report("vessel.broken", failing_since=NOW), report("vessel.fast", recent_cost_s=0.1)]
    reports.append(report(long, recent_cost_s=0.0))
    await store.report("a", reports, [fault])
    for name, value in {
        "DATA_DIR": str(tmp_path), "STORE__URL": address, "STORE__SCHEMA_NAME": SCHEMA,
        "ALERTS__RULES_DIR": str(rules_dir),
    }.items():  # fmt: skip
        monkeypatch.setenv(f"IOC_{name}", value)
    monkeypatch.setenv("COLUMNS", "200")
    shown = await asyncio.to_thread(CliRunner().invoke, make_app(), ["rules", "health", "--faults"])
    assert shown.exit_code == 1, shown.output
    assert "█████████    75.0 %" in shown.output
    assert "ValueError: [x]" in shown.output
    monkeypatch.setenv("COLUMNS", "80")
    narrow = await asyncio.to_thread(CliRunner().invoke, make_app(), ["rules", "health", "--faults"])
    assert [name in narrow.output for name in ("vessel.broken", "vessel.fast", long)] == [True] * 3
    assert "…" not in narrow.output
    assert "75.0 %" in narrow.output
    asked = await asyncio.to_thread(CliRunner().invoke, make_app(), ["rules", "health", "--json"])
    items = {item["rule_id"]: item for item in json.loads(asked.output)["items"]}
    assert (items["vessel.broken"]["is_failing"], items["vessel.fast"]["is_failing"]) == (True, False)
