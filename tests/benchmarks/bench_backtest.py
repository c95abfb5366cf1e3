"""Backtest of all shipped rules over some hours of the province: as stored, beside merely reading the same rows, and as
recordings of both forms.

The mix and its rates are those of domain.md §2, today's average. Rows go in through the store's own writer. CPU seconds
are those of this process, all threads; PostgreSQL's are not in it. ``IOC_BENCH_EVENTS`` says how many events. Decoding
events from the log's codec is a yardstick: machines differ by several times, and the ratio to it says more than a rate.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from itertools import islice
from math import cos, sin
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import uvloop
from psycopg import AsyncConnection

from alerts.backtest.trial import Trial
from alerts.rulebook.book import Rulebook
from ioc.bootstrap.backtests import Period, backtest_stored
from ioc.bootstrap.knowledge import load_world
from ioc.domain.alerts import AlertChange
from ioc.domain.events import Event
from ioc.domain.ids import event_id
from ioc.domain.kinds import (
    KINDS,
    AirReading,
    BorderQueue,
    CameraEvent,
    CameraStatus,
    CaseStep,
    Crowd,
    Feeder,
    GateCount,
    LightStatus,
    NetLink,
    PassengerCount,
    Payload,
    PlateRead,
    Rain,
    TrafficFlow,
    TruckStep,
    VesselPosition,
    WaterLevel,
    WeatherObservation,
)
from ioc.recordings.columns import ColumnWriter, to_row
from ioc.recordings.envelopes import EnvelopeWriter
from ioc.replaying.backtests import backtest_files
from ioc.replaying.sources import find_recordings
from ioc.settings import Settings, StoreSettings
from ioc.storage.batches import PostgresBatchStore
from ioc.storage.migrate import migrate_database
from ioc.storage.pool import Database
from ioc.storage.server import EmbeddedPostgres
from ioc.storage.stored_events import StoredEvents
from tests.support.servers import Databases, drop_database, reachable_folder

EVENTS = int(os.environ.get("IOC_BENCH_EVENTS", "1000000"))
RUNS = 3
BATCH = 20_000
START = datetime(2026, 11, 23, 2, tzinfo=UTC)
RULES = Path(str(resources.files("alerts").joinpath("rules")))
_DUE = START + timedelta(days=9)
_decode = msgspec.msgpack.Decoder(list[Event]).decode


@dataclass(frozen=True, slots=True)
class Source:
    """Things of one kind: how many, how many events a second from all of them, and what one says."""

    feed_id: str
    prefix: str
    count: int
    rate_per_s: float
    make: Callable[[int, int, Random], Payload]


SOURCES = (
    Source("air", "air.station-", 30, 0.5, lambda n, t, r: AirReading(
        pm25_ug_m3=r.uniform(10, 40), pm10_ug_m3=r.uniform(20, 70), so2_ug_m3=9.0, no2_ug_m3=20.0, o3_ug_m3=40.0,
        co_ug_m3=500.0, temp_celsius=24.5, rh_pct=80.0)),
    Source("water", "water.gauge-", 40, 0.1, lambda n, t, r: WaterLevel(level_m=r.uniform(0.5, 1.2))),
    Source("rain", "rain.gauge-", 40, 0.1, lambda n, t, r: Rain(rain_mm=r.choice((0.0, 0.0, 0.2)), period_min=10.0)),
    Source("weather", "met.station-", 30, 0.1, lambda n, t, r: WeatherObservation(
        wind_m_s=r.uniform(0, 5), gust_m_s=r.uniform(5, 8), wind_dir_deg=90.0, visibility_m=9_000.0)),
    Source("traffic", "road.", 250, 5.0, lambda n, t, r: TrafficFlow(
        vehicles_count=r.randrange(60), speed_km_h=r.uniform(20, 60), occupancy_pct=r.uniform(2, 40), period_s=60.0)),
    Source("traffic", "anpr.", 40, 1.0, lambda n, t, r: PlateRead(plate_hash=f"{r.getrandbits(64):016x}")),
    Source("energy", "feeder.", 300, 4.0, lambda n, t, r: Feeder(
        power_kw=r.uniform(100, 900), voltage_v=22_000 + r.uniform(-50, 50), current_a=r.uniform(5, 60))),
    Source("energy", "lights.", 200, 1.0, lambda n, t, r: LightStatus(lamps_on_count=90 + n % 9, lamps_count=100)),
    Source("vessels", "vessel.", 359, 7.0, lambda n, t, r: VesselPosition(
        sog_kn=r.uniform(6, 9) if n % 2 else 0.0, cog_deg=float(t % 360), nav_status=0, name=f"HẠ LONG {n:02}",
        pax_count=28)),
    Source("tourism", "site.", 40, 0.5, lambda n, t, r: Crowd(density_p_m2=r.uniform(0.1, 1.4), people_count=300)),
    Source("tourism", "gate.", 40, 0.5, lambda n, t, r: GateCount(in_count=r.randrange(9), out_count=r.randrange(9))),
    Source("border", "truck.", 300, 0.08, lambda n, t, r: TruckStep(
        step=("yard", "weigh", "customs", "exit")[t % 4], gate="bac-luan-2", direction="export", goods="fruit")),
    Source("border", "queue.", 3, 0.02, lambda n, t, r: BorderQueue(vehicles_count=r.randrange(60))),
    Source("passengers", "hall.", 6, 1.0, lambda n, t, r: PassengerCount(in_count=r.randrange(4), out_count=1)),
    Source("tthc", "case.", 40_000, 1.2, lambda n, t, r: CaseStep(
        procedure="1.000001", status="received", due_at=_DUE, filed_at=START - timedelta(days=2))),
    Source("cameras", "camera.", 400, 12.0, lambda n, t, r: CameraEvent(
        label=r.choice(("person", "car", "boat")), confidence_pct=r.uniform(60, 99), objects_count=1)),
    Source("cameras", "camera.", 400, 3.0, lambda n, t, r: CameraStatus(status="ok", frames_per_s=r.uniform(24, 25))),
    Source("network", "link.", 108, 1.0, lambda n, t, r: NetLink(
        status="up", latency_ms=r.uniform(2, 9), loss_pct=0.0, used_pct=r.uniform(5, 60))),
)  # fmt: skip
RATE_PER_S = sum(source.rate_per_s for source in SOURCES)


def measure() -> list[dict[str, Any]]:
    """Measure on plain PostgreSQL, the embedded deployment's."""
    with _serve() as url, TemporaryDirectory() as folder:
        return uvloop.run(_measure(url, folder))


async def _measure(url: str, folder: str) -> list[dict[str, Any]]:
    address = await Databases().create(url, prepare=None)
    await migrate_database(address)
    try:
        async with Database(address, max_size=3) as database:
            await _store(database)
            settings = Settings(data_dir=Path("build/bench-backtest"), store=StoreSettings())
            drafts = Rulebook.load([RULES])
            kinds = Trial(drafts, drafts, load_world()).kinds
            period = Period(start=START, end=START + timedelta(seconds=EVENTS / RATE_PER_S + 60))

            async def read() -> int:
                count = 0
                async for events in StoredEvents(database).read(kinds=kinds, start=period.start, end=period.end):
                    count += len(events)
                return count

            async def play() -> int:
                account = await backtest_stored(
                    settings, database, drafts, period, on_progress=lambda _: None, is_stopped=lambda: False
                )
                return account.events_count

            hour = {"kinds": kinds, "start": period.start, "end": period.start + timedelta(hours=1)}
            some = [event async for events in StoredEvents(database).read(**hour) for event in events]
            packed = msgspec.msgpack.encode(some)

            async def decode() -> int:
                return len(_decode(packed))

            lines, columns = _record(Path(folder))

            async def play_files(path: Path) -> int:
                account = await backtest_files(
                    settings, drafts, find_recordings(path), None,
                    on_progress=lambda *_: None, is_stopped=lambda: False,
                )  # fmt: skip
                return account.events_count

            reading, playing, decoding, of_lines, of_columns = [], [], [], [], []
            ruled = await StoredEvents(database).count(kinds=kinds, start=period.start, end=period.end)
            for _ in range(RUNS):
                reading.append(await _time(read))
                playing.append(await _time(play))
                of_lines.append(await _time(lambda: play_files(lines)))
                of_columns.append(await _time(lambda: play_files(columns)))
                decoding.append(await _time(decode))
    finally:
        await asyncio.to_thread(drop_database, address)
    # Kinds that no rule looks at are not even read: per event of the province the same work is less.
    of_all = [(wall * EVENTS / ruled, cpu * EVENTS / ruled) for wall, cpu in playing]
    name = f"{len(drafts.rules)} rules over {EVENTS / RATE_PER_S / 3_600:.1f} h of the province"
    return [
        _entry(f"{name}: backtest", "events/s", playing, 0, "reading the same rows", reading),
        _entry(f"{name}: backtest", "events per CPU s", playing, 1, "reading the same rows", reading),
        _entry(f"{name}: backtest, by all events of that time", "events/s", of_all, 0),
        _entry(
            f"{name}: backtest, by all events of that time", "events per CPU s", of_all, 1, "decoding them", decoding
        ),
        _entry(f"{name}: backtest of a recording, lines", "events/s", of_lines, 0),
        _entry(f"{name}: backtest of a recording, lines", "events per CPU s", of_lines, 1, "decoding them", decoding),
        _entry(f"{name}: backtest of a recording, columns", "events/s", of_columns, 0),
        _entry(
            f"{name}: backtest of a recording, columns", "events per CPU s", of_columns, 1, "decoding them", decoding
        ),
        _entry(f"{name}: reading", "events/s", reading, 0),
        _entry(f"{name}: reading", "events per CPU s", reading, 1),
        _entry("decoding such events from the log's codec", "events per CPU s", decoding, 1),
    ]


async def _time(work: Callable[[], Awaitable[int]]) -> tuple[float, float]:
    """Give events by wall seconds, and by CPU seconds of this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    count = await work()
    return count / (time.perf_counter() - wall), count / (time.process_time() - cpu)


async def _store(database: Database) -> None:
    async def refuse(_: AsyncConnection, __: Sequence[AlertChange]) -> None:
        raise AssertionError("nothing here decides alerts")

    store = PostgresBatchStore(database, alerts=refuse)
    batch: list[Event] = []
    for event in _events():
        batch.append(event)
        if len(batch) == BATCH:
            async with store.begin("bench") as transaction:
                await transaction.record(batch)
            batch = []
    if batch:
        async with store.begin("bench") as transaction:
            await transaction.record(batch)
    async with database.connection() as connection:
        await connection.execute("ANALYZE")


def _record(folder: Path) -> tuple[Path, Path]:
    """Write the same events as ``ioc record`` does: lines, and a file of columns for each kind."""
    folders = folder / "lines", folder / "columns"
    for each in folders:
        each.mkdir()
    lines = EnvelopeWriter(folders[0] / "a.ndjson.zst")
    columns: dict[str, ColumnWriter] = {}
    upcoming = _events()
    while events := list(islice(upcoming, BATCH)):
        lines.write(events)
        for event in events:
            if event.kind not in columns:
                columns[event.kind] = ColumnWriter(folders[1] / f"{event.kind}.parquet", KINDS[event.kind])
            columns[event.kind].write([to_row(event)])
    for writer in (lines, *columns.values()):
        writer.commit()
    return folders


def _events() -> Iterator[Event]:
    """Give events in the order of arrival, each source at its own pace; every fiftieth came some minutes late."""
    random = Random(11)
    upcoming = [[random.random() / source.rate_per_s, place] for place, source in enumerate(SOURCES)]
    turns = [0] * len(SOURCES)
    for _ in range(EVENTS):
        due = min(upcoming)
        at_s, place = due[0], int(due[1])
        source, turn = SOURCES[place], turns[place]
        turns[place] += 1
        due[0] += 1 / source.rate_per_s
        number, round_ = turn % source.count, turn // source.count
        asset_id = f"{source.prefix}{number}"
        received_at = START + timedelta(seconds=at_s)
        late = timedelta(minutes=random.uniform(1, 20)) if random.random() < 0.02 else timedelta(seconds=1)
        observed_at, data = received_at - late, source.make(number, round_, random)
        is_at_rest = isinstance(data, VesselPosition) and not data.sog_kn
        angle = number * 0.7 + (0.0 if is_at_rest else round_ * 0.002)
        yield Event(
            event_id=event_id(source.feed_id, asset_id, observed_at, f"{data.KIND}{turn}"), feed_id=source.feed_id,
            asset_id=asset_id, observed_at=observed_at, received_at=received_at, data=data, unit_code="06652",
            lon_deg=107.1 + 0.2 * cos(angle), lat_deg=20.9 + 0.1 * sin(angle),
        )  # fmt: skip


@contextlib.contextmanager
def _serve() -> Iterator[str]:
    with reachable_folder() as folder:
        server = EmbeddedPostgres(folder / "postgres")
        asyncio.run(server.start())
        try:
            yield server.admin_conninfo
        finally:
            asyncio.run(server.stop())


def _entry(
    name: str,
    unit: str,
    found: list[tuple[float, float]],
    place: int,
    beside: str | None = None,
    other: list[tuple[float, float]] | None = None,
) -> dict[str, Any]:
    value = statistics.median(pair[place] for pair in found)
    ratio = None if other is None else value / statistics.median(pair[place] for pair in other)
    return {"name": name, "value": value, "unit": unit, "beside": beside, "ratio": ratio}
