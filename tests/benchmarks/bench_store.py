"""The store's write path beside a bare binary COPY of the same rows into the same tables, plain and on TimescaleDB.

The store's side is all that a batch costs the worker: position, readings, newest readings, marks for the roll-ups, one
transaction. The COPY's side is the driver's ``write_row`` of rows that were made before the clock started, one
transaction per batch; beside it stands what the server takes when the bytes were packed before as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import uvloop
from psycopg import AsyncConnection, postgres, sql
from psycopg._copy_base import format_row_binary
from psycopg.adapt import Transformer
from psycopg.pq import Format
from psycopg.types.string import BytesBinaryDumper

from ioc.domain.alerts import AlertChange
from ioc.domain.events import Event
from ioc.domain.ids import event_id
from ioc.domain.kinds import AirReading, AnyPayload, TruckStep, VesselPosition
from ioc.ports import Slice, Topic, TopicPartition
from ioc.storage.batches import PostgresBatchStore
from ioc.storage.migrate import migrate_database
from ioc.storage.pool import Database
from ioc.storage.rows import make_builders, sort_by_kind
from ioc.storage.server import EmbeddedPostgres
from tests.support.servers import Databases, DevelopmentServers, drop_database, reachable_folder

RUNS = 5
WARM_BATCHES = 5
EVENTS_PER_RUN = 80_000
BATCH_SIZES = (2_000, 8_000)
START = datetime(2026, 11, 23, 2, tzinfo=UTC)
PARTITION = TopicPartition(Topic.EVENTS, 0)
DURABLE = {"fsync": "on", "synchronous_commit": "on"}

ASSETS = {"vessel": 500, "air": 60, "truck": 300}
"""As many as the province has at a busy hour; each one's newest reading is written with every batch."""


@dataclass(frozen=True, slots=True)
class CopyPart:
    """The rows of one kind in a batch, ready for a COPY: as values, and as the bytes that the server gets."""

    statement: sql.Composed
    types: Sequence[str]
    rows: list[tuple[object, ...]]
    packed: bytes


@dataclass(frozen=True, slots=True)
class Portion:
    """One batch as both sides take it."""

    first_offset: int
    events: list[Event]
    parts: list[CopyPart]


Way = Callable[[Portion], Awaitable[None]]


def measure() -> list[dict[str, Any]]:
    """Measure both editions; TimescaleDB is left out with its reason where it cannot be had."""
    results: list[dict[str, Any]] = []
    for edition, serve in (("plain", _serve_plain), ("timescaledb", _serve_timescale)):
        try:
            with serve() as url:
                results += uvloop.run(_measure_edition(edition, url))
        except pytest.skip.Exception as skipped:
            results.append(_entry(f"{edition}: {skipped}", None, ""))
    return results


@contextlib.contextmanager
def _serve_plain() -> Iterator[str]:
    with reachable_folder() as folder:
        server = EmbeddedPostgres(folder / "postgres", settings=DURABLE)
        asyncio.run(server.start())
        try:
            yield server.admin_conninfo
        finally:
            asyncio.run(server.stop())


@contextlib.contextmanager
def _serve_timescale() -> Iterator[str]:
    servers = DevelopmentServers(durable=True)
    try:
        yield str(servers.facts("timescaledb")["url"])
    finally:
        servers.stop()


async def _measure_edition(edition: str, url: str) -> list[dict[str, Any]]:
    results = []
    for size in BATCH_SIZES:
        portions = _portions(size)
        taken: dict[str, list[float]] = {name: [] for name, _ in WAYS}
        for _ in range(RUNS):
            # The three ways take turns, each into a database of its own, so that a slow minute slows all of them.
            for name, open_way in WAYS:
                async with _database(url) as address, open_way(address) as take:
                    taken[name].append(await _time(take, portions))
        rate = {name: EVENTS_PER_RUN / statistics.median(times) for name, times in taken.items()}
        label = f"{edition}, batches of {size:,}"
        results += [
            _entry(f"{label}: store", rate["store"], "rows/s", "binary COPY of the same rows", rate["copy"]),
            _entry(f"{label}: COPY", rate["copy"], "rows/s", "the same, packed before", rate["packed"]),
        ]
    return results


async def _time(take: Way, portions: Sequence[Portion]) -> float:
    for portion in portions[:WARM_BATCHES]:
        await take(portion)
    gc.collect()
    started = time.perf_counter()
    for portion in portions[WARM_BATCHES:]:
        await take(portion)
    return time.perf_counter() - started


@contextlib.asynccontextmanager
async def _database(url: str) -> AsyncIterator[str]:
    address = await Databases().create(url, prepare=None)
    await migrate_database(address)
    async with await AsyncConnection.connect(address, autocommit=True) as connection:
        # So that no run pays for the pages of the one before.
        await connection.execute("CHECKPOINT")
    try:
        yield address
    finally:
        await asyncio.to_thread(drop_database, address)


@contextlib.asynccontextmanager
async def _open_store(address: str) -> AsyncIterator[Way]:
    async def refuse(_: AsyncConnection, __: Sequence[AlertChange]) -> None:
        raise AssertionError("nothing here decides alerts")

    async with Database(address) as database:
        store = PostgresBatchStore(database, alerts=refuse)

        async def take(portion: Portion) -> None:
            first, events = portion.first_offset, portion.events
            end = first + len(events)
            part = Slice(partition=PARTITION, first_offset=first, next_offset=end, end_offset=end, items=events)
            async with store.begin("bench") as transaction:
                await transaction.advance([part])
                result = await transaction.record(events)
            assert result.stored_count == len(events)

        yield take


@contextlib.asynccontextmanager
async def _open_copy(address: str) -> AsyncIterator[Way]:
    async with await AsyncConnection.connect(address, autocommit=True) as connection:

        async def take(portion: Portion) -> None:
            async with connection.transaction(), connection.cursor() as cursor:
                cursor.adapters.register_dumper(bytes, BytesBinaryDumper)  # as the store does
                for part in portion.parts:
                    async with cursor.copy(part.statement) as copy:
                        copy.set_types(part.types)
                        for row in part.rows:
                            await copy.write_row(row)

        yield take


@contextlib.asynccontextmanager
async def _open_packed(address: str) -> AsyncIterator[Way]:
    async with await AsyncConnection.connect(address, autocommit=True) as connection:

        async def take(portion: Portion) -> None:
            async with connection.transaction(), connection.cursor() as cursor:
                for part in portion.parts:
                    async with cursor.copy(part.statement) as copy:
                        await copy.write(part.packed)

        yield take


WAYS = (("store", _open_store), ("copy", _open_copy), ("packed", _open_packed))


def _portions(size: int) -> list[Portion]:
    count = WARM_BATCHES + EVENTS_PER_RUN // size
    made = []
    for number in range(count):
        events = [_event(index) for index in range(number * size, (number + 1) * size)]
        made.append(Portion(first_offset=number * size, events=events, parts=list(_copy_parts(events))))
    return made


def _copy_parts(events: Sequence[Event]) -> Iterator[CopyPart]:
    builders = make_builders()
    for kind, of_kind in sort_by_kind(events).items():
        builder = builders[kind]
        rows = [builder.build(event) for event in of_kind]
        columns = sql.SQL(", ").join(map(sql.Identifier, builder.table.columns))
        statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(builder.table.identifier, columns)
        yield CopyPart(statement, builder.types, rows, _pack(rows, builder.types))


def _pack(rows: Sequence[tuple[object, ...]], types: Sequence[str]) -> bytes:
    transformer = Transformer()
    transformer.set_dumper_types([postgres.types[name].oid for name in types], Format.BINARY)
    packed = bytearray(b"PGCOPY\n\xff\r\n\0" + bytes(8))
    for row in rows:
        format_row_binary(row, transformer, packed)
    return bytes(packed + b"\xff\xff")


def _event(number: int) -> Event:
    """Make reading ``number`` of a busy province: of ten, seven vessels', two stations', one truck's."""
    at = START + timedelta(milliseconds=number)
    turn, digit = divmod(number, 10)
    data: AnyPayload
    if digit < 7:
        feed, asset = "vessels", f"vessel.{574_000_000 + (turn * 7 + digit) % ASSETS['vessel']}"
        speed = number % 200 / 10
        data = VesselPosition(sog_kn=speed, cog_deg=number % 360, nav_status=0, name="HẠ LONG 08", pax_count=48)
    elif digit < 9:
        feed, asset = "air", f"air.station-{(turn * 2 + digit) % ASSETS['air']}"
        data = AirReading(pm25_ug_m3=35.2, pm10_ug_m3=50.1, so2_ug_m3=9.0, no2_ug_m3=20.0, temp_celsius=24.5, rh_pct=80)
    else:
        feed, asset = "border", f"truck.{turn % ASSETS['truck']:032x}"
        data = TruckStep(step="weigh", gate="bac-luan-2", direction="export", lane="green", goods="fruit", mass_t=18.5)
    return Event(
        event_id=event_id(feed, asset, at, data.KIND), feed_id=feed, asset_id=asset, observed_at=at,
        received_at=at + timedelta(seconds=1), data=data, lon_deg=107.05, lat_deg=20.91, unit_code="06652",
    )  # fmt: skip


def _entry(name: str, value: float | None, unit: str, beside: str = "", limit: float | None = None) -> dict[str, Any]:
    ratio = None if value is None or not limit else value / limit
    return {"name": name, "value": value, "unit": unit, "beside": beside or None, "ratio": ratio}
