"""The event log: what it takes in and gives out, embedded and on Kafka, and how long an item is under way."""

from __future__ import annotations

import asyncio
import gc
import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ioc.domain.events import Event
from ioc.domain.ids import event_id
from ioc.messaging.codec import decode_block, encode_block
from ioc.messaging.embedded import EmbeddedLog
from ioc.messaging.kafka import KafkaLog
from ioc.ports import Start, Topic
from tests.support.logs import START, EmbeddedSubject, KafkaSubject, PositionTable, event
from tests.support.servers import DevelopmentServers

RUNS = 3
BATCH = 1_000
BATCHES = 120
CALLERS = 8
SMALL_BATCH = 10
SMALL_BATCHES = 1_500
SMALL_CALLERS = 64
LATENCIES = 200

Log = EmbeddedLog | KafkaLog


def measure() -> list[dict[str, Any]]:
    """Measure both logs; Kafka is left out with its reason where it cannot be had."""
    results = [*_codec(), *asyncio.run(_embedded())]
    servers = DevelopmentServers(durable=True)
    try:
        bootstrap = str(servers.facts("kafka")["bootstrap"])
    except pytest.skip.Exception as skipped:
        servers.stop()
        return [*results, {"name": f"kafka: {skipped}", "value": None, "unit": "", "beside": None, "ratio": None}]
    try:
        return [*results, *asyncio.run(_kafka(bootstrap))]
    finally:
        servers.stop()


def _codec() -> list[dict[str, Any]]:
    items = _events(BATCH)
    block = bytes(encode_block(items))
    plain = msgspec.json.Encoder()
    encode_s = _median_of(lambda: encode_block(items), repeat=200)
    json_s = _median_of(lambda: plain.encode(items), repeat=200)
    decode_s = _median_of(lambda: decode_block(Topic.EVENTS, block, first_offset=0), repeat=200)
    id_s = _median_of(lambda: [event_id("air", "hong-gai", START, "env.air.reading") for _ in range(BATCH)], repeat=50)
    return [
        _entry("codec: encode an event", encode_s / BATCH * 1e6, "µs", "JSON of the same", json_s / BATCH * 1e6),
        _entry("codec: decode an event", decode_s / BATCH * 1e6, "µs"),
        _entry("codec: size of an event", len(block) / BATCH, "bytes", "JSON", len(plain.encode(items)) / BATCH),
        _entry("ids: event_id", id_s / BATCH * 1e6, "µs"),
    ]


async def _embedded() -> list[dict[str, Any]]:
    rows: list[dict[str, float]] = []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory(prefix="bench-log-") as folder:
            subject = EmbeddedSubject(Path(folder))
            async with subject.open() as log:
                row = await _run(log)
            row["raw"] = _raw_rows_per_s(Path(folder) / "raw.sqlite3")
            row["fsync_ms"] = _fsync_ms(Path(folder))
            rows.append(row)
    middle = {name: statistics.median(row[name] for row in rows) for name in rows[0]}
    return [
        *_entries("embedded", middle, "SQLite, one row an event, transactions of 1,000", middle["raw"]),
        _entry("embedded: fsync of this disk", middle["fsync_ms"], "ms"),
    ]


async def _kafka(bootstrap: str) -> list[dict[str, Any]]:
    rows: list[dict[str, float]] = []
    for _ in range(RUNS):
        subject = KafkaSubject(bootstrap)
        async with subject.open() as log:
            await log.apply_topics()
            rows.append(await _run(log))
    middle = {name: statistics.median(row[name] for row in rows) for name in rows[0]}
    return _entries("kafka", middle, None, None)


async def _run(log: Log) -> dict[str, float]:
    batches = [_events(BATCH) for _ in range(BATCHES)]
    small = [_events(SMALL_BATCH) for _ in range(SMALL_BATCHES)]
    await log.append(Topic.EVENTS, batches[0])
    gc.collect()
    append_s = await _appending(log, batches, CALLERS)
    small_s = await _appending(log, small, SMALL_CALLERS)
    total = BATCH * (BATCHES + 1) + SMALL_BATCH * SMALL_BATCHES
    reading = log.read([Topic.EVENTS], group="bench", handover=PositionTable(), max_items=8_000)
    read_s = await _reading(reading, total)
    tail_s = await _reading(log.tail([Topic.EVENTS], start=Start.BEGINNING, max_items=8_000), total)
    latencies = await _latencies(log)
    return {
        "append": BATCH * BATCHES / append_s,
        "small": SMALL_BATCH * SMALL_BATCHES / small_s,
        "calls": SMALL_BATCHES / small_s,
        "read": total / read_s,
        "tail": total / tail_s,
        "p50_ms": statistics.median(latencies) * 1e3,
        "p99_ms": statistics.quantiles(latencies, n=100)[98] * 1e3,
    }


async def _appending(log: Log, batches: Sequence[Sequence[Event]], callers: int) -> float:
    async def caller(first: int) -> None:
        for index in range(first, len(batches), callers):
            await log.append(Topic.EVENTS, batches[index])

    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for first in range(callers):
            group.create_task(caller(first))
    return time.perf_counter() - started


async def _reading(reading: Any, total: int) -> float:
    started, count = time.perf_counter(), 0
    async with asyncio.timeout(120), aclosing(reading):
        async for batch in reading:
            if count == 0:
                # Joining a group and connecting is not reading.
                started = time.perf_counter()
            count += sum(len(part.items) for part in batch.slices)
            if count >= total:
                break
    return time.perf_counter() - started


async def _latencies(log: Log) -> list[float]:
    """Measure from the call of append to the reader's having the item, one at a time, at an otherwise quiet log."""
    tail, found = log.tail([Topic.EVENTS], pulse=timedelta(seconds=0.05)), []
    async with asyncio.timeout(120), aclosing(tail):
        while len((await anext(tail)).caught_up) < log.partition_count(Topic.EVENTS):
            pass
        for number in range(LATENCIES):
            started = time.perf_counter()
            async with asyncio.TaskGroup() as group:
                group.create_task(log.append(Topic.EVENTS, [event(number)]))
                while not (await anext(tail)).slices:
                    pass
                found.append(time.perf_counter() - started)
    return found


def _raw_rows_per_s(path: Path) -> float:
    """Write the same events a row each, as durably, with nothing of ours around."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE item (item_id INTEGER PRIMARY KEY, payload BLOB)")
    encoder, batches = msgspec.msgpack.Encoder(), [_events(BATCH) for _ in range(BATCHES)]
    started = time.perf_counter()
    for items in batches:
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO item (payload) VALUES (?)", [(encoder.encode(item),) for item in items])
        connection.execute("COMMIT")
    taken_s = time.perf_counter() - started
    connection.close()
    return BATCH * BATCHES / taken_s


def _fsync_ms(folder: Path) -> float:
    descriptor = os.open(folder / "fsync", os.O_CREAT | os.O_WRONLY)

    def write() -> None:
        os.write(descriptor, b"x" * 4096)
        os.fsync(descriptor)

    taken_s = _median_of(write, repeat=50)
    os.close(descriptor)
    return taken_s * 1e3


def _entries(log: str, row: dict[str, float], beside: str | None, limit: float | None) -> list[dict[str, Any]]:
    return [
        _entry(f"{log}: append, {CALLERS} callers × {BATCH:,} events", row["append"], "events/s", beside, limit),
        _entry(f"{log}: append, {SMALL_CALLERS} callers × {SMALL_BATCH} events", row["small"], "events/s"),
        _entry(f"{log}: appends confirmed, {SMALL_CALLERS} callers", row["calls"], "calls/s"),
        _entry(f"{log}: read as a group", row["read"], "events/s"),
        _entry(f"{log}: read alone", row["tail"], "events/s"),
        _entry(f"{log}: append to reader, p50", row["p50_ms"], "ms"),
        _entry(f"{log}: append to reader, p99", row["p99_ms"], "ms"),
    ]


def _entry(name: str, value: float, unit: str, beside: str | None = None, limit: float | None = None) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "beside": beside, "ratio": value / limit if limit else None}


def _events(count: int) -> list[Event]:
    return [event(number) for number in range(count)]


def _median_of(work: Callable[[], object], *, repeat: int) -> float:
    taken = []
    for _ in range(repeat):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)
