"""The hub of the walls: what 200 walls that watch 5,000 moving vessels cost, and how late an event is on the wall.

Three processes: the server with the real hub and socket on a real event log, a feeder that reports every vessel once a
second, and the walls, which read bytes as fast as they come and look at the frames' stamps only.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import statistics
import struct
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import uvloop
from fastapi import FastAPI

from ioc.api.services import ApiServices, Services
from ioc.api.serving import serve
from ioc.api.wall import endpoint
from ioc.api.wall.hub import WallHub
from ioc.api.wall.judging import Judging
from ioc.bootstrap.knowledge import load_world
from ioc.clocks import SystemClock
from ioc.domain.events import Event
from ioc.domain.ids import event_id
from ioc.domain.kinds import VesselPosition
from ioc.messaging.embedded import EmbeddedLog
from ioc.ports import Topic, TopicPartition
from ioc.storage.accounts import Account, Admission
from ioc.storage.alert_actions import AlertActions

WALLS = 200
REPOSITORY = Path(__file__).resolve().parents[2]
_STAMP = re.compile(rb'"t":"(\w+)","ts":(\d+)')


@dataclass(frozen=True, slots=True)
class Load:
    """How many walls watch how many vessels, and for how long they are watched once all is running."""

    walls: int
    vessels: int = 5_000
    warm_s: float = 6.0
    measured_s: float = 12.0

    @classmethod
    def read(cls, texts: Sequence[str]) -> Load:
        """Read what ``texts`` gave."""
        walls, vessels, warm_s, measured_s = texts
        return cls(int(walls), int(vessels), float(warm_s), float(measured_s))

    @property
    def texts(self) -> list[str]:
        """For another process."""
        return [str(value) for value in (self.walls, self.vessels, self.warm_s, self.measured_s)]


def measure() -> list[dict[str, Any]]:
    """Measure the server without walls, with one and with 200 of them."""
    alone, one, many = (uvloop.run(serve_walls(Load(walls))) for walls in (0, 1, WALLS))
    vessels = f"{Load(0).vessels:,} vessels/s"
    fan_out_pct = many.cpu_pct - alone.cpu_pct
    return [
        _entry(f"hub: CPU of {vessels}, no wall", alone.cpu_pct, "% of a core"),
        _entry(f"hub: CPU of {vessels}, {WALLS} walls", many.cpu_pct, "% of a core", "no wall", alone.cpu_pct),
        _entry(f"hub: CPU of sending it to {WALLS} walls", fan_out_pct, "% of a core"),
        _entry(f"hub: sent to {WALLS} walls", many.bytes_s / 1e6, "MB/s"),
        _entry("hub: rows in step per wall and second", many.deltas_s, "deltas/s"),
        _entry("tick to wall, 1 wall, p99", one.quantile(0.99), "ms"),
        _entry(f"tick to wall, {WALLS} walls, p50", many.quantile(0.5), "ms", "1 wall", one.quantile(0.5)),
        _entry(f"tick to wall, {WALLS} walls, p99", many.quantile(0.99), "ms", "1 wall", one.quantile(0.99)),
        _entry("event to tick at 1 Hz, p50 (the rest is the tick's own second)", many.event_p50_ms, "ms"),
    ]


def _entry(name: str, value: float, unit: str, beside: str | None = None, other: float | None = None) -> dict[str, Any]:
    ratio = value / other if other else None
    return {"name": name, "value": value, "unit": unit, "beside": beside, "ratio": ratio}


@dataclass(kw_only=True)
class Run:
    """One measured stretch."""

    cpu_pct: float
    latencies_ms: list[float] = field(default_factory=list)
    bytes_s: float = 0.0
    deltas_s: float = 0.0
    event_p50_ms: float = 0.0

    def quantile(self, share: float) -> float:
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class _Nothing:
    """Stores without content: what is measured is the hub, not the database."""

    async def latest_events(self, **_: object) -> list[Event]:
        return []

    async def events_since(self, *_: object) -> AsyncIterator[list[Event]]:
        for nothing in ():
            yield nothing

    async def last_event_id(self) -> int:
        return 0

    async def events_after(self, *_: object, **__: object) -> list[object]:
        return []

    async def open_alerts(self) -> list[object]:
        return []

    async def alerts_touched_since(self, since: datetime) -> list[object]:
        return []

    async def positions(self, _: frozenset[TopicPartition]) -> dict[TopicPartition, int]:
        return {}

    async def courses(self, **_: object) -> dict[str, list[float]]:
        return {}

    async def record(self, *_: object) -> None:
        return None

    async def follow(self, after: int) -> AsyncIterator[list[object]]:
        await asyncio.Event().wait()
        yield []

    async def redeem_ticket(self, token: str) -> Admission:
        account = Account(name=token, display_name="", roles=("viewer",), department=None, disabled=False)
        return Admission(account=account, session_hash=None)

    async def statuses(self) -> list[dict[str, Any]]:
        return []


@asynccontextmanager
async def _child(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.bench_wall", *arguments, cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


async def serve_walls(load: Load) -> Run:
    """Run the server under a load, and say what was seen."""
    clock, nothing = SystemClock(), _Nothing()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.sqlite3"
        async with EmbeddedLog(path, retention=timedelta(hours=1), retention_bytes=10**9, clock=clock) as log:
            hub = WallHub(
                log=log, history=cast(Any, nothing), alerts=cast(Any, nothing), indicators=cast(Any, nothing),
                feed_statuses=nothing.statuses, judging=Judging(log, nothing.positions, clock),
                zones=load_world().zones, stale_after={VesselPosition: timedelta(minutes=6)}, name_of=lambda _: None,
                clock=clock, random=Random(1),
            )  # fmt: skip
            actions = AlertActions(cast(Any, None), cast(Any, None))
            api = SimpleNamespace(accounts=nothing, hub=hub, alerts=nothing, alert_actions=actions, audit=nothing)
            app = FastAPI()
            app.include_router(endpoint.router(Services(clock=clock), cast(ApiServices, api)))
            stop, port = asyncio.Event(), asyncio.get_running_loop().create_future()
            async with asyncio.TaskGroup() as group:
                running = group.create_task(hub.run())
                serving = group.create_task(serve(app, host="127.0.0.1", port=0, stop=stop, on_ready=port.set_result))
                try:
                    return await _measure(path, await port, load)
                finally:
                    stop.set()
                    running.cancel()
                    await serving


async def _measure(path: Path, port: int, load: Load) -> Run:
    async with _child("feed", str(path), *load.texts), _child("walls", str(port), *load.texts) as watching:
        await asyncio.sleep(load.warm_s)
        began, cpu = time.perf_counter(), time.process_time()
        await asyncio.sleep(load.measured_s)
        run = Run(cpu_pct=100 * (time.process_time() - cpu) / (time.perf_counter() - began))
        if load.walls:
            assert watching.stdout is not None
            seen = json.loads(await asyncio.wait_for(watching.stdout.readline(), 30))
            run.latencies_ms, run.event_p50_ms = seen["latencies_ms"], seen["event_p50_ms"]
            run.bytes_s, run.deltas_s = seen["bytes"] / seen["seconds"], seen["deltas"] / seen["seconds"] / load.walls
        return run


async def _feed(path: Path, load: Load) -> None:
    """Report every vessel once a second, in four batches."""
    async with EmbeddedLog(path, retention=timedelta(hours=1), retention_bytes=10**9, clock=SystemClock()) as log:
        step = 0
        while True:
            await log.append(Topic.EVENTS, [_vessel(number, step) for number in range(step % 4, load.vessels, 4)])
            step += 1
            await asyncio.sleep(0.25)


def _vessel(number: int, step: int) -> Event:
    at, asset_id = datetime.now(UTC), f"vessel.574{number:06}"
    data = VesselPosition(sog_kn=6.0 + step % 5, cog_deg=float(number % 360), name=f"Hạ Long {number:04}", pax_count=30)
    lon_deg, lat_deg = 106.9 + number % 90 / 100 + step / 10**5, 20.7 + number % 50 / 100
    return Event(
        event_id=event_id("vessels", asset_id, at, "vessel.position"), feed_id="vessels", asset_id=asset_id,
        observed_at=at, received_at=at, lon_deg=lon_deg, lat_deg=lat_deg, data=data,
    )  # fmt: skip


class _Reader(asyncio.Protocol):
    """A wall that looks at frames' heads only: 200 of them must not cost more than what they measure."""

    def __init__(self, port: int, number: int) -> None:
        self._port, self._number = port, number
        self._buffer = bytearray()
        self._is_open = False
        self.latencies_ms: list[float] = []
        self.event_ages_ms: list[float] = []
        self.byte_count = self.delta_count = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        key = base64.b64encode(os.urandom(16)).decode()
        head = (
            f"GET /ws/v1 HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: qnioc.v1.json\r\n\r\n"
        )
        self._transport.write(head.encode())

    def _say(self, frame: dict[str, object]) -> None:
        payload = json.dumps(frame).encode()
        assert len(payload) < 126
        self._transport.write(bytes([0x81, 0x80 | len(payload), 0, 0, 0, 0]) + payload)  # masked with zeros

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self.byte_count += len(data)
        if not self._is_open:
            head, _, rest = bytes(self._buffer).partition(b"\r\n\r\n")
            if not rest and b"\r\n\r\n" not in self._buffer:
                return
            assert b" 101 " in head, head
            self._is_open, self._buffer = True, bytearray(rest)
            self._say({"t": "hello", "token": f"wall-{self._number}"})
            self._say({"t": "sub", "id": 1, "ch": "map:vessels"})
            self._say({"t": "sub", "id": 2, "ch": "kpi:province"})
        while (frame := self._next_frame()) is not None:
            self._look(frame)

    def _next_frame(self) -> memoryview | None:
        buffer = self._buffer
        if len(buffer) < 10:
            return None
        size, start = buffer[1] & 0x7F, 2
        if size == 126:
            (size,), start = struct.unpack_from("!H", buffer, 2), 4
        elif size == 127:
            (size,), start = struct.unpack_from("!Q", buffer, 2), 10
        if len(buffer) < start + size:
            return None
        frame = bytes(buffer[start : start + size])
        del buffer[: start + size]
        return memoryview(frame)

    def _look(self, frame: memoryview) -> None:
        found = _STAMP.search(frame[:60])
        if found is not None and found[1] == b"d" and len(frame) > 20_000:
            now_ms = time.time() * 1000
            self.delta_count += 1
            self.latencies_ms.append(now_ms - int(found[2]))
            if self._number == 0:
                rows = json.loads(bytes(frame))["set"]
                self.event_ages_ms += [int(found[2]) - row[-2] for row in rows[::20]]


async def _watch(port: int, load: Load) -> None:
    readers = [_Reader(port, number) for number in range(load.walls)]
    loop = asyncio.get_running_loop()
    for number, reader in enumerate(readers):
        await loop.create_connection(lambda reader=reader: reader, "127.0.0.1", port)  # type: ignore[misc]
        if number % 20 == 19:
            await asyncio.sleep(0.1)
    await asyncio.sleep(load.warm_s - 2)
    for reader in readers:
        reader.latencies_ms.clear()
        reader.byte_count = reader.delta_count = 0
    began = time.perf_counter()
    await asyncio.sleep(load.measured_s - 1)
    said = {
        "seconds": time.perf_counter() - began,
        "bytes": sum(reader.byte_count for reader in readers),
        "deltas": sum(reader.delta_count for reader in readers),
        "latencies_ms": [latency for reader in readers for latency in reader.latencies_ms],
        "event_p50_ms": statistics.median([age for reader in readers for age in reader.event_ages_ms] or [0.0]),
    }
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()
    await asyncio.sleep(60)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["feed", path, *texts]:
            uvloop.run(_feed(Path(path), Load.read(texts)))
        case ["walls", port, *texts]:
            uvloop.run(_watch(int(port), Load.read(texts)))
        case _:
            raise SystemExit("run it by `python -m tests.benchmarks wall`")
