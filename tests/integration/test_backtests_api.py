"""Backtests over the API: in a process of their own, with progress, an end on request, honest after a restart."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from ioc.bootstrap.backtest_runner import BacktestRunner
from ioc.domain.events import Event
from ioc.domain.ids import event_id
from ioc.domain.kinds import Crowd
from ioc.errors import NotFoundError
from ioc.storage.backtest_runs import MOST_QUEUED, BacktestRunStore, BacktestTask, RunState
from ioc.storage.batches import PostgresBatchStore
from tests.support.alerts import no_alerts
from tests.support.edge import Edge

PATH = "/api/v1/backtests"
START = datetime(2026, 11, 23, 2, tzinfo=UTC)
END = START + timedelta(hours=4)
SHIPPED = Path(str(resources.files("alerts").joinpath("rules", "28-crowd.yaml"))).read_text(encoding="utf-8")
LOOSER = SHIPPED.partition("tests:")[0].replace("density_p_m2 >= 2", "density_p_m2 >= 1.85")
ASKED = {"rules": LOOSER, "from": START.isoformat(), "to": END.isoformat()}
_PATIENCE_S = 90.0


def _crowds(*, sites: int = 3) -> list[Event]:
    """Make four hours of crowds: dense for every second half hour, at every third site only for the looser rule."""
    events = []
    for minute in range(240):
        for number in range(sites):
            at = START + timedelta(minutes=minute)
            density = (3.0, 4.5, 1.9)[number % 3] if (minute // 30) % 2 else 0.5
            events.append(
                Event(
                    event_id=event_id("tourism", f"site.{number}", at, Crowd.KIND), feed_id="tourism",
                    asset_id=f"site.{number}", observed_at=at, received_at=at + timedelta(seconds=1),
                    data=Crowd(density_p_m2=density), unit_code="06652" if number != 1 else "06658",
                )
            )  # fmt: skip
    return events


@pytest.fixture
async def supervisor(edge) -> AsyncIterator[httpx.AsyncClient]:
    await edge.add_person("truc", "supervisor")
    async with edge.signed_in("truc") as client:
        yield client


async def _store(edge: Edge, events: list[Event]) -> None:
    async with PostgresBatchStore(edge.base.database, alerts=no_alerts).begin("test") as transaction:
        await transaction.record(events)


@asynccontextmanager
async def _running(edge: Edge, runs: BacktestRunStore | None = None) -> AsyncIterator[None]:
    """Have a runner at work as in an api process."""
    runner = BacktestRunner(edge.base.settings, edge.base.database.conninfo, runs or edge.api.backtests)
    task = asyncio.create_task(runner.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _wait_for(client: httpx.AsyncClient, path: str, *states: str) -> dict[str, Any]:
    async with asyncio.timeout(_PATIENCE_S):
        while True:
            shown = (await client.get(path)).json()
            if shown["state"] in states:
                return shown
            await asyncio.sleep(0.05)


async def test_a_backtest_runs_in_the_background_and_says_what_the_drafts_would_add(edge, supervisor):
    await _store(edge, _crowds())
    async with _running(edge):
        answer = await supervisor.post(PATH, json=ASKED)
        assert answer.status_code == 202, answer.text
        path = answer.headers["Location"]
        assert path == f"{PATH}/{answer.json()['id']}"
        done = await _wait_for(supervisor, path, "done", "failed")
    assert done["state"] == "done", done["reason"]
    assert done["progress"]["events"] == done["progress"]["estimate"] == 720
    assert done["progress"]["share"] == 1.0
    result = (await supervisor.get(f"{path}/result")).json()
    assert (result["added_count"], result["gone_count"], result["is_partial"]) == (4, 0, False)
    assert {item["asset"] for item in result["added"]} == {"site.2"}
    assert (result["changed_count"], result["changed"]) == (0, [])
    by_unit = {line["unit"]: line for line in result["lines"]}
    assert by_unit["06652"]["firings"] == by_unit["06652"]["in_force_firings"] + 4 == 8
    assert by_unit["06658"]["firings"] == by_unit["06658"]["in_force_firings"] == 4
    plot = await supervisor.get(f"{path}/plot.svg")
    assert plot.headers["content-type"].startswith("image/svg+xml")
    assert plot.text.count("<rect") == 1 + 12 + 8
    listed = (await supervisor.get(PATH)).json()
    assert [(item["id"], item["state"]) for item in listed["items"]] == [(done["id"], "done")]
    noted = await edge.api.audit.newest()
    assert ("backtest.start", done["id"]) in [(entry["action"], entry["object"]) for entry in noted]


async def test_only_what_concerns_the_named_unit_is_counted(edge, supervisor):
    await _store(edge, _crowds())
    async with _running(edge):
        answer = await supervisor.post(PATH, json={**ASKED, "unit": "06658"})
        done = await _wait_for(supervisor, answer.headers["Location"], "done", "failed")
    result = (await supervisor.get(f"{PATH}/{done['id']}/result")).json()
    assert [line["unit"] for line in result["lines"]] == ["06658"]
    assert result["added_count"] == 0


@pytest.mark.parametrize("sites", [3, 500])
async def test_a_running_backtest_that_is_cancelled_keeps_what_it_found_until_then(edge, supervisor, sites):
    events = _crowds(sites=sites)
    await _store(edge, events)
    async with _running(edge):
        answer = await supervisor.post(PATH, json=ASKED)
        path = answer.headers["Location"]
        await _wait_for(supervisor, path, "running")
        told = await supervisor.post(f"{path}/cancel")
        assert told.status_code == 202
        ended = await _wait_for(supervisor, path, "cancelled", "done", "failed")
    assert ended["state"] == "cancelled", ended["reason"]
    assert 0 <= ended["progress"]["events"] < len(events) == ended["progress"]["estimate"]
    result = (await supervisor.get(f"{path}/result")).json()
    assert result["is_partial"]
    assert START.isoformat() < (result["until"] or END.isoformat()) <= END.isoformat()
    assert (await supervisor.get(f"{path}/plot.svg")).status_code == 200


async def test_a_backtest_that_waits_is_cancelled_at_once(edge, supervisor):
    path = (await supervisor.post(PATH, json=ASKED)).headers["Location"]
    assert (await supervisor.get(path)).json()["state"] == "queued"
    assert (await supervisor.post(f"{path}/cancel")).json()["state"] == "cancelled"
    assert (await supervisor.get(f"{path}/result")).status_code == 404
    assert (await supervisor.get(f"{path}/plot.svg")).status_code == 404


async def test_faults_of_the_rules_come_at_once_with_their_lines(edge, supervisor):
    for rules, line in (
        (f"{LOOSER}\nnonsense: 1\n", LOOSER.count("\n") + 2),
        ("a: [1, 2\n", 2),
        ("a: &x 1\nb: *x\n", 2),
    ):
        answer = await supervisor.post(PATH, json={**ASKED, "rules": rules})
        assert answer.status_code == 422
        problem = answer.json()
        assert (answer.headers["content-type"], problem["code"]) == ("application/problem+json", "rules_have_faults")
        assert line in [fault["line"] for fault in problem["faults"]], problem
    assert (await supervisor.get(PATH)).json()["items"] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"from": END.isoformat(), "to": START.isoformat()},
        {"from": "1970-01-01T00:00:00Z"},
        {"from": "2026-11-23T02:00:00"},
        {"unit": "99999"},
        {"more": 1},
        {"rules": "# nothing\n"},
    ],
)
async def test_what_cannot_be_run_is_refused(edge, supervisor, wrong):
    answer = await supervisor.post(PATH, json=ASKED | wrong)
    assert answer.status_code == 422, answer.text


async def test_more_than_may_wait_is_refused_for_now(edge, supervisor):
    for _ in range(MOST_QUEUED):
        assert (await supervisor.post(PATH, json=ASKED)).status_code == 202
    refused = await supervisor.post(PATH, json=ASKED)
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) >= 1
    first = (await supervisor.get(PATH, params={"limit": MOST_QUEUED - 1})).json()
    rest = (await supervisor.get(PATH, params={"cursor": first["next"]})).json()
    assert len({item["id"] for item in [*first["items"], *rest["items"]]}) == MOST_QUEUED
    assert rest["next"] is None


async def test_only_supervisors_start_and_stop_backtests(edge, supervisor):
    path = (await supervisor.post(PATH, json=ASKED)).headers["Location"]
    for role, may_read in (("operator", 200), ("viewer", 403)):
        await edge.add_person(role)
        async with edge.signed_in(role) as client:
            assert (await client.get(path)).status_code == may_read
            assert (await client.post(PATH, json=ASKED)).status_code == 403
            assert (await client.post(f"{path}/cancel")).status_code == 403


async def test_no_more_run_at_once_than_is_set(edge):
    runs = edge.api.backtests
    task = BacktestTask(rules=LOOSER, start=START, end=END, unit_code=None)
    first, second = [await runs.add(task, created_by="truc") for _ in range(2)]
    assert await runs.claim(at_once=1) == first
    assert await runs.claim(at_once=1) is None
    await runs.finish(first, RunState.DONE)
    assert await runs.claim(at_once=1) == second


async def test_a_run_whose_process_is_gone_has_failed_and_results_are_kept_for_a_week(edge, supervisor):
    path = (await supervisor.post(PATH, json=ASKED)).headers["Location"]
    runs = edge.api.backtests
    run_id = await runs.claim(at_once=1)
    assert run_id is not None
    assert await runs.sweep() == []
    async with edge.base.database.connection() as connection:
        await connection.execute("UPDATE backtest_run SET beat_at = now() - INTERVAL '31 seconds'")
    assert await runs.sweep() == [run_id]
    shown = (await supervisor.get(path)).json()
    assert (shown["state"], shown["reason"]) == ("failed", "the server was restarted")
    assert await runs.beat(run_id), "a process that comes back late must stop"
    edge.clock.step(days=6)
    await runs.sweep()
    assert (await runs.get(run_id)).state == RunState.FAILED
    edge.clock.step(days=2)
    await runs.sweep()
    with pytest.raises(NotFoundError):
        await runs.get(run_id)


async def test_a_run_ends_with_the_server_that_started_it(edge, supervisor):
    await _store(edge, _crowds(sites=500))
    async with _running(edge):
        path = (await supervisor.post(PATH, json=ASKED)).headers["Location"]
        await _wait_for(supervisor, path, "running")
    shown = (await supervisor.get(path)).json()
    assert (shown["state"], shown["reason"]) == ("failed", "the server was restarted")


class _SlowStore(BacktestRunStore):
    """Says when it has taken a run, turns of the loop before whoever asked for one hears of it."""

    taken: asyncio.Event
    wait_s = 0.0

    async def claim(self, *, at_once: int) -> UUID | None:
        claimed = await super().claim(at_once=at_once)
        if claimed is not None:
            self.taken.set()
            for _ in range(3):
                await asyncio.sleep(self.wait_s)
        return claimed


async def test_a_run_that_was_just_claimed_ends_with_its_server(edge):
    runs = _SlowStore(edge.base.database, edge.clock)
    for turns in range(9):
        runs.taken = asyncio.Event()
        task = BacktestTask(rules=LOOSER, start=START, end=END, unit_code=None)
        run_id = await runs.add(task, created_by="truc")
        async with _running(edge, runs):
            await runs.taken.wait()
            for _ in range(turns):
                await asyncio.sleep(0)
        run = await runs.get(run_id)
        assert (run.state, run.reason) == (RunState.FAILED, "the server was restarted"), f"after {turns} turns"


async def test_a_claim_that_takes_longer_than_the_patience_of_who_ends_it_is_not_lost(edge):
    runs = _SlowStore(edge.base.database, edge.clock)
    runs.taken, runs.wait_s = asyncio.Event(), 0.03
    run_id = await runs.add(
        BacktestTask(rules=LOOSER, start=START, end=END, unit_code=None), created_by="truc"
    )  # fmt: skip
    task = asyncio.create_task(BacktestRunner(edge.base.settings, edge.base.database.conninfo, runs).run())
    await runs.taken.wait()
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0.01)
    with pytest.raises(asyncio.CancelledError):
        await task
    run = await runs.get(run_id)
    assert (run.state, run.reason) == (RunState.FAILED, "the server was restarted")


async def test_what_fails_in_the_process_is_said_and_nothing_waits_for_it(edge, supervisor):
    await _store(edge, _crowds())
    run_id = await edge.api.backtests.add(
        BacktestTask(rules="rule: x\n", start=START, end=END, unit_code=None), created_by="truc"
    )
    async with _running(edge):
        failed = await _wait_for(supervisor, f"{PATH}/{run_id}", "failed", "done")
        assert "rules:1" in failed["reason"]
        answer = await supervisor.post(PATH, json=ASKED)
        assert (await _wait_for(supervisor, answer.headers["Location"], "done", "failed"))["state"] == "done"


def test_the_process_of_a_backtest_ends_soundly_while_whoever_started_it_is_there():
    code = (
        "import sys, threading, time; from ioc.bootstrap.backtest_process import wait_for_end; "
        "sys.stdin.buffer.readline(); "
        "threading.Thread(target=wait_for_end, args=(threading.Event(),), daemon=True).start(); time.sleep(0.2)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(b"settings\n")
        process.stdin.flush()
        assert process.wait(60) == 0
