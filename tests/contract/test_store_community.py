"""What the Community edition does beyond the others: it packs old readings by policy, and no reader can tell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from ioc.clocks import ReplayClock
from ioc.domain.events import Event
from ioc.domain.ids import event_id
from ioc.domain.kinds import KINDS, AirReading
from ioc.storage.batches import PostgresBatchStore
from ioc.storage.buckets import Bucket
from ioc.storage.migrate import migrate_database
from ioc.storage.pool import Database
from ioc.storage.rollups import RollupJob
from ioc.storage.series import HistoryStore
from tests.support.alerts import no_alerts

STATION = "air.hong-gai"
OLD = datetime.now(UTC).replace(hour=6, minute=0, second=0, microsecond=0) - timedelta(days=20)


def _air(minute: int) -> Event:
    at = OLD + timedelta(minutes=minute)
    return Event(
        event_id=event_id("air", STATION, at, AirReading.KIND), feed_id="air", asset_id=STATION, observed_at=at,
        received_at=at, data=AirReading(pm25_ug_m3=float(minute)),
    )  # fmt: skip


@pytest.fixture
async def address(timescaledb_community_url, fresh_database):
    return await fresh_database(timescaledb_community_url, prepare=migrate_database)


@pytest.fixture
async def ask(address):
    async with await psycopg.AsyncConnection.connect(address, autocommit=True) as connection:

        async def rows(statement: str):
            cursor = await connection.execute(statement)
            return await cursor.fetchall() if cursor.description else []

        yield rows


async def _pack(ask) -> None:
    """Do at once what TimescaleDB's scheduler does in its own time."""
    jobs = await ask(
        "SELECT job_id FROM timescaledb_information.jobs"
        " WHERE proc_name = 'policy_compression' AND hypertable_name = 'env_air_reading'"
    )
    assert len(jobs) == 1
    await ask(f"CALL run_job({jobs[0][0]})")
    packed = await ask(
        "SELECT is_compressed FROM timescaledb_information.chunks WHERE hypertable_name = 'env_air_reading'"
    )
    assert packed == [(True,)]


async def _means(database, fill_bucket: Bucket | None) -> list[float | None]:
    found = await HistoryStore(database).series(
        kind=AirReading.KIND, asset_id=STATION, quantity="pm25_ug_m3", start=OLD - timedelta(hours=1),
        end=OLD + timedelta(hours=3), bucket=fill_bucket,
    )  # fmt: skip
    return [value for _, value in found.points]


async def test_every_kind_is_packed_by_a_policy_and_every_rollup_is_a_continuous_aggregate(ask):
    packed = await ask(
        "SELECT hypertable_name FROM timescaledb_information.jobs WHERE proc_name = 'policy_compression'"
    )
    assert {name for (name,) in packed} == {kind.table for kind in KINDS.values()}
    aggregates = await ask("SELECT view_name, materialized_only FROM timescaledb_information.continuous_aggregates")
    measured = [kind.table for kind in KINDS.values() if kind.quantities]
    assert sorted(aggregates) == sorted((f"{table}_{bucket}", False) for table in measured for bucket in Bucket)


async def test_packed_readings_read_the_same_and_take_late_and_repeated_ones(address, ask):
    async with Database(address, max_size=3) as database:
        store, rollups = (
            PostgresBatchStore(database, alerts=no_alerts),
            RollupJob(database, ReplayClock(datetime.now(UTC))),
        )
        async with store.begin("process") as transaction:
            await transaction.record([_air(minute) for minute in range(0, 120, 2)])
        await rollups.roll_up()
        before = [await _means(database, bucket) for bucket in (None, Bucket.MINUTE, Bucket.HOUR)]
        await _pack(ask)
        assert [await _means(database, bucket) for bucket in (None, Bucket.MINUTE, Bucket.HOUR)] == before
        async with store.begin("process") as transaction:
            result = await transaction.record([_air(10), _air(11), _air(13)])
        assert (result.stored_count, result.duplicate_count) == (2, 1)
        await rollups.roll_up()
        assert await ask("SELECT count(*), count(DISTINCT event_id) FROM env_air_reading") == [(62, 62)]
        whole = sorted([*range(0, 60, 2), 11, 13])
        assert (await _means(database, Bucket.HOUR))[0] == pytest.approx(sum(whole) / len(whole))
