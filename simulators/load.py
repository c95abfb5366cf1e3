"""A load on the intake: prebuilt batches over HTTP at a wanted rate, or flat out, and what became of them.

    python -m simulators.load --url http://127.0.0.1:8080 --feed air --key @key.txt --rate 2000 --seconds 60

The pace is kept whatever the answers do: each latency is taken from the instant at which its request was due, so an
answer that holds up the requests behind it counts against them too.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

from ioc import cancellation

MOST_RECORDS = 1_000
_TIME = b"2000-01-01T00:00:00.000+00:00"
_SERIAL = b"@@@@@@@@@@"
_DEADLINE_S = 30.0
_LONGEST_WAIT_S = 5.0


def _air(number: int, random: Random) -> dict[str, Any]:
    pm25 = random.uniform(8, 60)
    return {
        "station": f"air.load-{number:05d}", "pm25": round(pm25, 1), "pm10": round(1.5 * pm25, 1), "so2": 9, "no2": 20,
        "o3": 60, "co": 800, "temp": 24.5, "rh": 80,
    }  # fmt: skip


def _weather(number: int, random: Random) -> dict[str, Any]:
    wind = random.uniform(1, 6)
    return {
        "station": f"met.load-{number:05d}", "wind_ms": round(wind, 1), "gust_ms": round(1.4 * wind, 1), "dir": 90,
        "vis_m": 9000, "temp": 24.5, "rh": 80, "pressure_hpa": 1012.4, "rain_1h_mm": 0,
    }  # fmt: skip


def _border(number: int, random: Random) -> dict[str, Any]:
    return {
        "trip": f"T-load-{_SERIAL.decode()}-{number:05d}", "gate": "bac-luan-2", "direction": "export",
        "step": random.choice(("arrive_yard", "weigh", "customs_lane")), "lane": "green", "goods": "fruit",
        "perishable": True, "mass_kg": random.randrange(8_000, 28_000),
    }  # fmt: skip


def _tourism(number: int, random: Random) -> dict[str, Any]:
    people = random.randrange(0, 2_000)
    return {"type": "crowd", "site": f"load-{number:05d}", "people": people, "density": 0.4, "capacity": 8_000}


RECORDS: dict[str, Callable[[int, Random], dict[str, Any]]] = {
    "air": _air, "weather": _weather, "border": _border, "tourism": _tourism,
}  # fmt: skip


class Batches:
    """Bodies of NDJSON that are built once; sending one again only writes newer times into it, so that no record is a
    repetition.
    """

    def __init__(self, feed_id: str, records_count: int, groups_count: int, random: Random) -> None:
        self._bodies = [
            b"\n".join(
                json.dumps(
                    {**RECORDS[feed_id](group * records_count + number, random), "time": _TIME.decode()}
                ).encode()
                for number in range(records_count)
            )
            for group in range(groups_count)
        ]
        self._last_at = [datetime.min.replace(tzinfo=UTC)] * groups_count
        self._serial = 0

    def next(self, now: datetime) -> bytes:
        """Give the next body with times of now, or a millisecond after its last where that would be the same."""
        group = self._serial % len(self._bodies)
        self._serial += 1
        at = self._last_at[group] = max(now, self._last_at[group] + timedelta(milliseconds=1))
        body = self._bodies[group].replace(_TIME, at.isoformat(timespec="milliseconds").encode())
        return body.replace(_SERIAL, b"%010d" % self._serial)


@dataclass(slots=True)
class Outcome:
    """What became of a load."""

    sent_count: int = 0
    accepted_count: int = 0
    rejected_count: int = 0
    lost_count: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    latencies_s: list[float] = field(default_factory=list)
    took_s: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Give the figures; latencies in milliseconds from when a request was due to its answer."""
        ordered = sorted(self.latencies_s) or [0.0]
        pick = {
            f"p{share:g}_ms": ordered[min(len(ordered) - 1, int(len(ordered) * share / 100))] for share in (50, 95, 99)
        }
        return {
            "sent": self.sent_count, "accepted": self.accepted_count, "rejected": self.rejected_count,
            "lost": self.lost_count, "seconds": round(self.took_s, 3),
            "accepted_per_s": round(self.accepted_count / max(1e-9, self.took_s), 1),
            **{name: round(value * 1_000, 2) for name, value in pick.items()}, "max_ms": round(ordered[-1] * 1_000, 2),
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
        }  # fmt: skip


class Load:
    """Posts batches over a few kept connections. 429 and 503 are waited out and sent again; other refusals are lost."""

    def __init__(self, url: str, feed_id: str, key: str, *, connections_count: int = 4) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._head = (
            f"POST /api/v1/ingest/{feed_id} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n"
            f"Authorization: Bearer {key}\r\nContent-Type: application/x-ndjson\r\n"
        ).encode()
        self._connections_count = connections_count
        self.outcome = Outcome()

    async def run(self, batches: Batches, *, records_count: int, rate: float, seconds: float) -> Outcome:
        """Send for so many seconds, ``rate`` records a second, or as fast as answers come where it is 0."""
        begun_s = time.perf_counter()
        every_s = records_count / rate if rate > 0 else 0.0
        self._due_s, ends_s = begun_s, begun_s + seconds

        async with asyncio.TaskGroup() as group:
            for _ in range(self._connections_count):
                group.create_task(self._send(batches, records_count, every_s, ends_s))
        self.outcome.took_s = time.perf_counter() - begun_s
        return self.outcome

    async def _send(self, batches: Batches, records_count: int, every_s: float, ends_s: float) -> None:
        connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        try:
            while True:
                due_s = self._due_s if every_s else time.perf_counter()
                if due_s >= ends_s:
                    return
                # Taken at once: the next of our connections sends the next batch.
                self._due_s += every_s
                await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
                body = batches.next(datetime.now(UTC))
                self.outcome.sent_count += records_count
                connection = await self._deliver(connection, body, records_count, ends_s)
                self.outcome.latencies_s.append(time.perf_counter() - due_s)
        finally:
            if connection is not None:
                connection[1].close()
                with suppress(OSError):
                    await connection[1].wait_closed()

    async def _deliver(
        self,
        connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None,
        body: bytes,
        records_count: int,
        ends_s: float,
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """Send one batch until it is taken, refused for good, or its time is over."""
        while True:
            try:
                async with cancellation.timeout(_DEADLINE_S):
                    if connection is None:
                        connection = await asyncio.open_connection(self._host, self._port)
                    status, headers, answer = await self._exchange(*connection, body)
            except (OSError, TimeoutError, asyncio.IncompleteReadError):
                self.outcome.statuses[0] += 1
                if connection is not None:
                    connection[1].close()
                connection, status, headers, answer = None, 0, {}, b""
            else:
                self.outcome.statuses[status] += 1
            if status == 202:
                counts = json.loads(answer)
                self.outcome.accepted_count += counts["accepted"]
                self.outcome.rejected_count += counts["rejected"]
                return connection
            if status not in (0, 429, 503) or time.perf_counter() >= ends_s:
                self.outcome.lost_count += records_count
                return connection
            wait = headers.get("retry-after", "")
            await asyncio.sleep(min(_LONGEST_WAIT_S, float(wait)) if wait.isdigit() else 0.2)

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        writer.write(self._head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        answer = await reader.readexactly(int(headers.get("content-length", "0")))
        return int(lines[0].split()[1]), headers, answer


def main(arguments: list[str] | None = None) -> int:
    """Read the command line, send, and print the outcome as JSON; 1 where anything was lost or rejected."""
    parser = argparse.ArgumentParser(prog="python -m simulators.load", description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--feed", choices=sorted(RECORDS), default="air")
    parser.add_argument("--key", required=True, help="source key, or @FILE that holds it")
    parser.add_argument("--rate", type=float, default=0.0, help="records a second; 0 is flat out")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--batch", type=int, default=200, help=f"records in a request, at most {MOST_RECORDS}")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--assets", type=int, default=2_000, help="how many stations, sites or trips take turns")
    chosen = parser.parse_args(arguments)
    if not 1 <= chosen.batch <= MOST_RECORDS:
        parser.error(f"--batch must lie between 1 and {MOST_RECORDS}")
    key = Path(chosen.key[1:]).read_text(encoding="utf-8").strip() if chosen.key.startswith("@") else chosen.key
    batches = Batches(chosen.feed, chosen.batch, max(1, chosen.assets // chosen.batch), Random(7))
    load = Load(chosen.url, chosen.feed, key, connections_count=chosen.connections)
    outcome = asyncio.run(
        load.run(batches, records_count=chosen.batch, rate=chosen.rate, seconds=chosen.seconds)
    )  # fmt: skip
    print(json.dumps(outcome.to_json()))
    return 0 if not outcome.lost_count and not outcome.rejected_count else 1


if __name__ == "__main__":
    sys.exit(main())
