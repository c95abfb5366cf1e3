"""A load generator in its own process: air readings of four quantities, 1,000 to a request, as fast as they are taken.

    python -m tests.support.pushing URL KEY SECONDS [EVENTS_PER_S]

Prints one JSON line: what was acknowledged, refused for load, and how long it took. The stream goes on where the wall
clock stands, so no reading is late.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from datetime import UTC, datetime

import aiohttp

STATIONS = 4_000
BATCH = 1_000
CONNECTIONS = 4


def bodies() -> list[list[bytes]]:
    """Parts of every request: before and after the time that is written into each record."""
    parts = []
    for start in range(0, STATIONS, BATCH):
        records = [
            b'{"station":"air.load-%04d","pm25":%.1f,"pm10":%.1f,"o3":%.1f,"no2":%.1f,"time":"'
            % (number, 20 + number % 30, 30 + number % 40, 40 + number % 20, 15 + number % 10)
            for number in range(start, start + BATCH)
        ]
        parts.append(records)
    return parts


async def push(url: str, key: str, seconds: float, rate: float | None) -> dict[str, float]:
    """Post until the time is over."""
    parts = bodies()
    accepted = shed = requests = 0
    began = time.perf_counter()
    last_ms = 0

    async def lane(session: aiohttp.ClientSession, number: int) -> None:
        nonlocal accepted, shed, requests, last_ms
        turn = number
        while (now := time.perf_counter()) - began < seconds:
            if rate is not None and accepted + shed > rate * (now - began):
                await asyncio.sleep(0.005)
                continue
            # Each request has a millisecond of its own: no reading is sent twice.
            last_ms = max(last_ms + 1, time.time_ns() // 1_000_000)
            stamp = datetime.fromtimestamp(last_ms / 1000, UTC).isoformat(timespec="milliseconds").encode()
            body = b"\n".join([record + stamp + b'"}' for record in parts[turn % len(parts)]])
            turn += 1
            async with session.post(url, data=body) as answer:
                requests += 1
                if answer.status == 202:
                    accepted += (await answer.json())["accepted"]
                elif answer.status == 429:
                    shed += BATCH
                    await asyncio.sleep(0.05)
                else:
                    raise RuntimeError(f"{answer.status}: {await answer.text()}")

    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"}
    async with aiohttp.ClientSession(headers=headers) as session, asyncio.TaskGroup() as group:
        for number in range(CONNECTIONS):
            group.create_task(lane(session, number))
    return {"accepted": accepted, "shed": shed, "requests": requests, "seconds": time.perf_counter() - began}


if __name__ == "__main__":
    arguments = sys.argv[1:]
    wanted = float(arguments[3]) if len(arguments) > 3 else None
    print(json.dumps(asyncio.run(push(arguments[0], arguments[1], float(arguments[2]), wanted))))
