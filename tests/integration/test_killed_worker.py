"""kill -9 of the processing role in mid-stream: nothing acknowledged is lost, nothing is there twice."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from random import Random

import psycopg
import pytest

from ioc.clocks import SystemClock
from ioc.domain.events import Event
from ioc.domain.ids import event_id
from ioc.domain.kinds import Crowd
from ioc.messaging.embedded import EmbeddedLog
from ioc.messaging.kafka import KafkaLog
from ioc.ports import Topic
from ioc.storage.migrate import migrate_database
from tests.support.roles import RoleProcess

ROUNDS = {"embedded": 20, "kafka": 6}
"""A process needs seconds to start; on Kafka the rebalances are tried in test_kafka_groups as well."""

CHUNKS = 300
SITES = 40
START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)


def _crowd(site: int, minute: int, density_p_m2: float) -> Event:
    asset_id = f"site.test-{site:02d}"
    observed_at = START + timedelta(seconds=20 * minute)
    return Event(
        event_id=event_id("tourism", asset_id, observed_at, Crowd.KIND),
        feed_id="tourism",
        asset_id=asset_id,
        observed_at=observed_at,
        received_at=observed_at + timedelta(seconds=1),
        data=Crowd(density_p_m2=density_p_m2, people_count=int(density_p_m2 * 1000)),
    )


def _stream() -> list[list[Event]]:
    """Crowds that swell above and fall below the limits of rule 28 again and again, each site at its own time."""
    return [
        [_crowd(site, minute, 5.0 if (minute + site) % 60 < 30 else 0.5) for site in range(SITES)]
        for minute in range(CHUNKS)
    ]


@pytest.fixture(params=["embedded", "kafka"])
def log_environment(request, tmp_path):
    if request.param == "embedded":
        return {"IOC_LOG__FOLDER": str(tmp_path / "log")}
    bootstrap = request.getfixturevalue("kafka_bootstrap")
    return {
        "IOC_LOG__BACKEND": "kafka",
        "IOC_LOG__KAFKA_BOOTSTRAP": bootstrap,
        "IOC_LOG__TOPIC_PREFIX": f"kill-{tmp_path.name}.",
    }


def _open_log(environment, tmp_path):
    if "IOC_LOG__FOLDER" in environment:
        return EmbeddedLog(
            tmp_path / "log" / "events.sqlite3", partitions=4, prefix="ioc.", clock=SystemClock(),
            retention=timedelta(days=7), retention_bytes=10**9,
        )  # fmt: skip
    return KafkaLog(
        environment["IOC_LOG__KAFKA_BOOTSTRAP"], prefix=environment["IOC_LOG__TOPIC_PREFIX"], partitions=4,
        client_id="test", clock=SystemClock(),
    )  # fmt: skip


@pytest.mark.timeout(400)
async def test_kills_in_mid_stream_lose_nothing_and_double_nothing(
    log_environment, tmp_path, plain_postgres_url, fresh_database
):
    address = await fresh_database(plain_postgres_url, prepare=_migrate)
    environment = {
        "IOC_DATA_DIR": str(tmp_path), "IOC_STORE__URL": address, "IOC_LOG_FORM": "json", **log_environment,
    }  # fmt: skip
    rounds = ROUNDS["kafka" if "IOC_LOG__BACKEND" in log_environment else "embedded"]
    worker = RoleProcess("run", "process", environment=environment, output=tmp_path / "worker.log")
    random = Random(20)
    acknowledged: list[Event] = []
    async with _open_log(log_environment, tmp_path) as log, await _connect(address) as connection:
        if isinstance(log, KafkaLog):
            await log.apply_topics(replication=1, retention=timedelta(days=1))
        chunks = iter(_stream())
        try:
            for _ in range(rounds):
                worker.start()
                before = await _count(connection)
                for _, chunk in zip(range(CHUNKS // rounds), chunks, strict=False):
                    await log.append(Topic.EVENTS, chunk)
                    acknowledged += chunk
                    await asyncio.sleep(0)
                # Somewhere in the work of this round: after it has begun, and before or after it is done.
                await _until(lambda before=before: _has_moved(connection, before), worker)
                await asyncio.sleep(random.uniform(0.0, 0.25))
                await worker.kill()
            worker.start()
            await _until(lambda: _has_all(connection, len(acknowledged)), worker)
            await _until(lambda: _has_started(worker, rounds + 1), worker)
            assert await worker.stop() == 0, worker.output[-3000:]
        finally:
            if worker.is_alive:
                await worker.kill()
        await _assert_whole(connection, acknowledged)


async def _assert_whole(connection, acknowledged: list[Event]) -> None:
    rows = await (await connection.execute("SELECT event_id FROM ioc.tourism_crowd")).fetchall()
    stored = [row[0].bytes for row in rows]
    assert len(stored) == len(set(stored)), "a reading is stored twice"
    assert set(stored) == {bytes(event.event_id) for event in acknowledged}, "a reading is lost"
    row = await (
        await connection.execute(
            "SELECT count(*), count(DISTINCT fingerprint) FROM ioc.alert WHERE ended_at IS NULL AND NOT shadow"
        )
    ).fetchone()
    assert row[0] == row[1] > 0, "two open alerts about one thing, or none at all"
    fired = await (
        await connection.execute("SELECT count(*), count(DISTINCT alert_id) FROM ioc.alert_event WHERE type = 'fired'")
    ).fetchone()
    assert fired[0] == fired[1] > SITES, "an alert fired twice, or timers were lost"


async def _migrate(url: str) -> None:
    await migrate_database(url, schema="ioc")


async def _connect(address: str) -> psycopg.AsyncConnection:
    return await psycopg.AsyncConnection.connect(address, autocommit=True)


async def _count(connection) -> int:
    row = await (await connection.execute("SELECT count(*) FROM ioc.tourism_crowd")).fetchone()
    return row[0]


async def _has_moved(connection, before: int) -> bool:
    return await _count(connection) > before


async def _has_all(connection, wanted: int) -> bool:
    return await _count(connection) >= wanted


async def _has_started(worker: RoleProcess, times: int) -> bool:
    return worker.output.count("roles.started") >= times


async def _until(is_done, worker: RoleProcess, deadline_s: float = 60) -> None:
    try:
        async with asyncio.timeout(deadline_s):
            while not await is_done():
                assert worker.is_alive, f"the worker ended by itself:\n{worker.output[-3000:]}"
                await asyncio.sleep(0.01)
    except TimeoutError:
        pytest.fail(f"the worker came no further:\n{worker.output[-3000:]}")
