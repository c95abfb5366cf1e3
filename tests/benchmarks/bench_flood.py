"""An alarm flood through the whole path: 20,000 alerts in 60 s, and how late its critical ones are on the wall.

Real roles on embedded parts; readings are pushed over HTTP, one in a hundred is critical. The wall is a client that
follows the alerts. Departments are told meanwhile, by the shipped policy.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from tests.benchmarks.bench_pipeline import SCHEMA, Deployment, open_wall, running

ALERTS, SECONDS, BATCHES_PER_S = 20_000, 60, 4
CRITICAL_EVERY = 100
SETTLE_S = 120.0
RULE = """
rule: gate.perishables
condition: threshold
on: border.queue
levels:
  - {severity: critical, when: perishable_oldest_min > 1000}
  - {severity: major, when: perishable_oldest_min > 240}
title: {vi: "{asset}: hàng tươi chờ", en: "{asset}: perishables wait"}
detail: {vi: "{value} phút", en: "{value} minutes"}
runbook: {vi: "Đo tải.", en: "A measurement."}
tests:
  - name: it fires
    given: [{asset: gate.x, at: 0m, perishable_oldest_min: 300}]
    expect: [{type: fired, severity: major}]
"""


def measure() -> list[dict[str, Any]]:
    """Measure one flood on embedded parts."""
    with tempfile.TemporaryDirectory(prefix="qn-ioc-flood-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o711)
        (folder / "rules").mkdir()
        (folder / "rules" / "flood.yaml").write_text(RULE, encoding="utf-8")
        environment = {"IOC_DATA_DIR": str(folder / "embedded"), "IOC_ALERTS__RULES_DIR": str(folder / "rules")}
        with running("flood", environment, folder) as deployment:
            seen = asyncio.run(_flood(deployment))
    critical, others = seen["critical_ms"], seen["other_ms"]
    flood = f"flood of {ALERTS:,} alerts in {SECONDS} s"
    return [
        _entry(f"{flood}: alerts at the wall", len(critical) + len(others), "alerts"),
        _entry(f"{flood}: critical → wall, p50", statistics.median(critical), "ms"),
        _entry(f"{flood}: critical → wall, p99", statistics.quantiles(critical, n=100)[98], "ms"),
        _entry(f"{flood}: critical → wall, worst", max(critical), "ms"),
        _entry(f"{flood}: every alert → wall, p99", statistics.quantiles(others, n=100)[98], "ms"),
        _entry(f"{flood}: alerts of which departments were told", seen["told"], "alerts"),
        _entry(f"{flood}: notifications that told them", seen["notifications"], "notifications"),
    ]


async def _flood(deployment: Deployment) -> dict[str, Any]:
    sent_at: dict[str, float] = {}
    seen: dict[str, Any] = {"critical_ms": [], "other_ms": []}
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        wall = await open_wall(session, deployment)
        listening = asyncio.create_task(_listen(wall, sent_at, seen))
        await asyncio.sleep(1)
        began = time.perf_counter()
        size = ALERTS // (SECONDS * BATCHES_PER_S)
        for batch, first in enumerate(range(0, ALERTS, size)):
            await asyncio.sleep(max(0.0, began + batch / BATCHES_PER_S - time.perf_counter()))
            numbers = range(first, min(first + size, ALERTS))
            sent_at.update(dict.fromkeys((f"gate.flood-{number}" for number in numbers), time.perf_counter()))
            headers = {"Authorization": f"Bearer {deployment.key}"}
            async with session.post(
                f"{deployment.url}/api/v1/ingest/border", json=[_queue(number) for number in numbers], headers=headers
            ) as answer:
                assert answer.status == 202, await answer.text()
        async with asyncio.timeout(SETTLE_S):
            await listening
        await wall.close()
    seen |= await _told(deployment)
    return seen


def _queue(number: int) -> dict[str, Any]:
    waited = 1_200 if number % CRITICAL_EVERY == 0 else 300
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    return {"type": "queue", "gate": f"flood-{number}", "vehicles": 9, "oldest_perishable_min": waited, "time": at}


async def _listen(wall: ClientConnection, sent_at: Mapping[str, float], seen: dict[str, Any]) -> None:
    """Follow the alerts until all have come; a wall that is cut off says how far it came."""
    missing = ALERTS
    try:
        async for text in wall:
            arrived = time.perf_counter()
            frame = json.loads(text)
            if frame["t"] != "ev" or frame["e"]["type"] != "fired":
                continue
            alert = frame["e"]["alert"]
            name = "critical_ms" if alert["severity"] == "critical" else "other_ms"
            seen[name].append(1_000 * (arrived - sent_at[alert["asset_id"]]))
            missing -= 1
            if missing == 0:
                return
    except ConnectionClosed as closed:
        raise RuntimeError(f"the wall was closed with {missing:,} alerts to come: {closed}") from closed


async def _told(deployment: Deployment) -> dict[str, int]:
    """Wait until every alert that fired was told, and count."""
    counted = "count(DISTINCT one), count(DISTINCT notification_id)"
    sql = f"SELECT {counted} FROM {SCHEMA}.notification, unnest(firing_ids) AS one"
    ends_at = time.perf_counter() + SETTLE_S
    async with await psycopg.AsyncConnection.connect(deployment.conninfo, autocommit=True) as connection:
        while True:
            row = await (await connection.execute(sql)).fetchone()
            found = {"told": int(row[0]) if row else 0, "notifications": int(row[1]) if row else 0}
            if found["told"] >= ALERTS or time.perf_counter() > ends_at:
                return found
            await asyncio.sleep(1)


def _entry(name: str, value: float, unit: str) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "beside": None, "ratio": None}
