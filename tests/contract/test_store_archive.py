"""Days leave the store for files and history does not notice, on every edition; nothing goes that is not in a file."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from random import Random

import psycopg
import pytest

from ioc.clocks import ReplayClock
from ioc.domain.events import Event
from ioc.domain.ids import event_id
from ioc.domain.kinds import AirReading, Observation, Payload
from ioc.domain.quantities import Quality
from ioc.errors import StoreUnavailableError, UnreadableFileError
from ioc.recordings import columns
from ioc.replaying.sources import find_recordings
from ioc.storage.archive import Archive
from ioc.storage.archive_reads import ArchiveReader
from ioc.storage.archived_history import ArchivedHistory
from ioc.storage.batches import PostgresBatchStore
from ioc.storage.buckets import Bucket
from ioc.storage.edition import detect_edition
from ioc.storage.migrate import migrate_database
from ioc.storage.partitions import create_partitions
from ioc.storage.pool import Database
from ioc.storage.retention import Retention, RetentionJob
from ioc.storage.rollups import RollupJob
from ioc.storage.series import Aggregate, Fill, HistoryStore
from ioc.storage.tables import TABLES
from tests.support.alerts import no_alerts

NOW = datetime.now(UTC).replace(hour=15, minute=30, second=0, microsecond=0)
"""Today: TimescaleDB's own jobs go by its server's clock."""
START = NOW - timedelta(days=20)
"""Retention of ten days: the first days are past it, the last are not."""
DAY, NEXT_DAY = START.date(), START.date() + timedelta(days=1)
STATION, AIR = "air.hong-gai", "env.air.reading"
KEEP = Retention(readings=timedelta(days=10), rollups=dict.fromkeys(Retention().rollups, timedelta(days=12)))


def _event(at: datetime, data: Payload, *, feed_id: str = "air", quality: int = Quality.GOOD) -> Event:
    return Event(
        event_id=event_id(feed_id, STATION, at, f"{data.KIND}{getattr(data, 'quantity', '')}"),
        feed_id=feed_id, asset_id=STATION, observed_at=at, received_at=at + timedelta(seconds=1), data=data,
        unit_code="06652", lon_deg=107.08, lat_deg=20.95, quality=quality,
    )  # fmt: skip


def _readings() -> list[Event]:
    random, events = Random(5), []
    for number in range(20 * 24):
        at = START + number * timedelta(hours=1) + timedelta(seconds=random.randrange(3_500))
        value = None if random.random() < 0.1 else round(random.uniform(0, 90), 1)
        quality = Quality.BAD if random.random() < 0.05 else Quality.GOOD
        feed = "air" if number % 3 else "air-mobile"
        events.append(_event(at, AirReading(pm25_ug_m3=value, rh_pct=80.0), feed_id=feed, quality=quality))
        if number % 2:
            events.append(_event(at, Observation(quantity="radon_bq_m3", value=float(number))))
    return events


on_every_edition = pytest.mark.parametrize(
    "url", ["plain_postgres_url", "timescaledb_apache_url", "timescaledb_community_url"], indirect=True
)


@pytest.fixture
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(getattr(request, "param", "plain_postgres_url")))


@pytest.fixture
async def address(url, fresh_database):
    return await fresh_database(url, prepare=migrate_database)


@pytest.fixture
def clock():
    return ReplayClock(NOW)


@pytest.fixture
def job(database, clock, tmp_path):
    return RetentionJob(database, clock, keep=KEEP, archive=Archive(database, clock, tmp_path / "archive"))


@pytest.fixture
def history(database, clock, tmp_path):
    reader = ArchiveReader(tmp_path / "archive")
    return HistoryStore(database, ArchivedHistory(reader, clock, keep_rollups=KEEP.rollups))


async def _record(database: Database, *events: Event) -> None:
    async with PostgresBatchStore(database, alerts=no_alerts).begin("test") as transaction:
        await transaction.record(events)


async def _make_partitions(database: Database) -> None:
    """Give some of the days partitions of their own where the edition has any; the others go to the default one."""
    async with database.transaction() as connection:
        for table in ("env_air_reading", "observation"):
            await create_partitions(connection, table, first_on=START.date() + timedelta(days=3), day_count=12)


async def _count(address: str, kind: str = "env_air_reading") -> int:
    async with await psycopg.AsyncConnection.connect(address) as connection:
        row = await (await connection.execute(f"SELECT count(*) FROM {kind}")).fetchone()
    return 0 if row is None else row[0]


def _questions():
    across = {"start": START + timedelta(days=6, hours=5), "end": START + timedelta(days=12)}
    for kind, quantity in ((AIR, "pm25_ug_m3"), ("observation", "radon_bq_m3")):
        asked = {"kind": kind, "asset_id": STATION, "quantity": quantity, **across}
        yield asked | {"start": START - timedelta(days=1), "end": NOW, "limit": 5_000}
        yield asked | {"limit": 40}
        for aggregate in Aggregate:
            yield asked | {"bucket": Bucket.HOUR, "aggregate": aggregate}
        for fill in Fill:
            yield asked | {"bucket": Bucket.QUARTER, "fill": fill, "limit": 300}
        yield asked | {"bucket": Bucket.DAY, "aggregate": Aggregate.SUM}


@on_every_edition
async def test_history_over_files_and_store_is_what_it_was_when_the_store_had_it_all(
    address, database, clock, job, history, tmp_path
):
    readings = _readings()
    await _make_partitions(database)
    await _record(database, *readings)
    await RollupJob(database, clock).roll_up()
    before = [await HistoryStore(database).series(**asked) for asked in _questions()]

    assert await job.enforce() > 0

    left = await _count(address)
    assert 0 < left < 480
    files = sorted((tmp_path / "archive").rglob("*.parquet"))
    archived = [event for file in files for run in columns.list_runs(file) for event in columns.read_run(run)]
    assert {event.event_id for event in archived} | await _ids_left(address) == {event.event_id for event in readings}
    assert set(archived) <= set(readings)
    for asked, was in zip(_questions(), before, strict=True):
        found = await history.series(**asked)
        assert [at for at, _ in found.points] == [at for at, _ in was.points], asked
        for (_, value), (_, expected) in zip(found.points, was.points, strict=True):
            assert value == pytest.approx(expected), asked
        assert found.truncated == was.truncated
        assert not found.unreadable_files
    raw = await history.series(kind=AIR, asset_id=STATION, quantity="pm25_ug_m3", start=START, end=NOW)
    assert raw.from_archive
    young = await history.series(
        kind=AIR, asset_id=STATION, quantity="pm25_ug_m3", start=NOW - timedelta(days=3), end=NOW
    )
    assert not young.from_archive


async def _ids_left(address: str) -> set[bytes]:
    async with await psycopg.AsyncConnection.connect(address) as connection:
        rows = await (
            await connection.execute("SELECT event_id FROM env_air_reading UNION ALL SELECT event_id FROM observation")
        ).fetchall()
    return {row[0].bytes for row in rows}


@on_every_edition
async def test_a_second_pass_changes_nothing_and_a_late_reading_gets_a_file_of_its_own(
    address, database, job, history, tmp_path
):
    await _record(database, _event(START, AirReading(pm25_ug_m3=1.0)))
    await job.enforce()
    await job.enforce()
    names = [path.name for path in (tmp_path / "archive").rglob("*.parquet")]
    assert names == [f"{DAY}.1.parquet"]
    await _record(database, _event(START + timedelta(minutes=1), AirReading(pm25_ug_m3=2.0)))
    found = await history.series(kind=AIR, asset_id=STATION, quantity="pm25_ug_m3", start=START, end=NOW)
    assert [value for _, value in found.points] == [1.0, 2.0]
    await job.enforce()
    assert await _count(address) == 0
    assert len(find_recordings(tmp_path / "archive")) == 2
    again = await history.series(kind=AIR, asset_id=STATION, quantity="pm25_ug_m3", start=START, end=NOW)
    assert again.points == found.points


@on_every_edition
async def test_two_replicas_move_every_reading_once(address, database, clock, job, tmp_path):
    await _make_partitions(database)
    readings = [_event(START + timedelta(hours=number), AirReading(pm25_ug_m3=1.0)) for number in range(200)]
    await _record(database, *readings)
    archive = Archive(database, clock, tmp_path / "archive")
    async with database.connection() as connection:
        edition = await detect_edition(connection)
    before = NOW - KEEP.readings
    await asyncio.gather(*(archive.move_days(TABLES[AIR], edition, before=before) for _ in range(2)))
    await job.enforce()
    files = sorted((tmp_path / "archive").rglob("*.parquet"))
    archived = [event for file in files for run in columns.list_runs(file) for event in columns.read_run(run)]
    assert len(archived) == len(set(archived))
    assert {event.event_id for event in archived} | await _ids_left(address) == {event.event_id for event in readings}


async def test_nothing_leaves_the_store_when_its_file_does_not_hold_it(address, database, job, monkeypatch):
    await _record(database, *_readings())
    before = await _count(address)

    def refuse(self) -> None:
        raise UnreadableFileError("x", "3 rows were found where 4 belong")

    monkeypatch.setattr(columns.ColumnWriter, "finish", refuse)
    with pytest.raises(UnreadableFileError):
        await job.enforce()
    assert await _count(address) == before


async def test_nothing_leaves_the_store_when_the_disk_takes_no_more(address, database, clock, tmp_path):
    await _record(database, _event(START, AirReading(pm25_ug_m3=1.0)))
    (tmp_path / "archive").write_text("a file where the folder should be")
    job = RetentionJob(database, clock, keep=KEEP, archive=Archive(database, clock, tmp_path / "archive"))
    with pytest.raises(StoreUnavailableError):
        await job.enforce()
    assert await _count(address) == 1


async def test_a_pass_that_was_killed_before_its_commit_leaves_every_row_and_the_next_one_finishes_it(
    address, database, job, history, tmp_path, monkeypatch
):
    await _record(database, _event(START, AirReading(pm25_ug_m3=1.0)))
    named = columns.ColumnWriter.commit

    def killed(self) -> None:
        named(self)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(columns.ColumnWriter, "commit", killed)
        with pytest.raises(KeyboardInterrupt):
            await job.enforce()
    assert await _count(address) == 1
    asked = {"kind": AIR, "asset_id": STATION, "quantity": "pm25_ug_m3", "start": START, "end": NOW}
    found = await history.series(**asked)
    assert len(found.points) == 1
    assert not found.from_archive
    await job.enforce()
    found = await history.series(**asked)
    assert len(found.points) == 1
    assert found.from_archive
    assert [path.name for path in (tmp_path / "archive").rglob("*") if path.is_file()] == [f"{DAY}.1.parquet"]


@pytest.mark.parametrize("harm", ["cut", "altered", "gone"])
async def test_a_harmed_file_is_named_and_the_rest_answers(database, job, history, tmp_path, harm):
    for day in range(3):
        values = [AirReading(pm25_ug_m3=float(number)) for number in range(200)]
        at = START + timedelta(days=day)
        await _record(database, *(_event(at + timedelta(minutes=n), data) for n, data in enumerate(values)))
    await job.enforce()
    path = next((tmp_path / "archive").rglob(f"{NEXT_DAY}.1.parquet"))
    whole = path.read_bytes()
    match harm:
        case "cut":
            path.write_bytes(whole[: len(whole) // 2])
        case "altered":
            path.write_bytes(bytes(byte ^ 0x55 for byte in whole[: len(whole) // 2]) + whole[len(whole) // 2 :])
        case "gone":
            path.unlink()
    for bucket in (None, Bucket.HOUR):
        found = await history.series(
            kind=AIR, asset_id=STATION, quantity="pm25_ug_m3", start=START, end=NOW, bucket=bucket
        )
        if bucket is None:
            assert len(found.unreadable_files) == 1
            assert f"{NEXT_DAY}.1.parquet: " in found.unreadable_files[0]
        days = {at.date() for at, _ in found.points}
        assert {DAY, DAY + timedelta(days=2)} <= days


async def test_an_empty_span_gives_no_points(database, job, history):
    await job.enforce()
    found = await history.series(kind=AIR, asset_id=STATION, quantity="pm25_ug_m3", start=START, end=NOW)
    assert found.points == []
    assert not found.from_archive
