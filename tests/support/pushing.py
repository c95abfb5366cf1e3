"""A load generator in its own process: readings over HTTP, 1,000 to a request, as fast as they are taken.

    python -m tests.support.pushing URL KEY SECONDS MIX [EVENTS_PER_S]

MIX is ``air``, where every reading goes through windows of five rules, or ``province``, where feeds come in the shares
that they have of a busy hour. Prints one JSON line: what was acknowledged, refused for load, and how long it took.
The stream goes on where the wall clock stands, so no reading is late.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

import aiohttp

BATCH = 1_000
CONNECTIONS = 4

_RECORDS: dict[str, tuple[int, Callable[[int], bytes]]] = {
    "air": (
        4_000,
        lambda n: (
            b'{"station":"air.load-%04d","pm25":%.1f,"pm10":%.1f,"o3":%.1f,"no2":%.1f,"time":"'
            % (n, 20 + n % 30, 30 + n % 40, 40 + n % 20, 15 + n % 10)
        ),
    ),
    "cameras": (
        3_000,
        lambda n: (
            b'{"type":"event","camera":"load-%04d","label":"boat","confidence":0.8,"zone":"pier","objects":%d,'
            b'"time":"' % (n, n % 9)
        ),
    ),
    "traffic": (
        2_000,
        lambda n: (
            b'{"type":"flow","counter":"load-%04d","vehicles":%d,"speed_kmh":48.5,"occupancy":8.2,"period_s":60,'
            b'"time":"' % (n, n % 60)
        ),
    ),
    "energy": (
        2_000,
        lambda n: (
            b'{"type":"feeder","feeder":"load-%04d","kw":%d,"v":22300,"a":118.5,"status":"on","time":"'
            % (n, 4_000 + n % 300)
        ),
    ),
    "tourism": (
        1_000,
        lambda n: (
            b'{"type":"crowd","site":"load-%04d","people":%d,"density":0.4,"capacity":8000,"time":"' % (n, n % 2_000)
        ),
    ),
}

MIXES = {"air": {"air": 1}, "province": {"cameras": 20, "traffic": 7, "energy": 3, "tourism": 3, "air": 1}}
"""Requests of each feed in a round; the province's in the shares of its feeds' peaks at ten times today's rates."""


def round_of(mix: str) -> list[tuple[str, list[bytes]]]:
    """Give a round of requests: the feed, and each record up to its time."""
    requests: list[tuple[float, str, list[bytes]]] = []
    for feed_id, count in MIXES[mix].items():
        assets, make = _RECORDS[feed_id]
        slices = [[make(n) for n in range(start, start + BATCH)] for start in range(0, assets, BATCH)]
        wanted = max(count, len(slices) if mix == feed_id else count)
        requests += [((turn + 0.5) / wanted, feed_id, slices[turn % len(slices)]) for turn in range(wanted)]
    return [(feed_id, records) for _, feed_id, records in sorted(requests, key=lambda item: item[:2])]


async def push(url: str, key: str, seconds: float, mix: str, rate: float | None) -> dict[str, float]:
    """Post until the time is over."""
    parts = round_of(mix)
    sent = accepted = shed = requests = turn = 0
    began = time.perf_counter()
    last_ms = 0

    async def lane(session: aiohttp.ClientSession) -> None:
        nonlocal sent, accepted, shed, requests, last_ms, turn
        while (now := time.perf_counter()) - began < seconds:
            # What is under way counts: else all lanes send at once, and a steady load comes in bursts.
            if rate is not None and sent > rate * (now - began):
                await asyncio.sleep(0.005)
                continue
            sent += BATCH
            # Each request has a millisecond of its own: no reading is sent twice.
            last_ms = max(last_ms + 1, time.time_ns() // 1_000_000)
            stamp = datetime.fromtimestamp(last_ms / 1000, UTC).isoformat(timespec="milliseconds").encode()
            feed_id, records = parts[turn % len(parts)]
            turn += 1
            body = b"\n".join([record + stamp + b'"}' for record in records])
            async with session.post(f"{url}/api/v1/ingest/{feed_id}", data=body) as answer:
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
        for _ in range(CONNECTIONS):
            group.create_task(lane(session))
    return {"accepted": accepted, "shed": shed, "requests": requests, "seconds": time.perf_counter() - began}


if __name__ == "__main__":
    url_, key_, seconds_, mix_, *rate_ = sys.argv[1:]
    wanted = float(rate_[0]) if rate_ else None
    print(json.dumps(asyncio.run(push(url_, key_, float(seconds_), mix_, wanted))))
