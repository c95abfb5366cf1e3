"""The whole path with real processes: HTTP batches → log → rules → store, embedded and on Kafka + TimescaleDB.

The load generator runs on the same cores. A rate counts as sustained when the store holds what was acknowledged a few
seconds after the last request: the lag was flat, not growing.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from ioc import bootstrap, settings
from tests.support.pushing import MIXES
from tests.support.roles import RoleProcess
from tests.support.servers import REPOSITORY, DevelopmentServers

FEEDS = [*MIXES["province"], "border"]
SECONDS = float(os.environ.get("IOC_BENCH_SECONDS", "30"))
SCHEMA = "ioc"
TENFOLD_EVENTS_PER_S = 2_000
LATENCY_ALERTS = 200
PASSWORD = "mat-khau-do-toc-do"
DRAIN_S = 180.0


def measure() -> list[dict[str, Any]]:
    """Measure both deployments; one that cannot be had is left out with its reason."""
    return on_both("pipeline", _measure)


def on_both(
    name: str, measure_one: Callable[[str, Mapping[str, str], Path], list[dict[str, Any]]]
) -> list[dict[str, Any]]:
    """Measure something embedded and on a cluster: ``measure_one`` gets its name, its settings and a folder."""
    results = []
    with tempfile.TemporaryDirectory(prefix=f"qn-ioc-{name}-", dir="/tmp") as made:
        folder = Path(made)
        folder.chmod(0o711)
        results += measure_one("embedded", {"IOC_DATA_DIR": str(folder / "embedded")}, folder)
        servers = DevelopmentServers(durable=True)
        try:
            environment = {
                "IOC_DATA_DIR": str(folder / "cluster"),
                "IOC_LOG__BACKEND": "kafka",
                "IOC_LOG__KAFKA_BOOTSTRAP": str(servers.facts("kafka")["bootstrap"]),
                "IOC_STORE__URL": str(servers.facts("timescaledb")["url"]),
            }
            results += measure_one("Kafka + TimescaleDB", environment, folder)
        except pytest.skip.Exception as skipped:
            results.append(
                {"name": f"{name} on a cluster: {skipped}", "value": None, "unit": "", "beside": None, "ratio": None}
            )
        finally:
            servers.stop()
    return results


@dataclass
class Deployment:
    """A running deployment, and how to reach it."""

    name: str
    environment: Mapping[str, str]
    roles: list[RoleProcess]
    url: str
    key: str
    conninfo: str
    started_in_s: float


def _measure(name: str, environment: Mapping[str, str], folder: Path) -> list[dict[str, Any]]:
    with running(name, environment, folder) as deployment:
        rest_mb = _memory_mb(deployment)
        tenfold = asyncio.run(_flood(deployment, mix="province", rate=TENFOLD_EVENTS_PER_S))
        tenfold_mb = _memory_mb(deployment)
        air = asyncio.run(_flood(deployment, mix="air", rate=None))
        free = asyncio.run(_flood(deployment, mix="province", rate=None))
        sustained = asyncio.run(_flood(deployment, mix="province", rate=0.9 * free["stored_per_s"]))
        flooded_mb = _memory_mb(deployment)
        asyncio.run(check_rows(deployment, int(sum(flood["accepted"] for flood in (tenfold, air, free, sustained)))))
        latencies_ms = asyncio.run(_latencies_ms(deployment))
    return [
        _entry(f"{name}: start of all roles until ready", deployment.started_in_s, "s"),
        _entry(f"{name}: acknowledged, flat out", free["accepted_per_s"], "events/s"),
        _entry(
            f"{name}: stored, flat out",
            free["stored_per_s"],
            "events/s",
            "acknowledged",
            free["stored_per_s"] / free["accepted_per_s"],
        ),
        _entry(f"{name}: air alone, five rules with windows a reading: stored", air["stored_per_s"], "events/s"),
        _entry(f"{name}: sustained with flat lag", sustained["accepted_per_s"], "events/s"),
        _entry(f"{name}: catching up after the last request", sustained["behind_s"], "s"),
        _entry(f"{name}: reading pushed → alert at a wall, p50", statistics.median(latencies_ms), "ms"),
        _entry(f"{name}: reading pushed → alert at a wall, p99", statistics.quantiles(latencies_ms, n=100)[98], "ms"),
        _entry(f"{name}: memory of the roles at rest", rest_mb, "MB"),
        _entry(f"{name}: memory of the roles at {TENFOLD_EVENTS_PER_S:,} events/s", tenfold_mb, "MB"),
        _entry(f"{name}: memory of the roles after the floods", flooded_mb, "MB"),
    ]


@contextmanager
def running(name: str, environment: Mapping[str, str], folder: Path) -> Iterator[Deployment]:
    """Start both groups of roles, and stop them when the block ends."""
    loaded = settings.load(environment)
    with asyncio.Runner() as runner:
        ready = bootstrap.prepared(loaded)
        conninfo = runner.run(ready.__aenter__())
        key = runner.run(bootstrap.add_key(loaded, name="bench", feed_ids=FEEDS, days=1))
        runner.run(
            bootstrap.add_account(
                loaded, name="bench", display_name="bench", password=PASSWORD, roles=["operator"], department=None
            )
        )
        port = free_port()
        shared = {
            **environment,
            "IOC_LOG_LEVEL": "WARNING",
            "IOC_FEEDS__ENABLED": ",".join(FEEDS),
            "IOC_HTTP__PORT": str(port),
        }
        roles = [
            RoleProcess("run", group, environment=shared, output=folder / f"{name[:5]}-{group}.log")
            for group in ("ingest,api", "process,deliver")
        ]
        began = time.perf_counter()
        for role in roles:
            role.start()
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_ready(url, roles)
            yield Deployment(name, environment, roles, url, key, conninfo, time.perf_counter() - began)
        finally:
            for role in roles:
                if role.is_alive:
                    runner.run(role.stop())
            runner.run(ready.__aexit__(None, None, None))


async def _flood(deployment: Deployment, *, mix: str, rate: float | None) -> dict[str, float]:
    async with await psycopg.AsyncConnection.connect(deployment.conninfo, autocommit=True) as connection:
        before = await count_stored(connection)
        arguments = [
            deployment.url,
            deployment.key,
            str(SECONDS),
            mix,
            *([str(rate)] if rate else []),
        ]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.support.pushing", *arguments, cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE
        )
        said = json.loads((await process.communicate())[0])
        at_end = await count_stored(connection) - before
        ended = time.perf_counter()
        while await count_stored(connection) - before < said["accepted"]:
            if time.perf_counter() - ended > DRAIN_S:
                stored = await count_stored(connection) - before
                raise RuntimeError(f"{deployment.name}: {said['accepted']} acknowledged, {stored} stored")
            await asyncio.sleep(0.1)
        return {
            "accepted": said["accepted"],
            "accepted_per_s": said["accepted"] / said["seconds"],
            "stored_per_s": at_end / said["seconds"],
            "behind_s": time.perf_counter() - ended,
        }


async def _latencies_ms(deployment: Deployment) -> list[float]:
    """Push readings that fire an alert each, under a steady load, and time them until the alert is at a wall."""
    loading = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.pushing", deployment.url, deployment.key, "60", "province",
        str(TENFOLD_EVENTS_PER_S), cwd=REPOSITORY, stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    sent_at: dict[str, float] = {}
    latencies: list[float] = []
    try:
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session,
            await open_wall(session, deployment) as wall,
        ):
            listening = asyncio.create_task(_listen(wall, sent_at, latencies))
            await asyncio.sleep(2)
            for number in range(LATENCY_ALERTS):
                asset = f"bench-{number:04d}"
                record = {"type": "queue", "gate": asset, "vehicles": 9, "oldest_perishable_min": 300, "time": _now()}
                headers = {"Authorization": f"Bearer {deployment.key}"}
                sent_at[f"gate.{asset}"] = time.perf_counter()
                async with session.post(
                    f"{deployment.url}/api/v1/ingest/border", json=record, headers=headers
                ) as answer:
                    assert answer.status == 202, await answer.text()
                await asyncio.sleep(0.1)
            async with asyncio.timeout(30):
                await listening
    finally:
        loading.terminate()
        await loading.wait()
    return latencies


async def open_wall(session: aiohttp.ClientSession, deployment: Deployment) -> ClientConnection:
    """Open a wall that follows the alerts."""
    who = {"username": "bench", "password": PASSWORD}
    async with session.post(f"{deployment.url}/api/v1/auth/login", json=who) as answer:
        csrf = (await answer.json())["csrf"]
    async with session.post(f"{deployment.url}/api/v1/auth/ws-ticket", headers={"X-CSRF-Token": csrf}) as answer:
        token = (await answer.json())["token"]
    wall = await connect(f"{deployment.url.replace('http', 'ws')}/ws/v1", subprotocols=[Subprotocol("qnioc.v1.json")])
    await wall.send(json.dumps({"t": "hello", "token": token}))
    await wall.send(json.dumps({"t": "sub", "id": 1, "ch": "alerts"}))
    return wall


async def _listen(wall: ClientConnection, sent_at: Mapping[str, float], latencies: list[float]) -> None:
    async for text in wall:
        arrived = time.perf_counter()
        frame = json.loads(text)
        if frame["t"] != "ev" or frame["e"]["type"] != "fired":
            continue
        began = sent_at.get(frame["e"]["alert"]["asset_id"])
        if began is not None:
            latencies.append(1_000 * (arrived - began))
            if len(latencies) == LATENCY_ALERTS:
                return


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


async def count_stored(connection: psycopg.AsyncConnection) -> int:
    """Count what is stored by the positions, which are written with the rows: counting rows would be a load itself."""
    sql = f"SELECT coalesce(sum(next_offset), 0) FROM {SCHEMA}.log_position WHERE topic = 'events'"
    row = await (await connection.execute(sql)).fetchone()
    return int(row[0]) if row else 0


async def check_rows(deployment: Deployment, acknowledged: int) -> None:
    """Compare what was acknowledged with the rows that are there: a figure about lost readings is worth nothing."""
    tables = ("env_air_reading", "camera_event", "traffic_flow", "energy_feeder", "tourism_crowd")
    rows = " + ".join(f"(SELECT count(*) FROM {SCHEMA}.{table})" for table in tables)
    async with await psycopg.AsyncConnection.connect(deployment.conninfo, autocommit=True) as connection:
        found = await (await connection.execute(f"SELECT {rows}")).fetchone()
    if found is None or found[0] != acknowledged:
        raise RuntimeError(f"{deployment.name}: {acknowledged} acknowledged, {found and found[0]} rows")


def _memory_mb(deployment: Deployment) -> float:
    total_kb = 0
    for role in deployment.roles:
        for line in Path(f"/proc/{role.pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmRSS"):
                total_kb += int(line.split()[1])
    return total_kb / 1024


def _wait_ready(url: str, roles: list[RoleProcess]) -> None:
    for _ in range(600):
        done = subprocess.run(["curl", "-sf", f"{url}/health/ready"], capture_output=True, check=False)
        if done.returncode == 0:
            return
        if dead := [role for role in roles if not role.is_alive]:
            raise RuntimeError(dead[0].output[-2000:])
        time.sleep(0.1)
    raise RuntimeError("not ready within a minute")


def free_port() -> int:
    """Give a port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _entry(name: str, value: float, unit: str, beside: str | None = None, ratio: float | None = None) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "beside": beside, "ratio": ratio}
