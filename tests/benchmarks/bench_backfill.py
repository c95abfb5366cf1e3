"""A storm's back-fill: 12 hours of readings that gateways had buffered, 1.7 million of them, on top of live traffic.

Real processes, as in ``bench_pipeline``. Gates that nobody heard of before tell of perishables that wait far too long:
what was so hours ago is stored and raises no alert. Afterwards they tell the same of now, and each must raise one: else
the first count would say nothing. Before a figure is given, rows are counted.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import psycopg

from tests.benchmarks.bench_pipeline import SCHEMA, Deployment, check_rows, count_stored, on_both, running
from tests.support.pushing import BATCH, round_of

EVENTS = int(os.environ.get("IOC_BENCH_BACKFILL", "1700000"))
SPAN = timedelta(hours=12)
LIVE_EVENTS_PER_S = 400
"""Ten times the province's average today."""
CONNECTIONS = 4
GOAL_S = 180.0
DRAIN_S = 600.0
GATES, GATES_EVERY = 20, 34
"""Gates with perishables, and after how many other requests they tell of them."""
TOO_LATE = timedelta(hours=1)
"""What gates told less than half an hour ago is in time for their rule."""
ALERTS_WITHIN_S = 60.0


def measure() -> list[dict[str, Any]]:
    """Measure both deployments; one that cannot be had is left out with its reason."""
    return on_both("back-fill", _measure)


@dataclass(slots=True)
class _Sent:
    """How many were acknowledged, of each kind of traffic; ``queues`` are those of the old ones that gates told."""

    old: int = 0
    live: int = 0
    queues: int = 0


def _measure(name: str, environment: Mapping[str, str], folder: Path) -> list[dict[str, Any]]:
    with running(name, environment, folder) as deployment:
        took_s, sent, stale = asyncio.run(_fill_back(deployment))
    what = f"{name}: {sent.old:,} of 12 h on top of {LIVE_EVENTS_PER_S} live ones a second"
    return [
        _entry(f"{what}: stored after", took_s, "s", f"the goal of {GOAL_S:.0f} s", took_s / GOAL_S),
        _entry(f"{what}: rate", sent.old / took_s, "events/s"),
        _entry(f"{what}: stale alerts", stale, "alerts"),
    ]


async def _fill_back(deployment: Deployment) -> tuple[float, _Sent, int]:
    """Give the seconds until all was stored, what was sent, and how many alerts were about what was hours ago."""
    sent, began_at = _Sent(), datetime.now(UTC)
    headers = {"Authorization": f"Bearer {deployment.key}", "Content-Type": "application/x-ndjson"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        await psycopg.AsyncConnection.connect(deployment.conninfo, autocommit=True) as connection,
    ):
        stop = asyncio.Event()
        live = asyncio.create_task(_push_live(session, deployment, sent, stop))
        await asyncio.sleep(5)
        began, upcoming = time.perf_counter(), _old_requests(began_at)
        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(_push_old(session, deployment, upcoming, sent))
        await _wait_stored(deployment, connection, sent)
        took_s = time.perf_counter() - began
        stop.set()
        await live
        await _wait_stored(deployment, connection, sent)
        await check_rows(deployment, sent.old + sent.live - sent.queues)
        stale = await _count_alerts(connection)
        await _post(session, deployment, "border", _queues(datetime.now(UTC)))
        await _wait_alerts(connection, stale + GATES)
    return took_s, sent, stale


async def _count_alerts(connection: psycopg.AsyncConnection) -> int:
    sql = f"SELECT count(*) FROM {SCHEMA}.alert WHERE rule_id = 'gate.perishables'"
    row = await (await connection.execute(sql)).fetchone()
    return int(row[0]) if row else 0


async def _wait_alerts(connection: psycopg.AsyncConnection, wanted: int) -> None:
    """Wait until what is so now has raised its alerts: a rule that raises none at all would prove nothing."""
    ends_at = time.perf_counter() + ALERTS_WITHIN_S
    while (found := await _count_alerts(connection)) != wanted:
        if time.perf_counter() > ends_at:
            raise RuntimeError(f"{found} alerts instead of {wanted} about what is so now")
        await asyncio.sleep(0.1)


async def _wait_stored(deployment: Deployment, connection: psycopg.AsyncConnection, sent: _Sent) -> None:
    """Wait until the store has everything that was acknowledged so far."""
    ends_at = time.perf_counter() + DRAIN_S
    while (stored := await count_stored(connection)) < sent.old + sent.live:
        if time.perf_counter() > ends_at:
            raise RuntimeError(f"{deployment.name}: {sent.old + sent.live} acknowledged, {stored} stored")
        await asyncio.sleep(0.1)


def _old_requests(until: datetime) -> Iterator[tuple[str, bytes]]:
    """Give requests with what was buffered, from the oldest on, each with an instant of its own."""
    parts, count = round_of("province"), EVENTS // BATCH
    for number in range(count):
        at = until - SPAN + SPAN * number / count
        feed_id, records = parts[number % len(parts)]
        end = at.isoformat(timespec="milliseconds").encode() + b'"}'
        yield feed_id, b"\n".join([record + end for record in records])
        if number % GATES_EVERY == 0 and until - at > TOO_LATE:
            yield "border", _queues(at)


def _queues(at: datetime) -> bytes:
    """Give what the gates say at an instant."""
    stamp = at.isoformat(timespec="milliseconds")
    return b"\n".join(
        b'{"type":"queue","gate":"backfill-%02d","vehicles":9,"oldest_perishable_min":300,"time":"%s"}'
        % (number, stamp.encode())
        for number in range(GATES)
    )


async def _push_old(
    session: aiohttp.ClientSession, deployment: Deployment, upcoming: Iterator[tuple[str, bytes]], sent: _Sent
) -> None:
    for feed_id, body in upcoming:
        accepted = await _post(session, deployment, feed_id, body)
        sent.old += accepted
        sent.queues += accepted if feed_id == "border" else 0


async def _push_live(session: aiohttp.ClientSession, deployment: Deployment, sent: _Sent, stop: asyncio.Event) -> None:
    parts, turn = round_of("province"), 0
    while not stop.is_set():
        began = time.perf_counter()
        feed_id, records = parts[turn % len(parts)]
        end = datetime.now(UTC).isoformat(timespec="milliseconds").encode() + b'"}'
        some = [record + end for record in records[turn % 2 * LIVE_EVENTS_PER_S :][:LIVE_EVENTS_PER_S]]
        accepted = await _post(session, deployment, feed_id, b"\n".join(some))
        sent.live += accepted
        turn += 1
        await asyncio.sleep(max(0.0, began + 1.0 - time.perf_counter()))


async def _post(session: aiohttp.ClientSession, deployment: Deployment, feed_id: str, body: bytes) -> int:
    """Post a request until it is taken."""
    while True:
        async with session.post(f"{deployment.url}/api/v1/ingest/{feed_id}", data=body) as answer:
            if answer.status == 202:
                return int((await answer.json())["accepted"])
            if answer.status != 429:
                raise RuntimeError(f"{answer.status}: {await answer.text()}")
            await asyncio.sleep(0.05)


def _entry(name: str, value: float, unit: str, beside: str | None = None, ratio: float | None = None) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "beside": beside, "ratio": ratio}
