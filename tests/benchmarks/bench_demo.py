"""`ioc demo` from the command to a wall on which something moves: the first start, and the next one on its data."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.benchmarks.bench_pipeline import free_port
from tests.support.roles import RoleProcess

DEADLINE_S = 90.0


def measure() -> list[dict[str, Any]]:
    """Measure both starts."""
    with tempfile.TemporaryDirectory(prefix="qn-ioc-bench-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o711)
        first, again = asyncio.run(_start(folder)), asyncio.run(_start(folder))
    return [
        {"name": f"demo: command → moving map, {what}", "value": value, "unit": "s", "beside": None, "ratio": None}
        for what, value in (("first start (database made)", first), ("next start", again))
    ]


async def _start(folder: Path) -> float:
    port = free_port()
    environment = {"IOC_DATA_DIR": str(folder / "data"), "IOC_HTTP__PORT": str(port)}
    demo = RoleProcess("demo", environment=environment, output=folder / "demo.log")
    began = time.perf_counter()
    demo.start()
    try:
        async with asyncio.timeout(DEADLINE_S):
            await _see_something_move(f"http://127.0.0.1:{port}", folder / "data" / "demo-people.json")
        return time.perf_counter() - began
    finally:
        await demo.stop()


async def _see_something_move(url: str, people: Path) -> None:
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        csrf = await _sign_in(session, url, people)
        async with session.post(f"{url}/api/v1/auth/ws-ticket", headers={"X-CSRF-Token": csrf}) as answer:
            token = (await answer.json())["token"]
    ws = f"{url.replace('http', 'ws')}/ws/v1"
    async with connect(ws, subprotocols=[Subprotocol("qnioc.v1.json")], max_size=None) as wall:
        await wall.send(json.dumps({"t": "hello", "token": token}))
        await wall.send(json.dumps({"t": "sub", "id": 1, "ch": "map:vessels"}))
        seen: dict[str, list[Any]] = {}
        async for text in wall:
            frame = json.loads(text)
            for row in [*frame.get("rows", []), *frame.get("set", [])]:
                if row[0] in seen and seen[row[0]] != row[1:3]:
                    return
                seen[row[0]] = row[1:3]


async def _sign_in(session: aiohttp.ClientSession, url: str, people: Path) -> str:
    while True:
        try:
            who = {"username": "operator", "password": _read_password(people)}
            async with session.post(f"{url}/api/v1/auth/login", json=who) as answer:
                if answer.status == 200:
                    return str((await answer.json())["csrf"])
        except (OSError, ValueError, KeyError, aiohttp.ClientError):
            pass
        await asyncio.sleep(0.05)


def _read_password(people: Path) -> str:
    return str(json.loads(people.read_text(encoding="utf-8"))["operator"])
