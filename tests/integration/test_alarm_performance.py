"""Alarm performance from a real store: over the API, as pages, on the command line; one journal, one set of figures."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from alerts.performance.meter import PerformanceMeter
from ioc.cli import make_app
from ioc.domain.alerts import ChangeType, Severity
from ioc.storage.alert_actions import Action
from ioc.storage.alert_writer import AlertWriter
from ioc.storage.batches import PostgresBatchStore
from ioc.storage.outbox import enqueue
from ioc.storage.reports import read_performance
from tests.support.alerts import apply, at, decide
from tests.support.edge import SCHEMA

PERFORMANCE = "/api/v1/reports/alarm-performance"
HOUR = {"from": at(0).isoformat(), "to": at(60).isoformat()}
COUNT = 12


@pytest.fixture
async def viewer(edge):
    """Twelve alerts within two minutes, the first critical and taken note of after three; one is over at once."""
    store = PostgresBatchStore(edge.base.database, alerts=AlertWriter(enqueue))
    fired = [
        decide(
            asset_id=f"air.{number}", minute=number / 6, began=number / 6, title_en="<b>dust</b>",
            severity=Severity.MINOR if number else Severity.CRITICAL,
        )
        for number in range(COUNT)
    ]  # fmt: skip
    await apply(store, *fired)
    await edge.api.alert_actions.act(
        fired[0].alert_id, Action(type=ChangeType.ACKNOWLEDGED, actor="truc", at=at(3), expected_revision=1)
    )
    over = decide(ChangeType.RESOLVED, 2.5, began=11 / 6, asset_id="air.11", severity=Severity.MINOR)
    await apply(store, over)
    await edge.add_person("xem", "viewer")
    async with edge.signed_in("xem") as client:
        yield client


async def test_figures_come_with_their_targets(viewer):
    """Twelve in the first interval of six; the flood begins with the eleventh and ends as the eighth leaves."""
    report = (await viewer.get(PERFORMANCE, params=HOUR)).json()
    assert report["annunciations"] == {"critical": 1, "major": 0, "minor": 11, "info": 0}
    assert report["rate_per_10min"]["intervals"] == [12, 0, 0, 0, 0, 0]
    assert report["rate_per_10min"]["mean"] == 2
    assert report["rate_per_10min"]["above_10_ratio"] == 1 / 6
    [flood] = report["floods"]
    assert (flood["to"] - flood["from"]) / 60_000 == pytest.approx(10 + 7 / 6 - 10 / 6, abs=1e-4)
    assert report["acknowledging"]["critical"]["median_s"] == 180
    assert report["fleeting"]["count"] == 1
    assert report["unanswered"] == {"critical": 0, "major": 0, "minor": 11, "info": 0}
    assert report["standing"] == {"acknowledged": 1, "unacknowledged": 10, "returned_unacknowledged": 1}
    verdicts = {item["name"]: item["verdict"] for item in report["targets"]}
    assert (verdicts["peak_rate"], verdicts["stale"], verdicts["critical_share"]) == ("beyond", "good", None)


async def test_the_page_prints_without_script_or_inline_style(viewer):
    for language, word in (("vi", "Hiệu quả hệ thống cảnh báo"), ("en", "Alarm performance")):
        page = await viewer.get(f"{PERFORMANCE}.html", params={**HOUR, "lang": language})
        assert page.headers["content-type"].startswith("text/html")
        assert word in page.text
        assert '<svg class="rate"' in page.text
        assert 'class="bar overloaded"' in page.text
        assert re.search(r"<script|<style|style=|src=|<b>dust", page.text) is None
    shift = await viewer.get("/api/v1/reports/shift.html", params={**HOUR, "lang": "en"})
    assert "Share of time in flood" in shift.text
    assert re.search(
        r'<a href="/wall/\?lang=en#alert=[0-9a-f-]{36}">&lt;b&gt;dust&lt;/b&gt;</a></td><td>air\.', shift.text
    )
    both = {**HOUR, "shift": "now"}
    assert (await viewer.get("/api/v1/reports/shift.html", params=both)).json()["code"] == "bad_range"
    assert (await viewer.get("/api/v1/reports/shift.html", params={"shift": "now"})).status_code == 200


async def test_what_cannot_be_reported_is_refused_in_words(edge, viewer):
    for span in (timedelta(days=31, seconds=1), timedelta(0), timedelta(days=-1)):
        asked = {"from": (at(60) - span).isoformat(), "to": at(60).isoformat()}
        answer = await viewer.get(PERFORMANCE, params=asked)
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_range")
        assert "31 days" in answer.text
    assert (await viewer.get(PERFORMANCE, params={**HOUR, "unit": "99999"})).status_code == 404
    elsewhere = (await viewer.get(PERFORMANCE, params={**HOUR, "unit": "06811"})).json()
    assert (elsewhere["annunciation_count"], elsewhere["priorities"]) == (0, None)
    async with edge.client() as stranger:
        assert (await stranger.get(PERFORMANCE)).status_code == 401


async def test_pages_of_any_size_give_the_same_figures(edge, viewer):
    del viewer
    alerts = edge.api.alerts
    expected = await read_performance(alerts, at(0), at(60))
    for size in (1, 5, 14):
        meter = PerformanceMeter([], start=at(0), end=at(60))
        pages = [page async for page in alerts.events_between(at(-60), at(60), page=size)]
        assert max(map(len, pages)) <= size
        for page in pages:
            meter.take(page)
        assert meter.finish(await alerts.open_at(at(60))) == expected
    assert [page async for page in alerts.events_between(at(600), at(660))] == []


async def test_the_command_line_tells_the_same(viewer, address, tmp_path, monkeypatch):
    del viewer
    monkeypatch.setenv("IOC_STORE__URL", address)
    monkeypatch.setenv("IOC_STORE__SCHEMA_NAME", SCHEMA)
    monkeypatch.setenv("IOC_DATA_DIR", str(tmp_path))

    async def call(*arguments):
        return await asyncio.to_thread(CliRunner().invoke, make_app(), ["reports", *arguments])

    span = ("--from", HOUR["from"], "--to", HOUR["to"])
    told = await call("alarms", *span, "--lang", "en")
    assert told.exit_code == 0, told.output
    assert "Alarm performance" in told.stdout
    assert "█" in told.stdout
    shown = json.loads((await call("alarms", *span, "--json")).stdout)
    assert shown["annunciation_count"] == COUNT
    page = tmp_path / "page.html"
    assert (await call("alarms", *span, "--html", str(page))).exit_code == 0
    assert "<style>" in page.read_text(encoding="utf-8")
    shift = await call("shift", *span)
    assert "Báo cáo ca trực" in shift.stdout
    assert "truc" in shift.stdout
    assert json.loads((await call("shift", *span, "--json")).stdout)["fired"]["minor"] == COUNT - 1
    assert (await call("alarms", "--from", "gestern")).exit_code == 2
    assert (await call("alarms", "--unit", "99999")).exit_code == 2
