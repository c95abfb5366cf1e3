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
from ioc.domain.kinds import AirReading, Crowd
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


TIMER_ROUNDS = 4
FULL_FOR_S = 4
TIMED_RULES = """\
rule: test.silent
condition: absence
after: {env.air.reading: 4s}
severity: minor
settle: 1s
blackout: {severity: major, share: 1.0, least: 99, title: {vi: a, en: a}, detail: {vi: b, en: b}}
title: {vi: a, en: a}
detail: {vi: b, en: b}
runbook: {vi: c, en: c}
---
rule: test.crowd
condition: threshold
on: tourism.crowd
levels:
  - {severity: major, when: density_p_m2 >= 2, for: 4s}
gap: 5m
no_data: {policy: alert, after: 8s}
title: {vi: a, en: a}
detail: {vi: b, en: b}
runbook: {vi: c, en: c}
"""


class Province:
    """Stations and sites that report all the time. In each round a station falls silent and a site fills up, so that
    an absence and a ``for`` are under way; in the next round the site falls silent as well, while its alert stands."""

    def __init__(self, log: EmbeddedLog) -> None:
        self.log = log
        self.speaking = {f"air.{number}" for number in range(TIMER_ROUNDS + 1)}
        self.full: dict[str, datetime] = {}
        self.heard: dict[str, datetime] = {}

    async def report(self) -> None:
        """Send a reading of everything that still speaks."""
        now = datetime.now(UTC)
        air = [(name, AirReading(pm25_ug_m3=20.0)) for name in sorted(self.speaking) if name.startswith("air")]
        sites = [(name, Crowd(density_p_m2=3.0)) for name in sorted(self.speaking) if name.startswith("site")]
        await self.log.append(Topic.EVENTS, [_reading(name, data, now) for name, data in [*air, *sites]])
        self.heard |= dict.fromkeys(self.speaking, now)

    async def begin(self, number: int) -> None:
        """Begin a round. The site of the one before has been full for as long as its rule asks, however fast a worker
        starts again: what never fired would not be missed when it falls silent.
        """
        if number:
            await self.go_on((self.full[f"site.{number - 1}"] - datetime.now(UTC)).total_seconds() + FULL_FOR_S + 0.5)
        self.speaking -= {f"air.{number}", f"site.{number - 1}"}
        self.speaking |= {f"site.{number}"}
        await self.report()
        self.full[f"site.{number}"] = self.heard[f"site.{number}"]

    async def go_on(self, lasts_s: float) -> None:
        """Report for a time."""
        ends_at = datetime.now(UTC) + timedelta(seconds=lasts_s)
        while datetime.now(UTC) < ends_at:
            await self.report()
            await asyncio.sleep(0.2)


def _reading(asset_id: str, data: AirReading | Crowd, at: datetime) -> Event:
    return Event(
        event_id=event_id("test", asset_id, at, data.KIND), feed_id="test", asset_id=asset_id, unit_code="06652",
        observed_at=at, received_at=at, data=data,
    )  # fmt: skip


@pytest.mark.timeout(400)
async def test_kills_with_timers_under_way_fire_each_of_them_once_and_forget_none(
    tmp_path, plain_postgres_url, fresh_database
):
    address = await fresh_database(plain_postgres_url, prepare=_migrate)
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "timed.yaml").write_text(TIMED_RULES, encoding="utf-8")
    environment = {
        "IOC_DATA_DIR": str(tmp_path), "IOC_STORE__URL": address, "IOC_LOG_FORM": "json",
        "IOC_LOG__FOLDER": str(tmp_path / "log"), "IOC_ALERTS__RULES_DIR": str(tmp_path / "rules"),
    }  # fmt: skip
    worker, random = RoleProcess("run", "process", environment=environment, output=tmp_path / "worker.log"), Random(21)
    async with _open_log({"IOC_LOG__FOLDER": ""}, tmp_path) as log, await _connect(address) as connection:
        province = Province(log)
        try:
            for number in range(TIMER_ROUNDS):
                worker.start()
                await _until(lambda number=number: _has_started(worker, number + 1), worker, meanwhile=province.report)
                await province.begin(number)
                # Less than any timer takes, so all that began in this round is under way.
                await province.go_on(random.uniform(0.2, 3.5))
                await worker.kill()
            worker.start()
            wanted = 3 * TIMER_ROUNDS - 1  # the last site has not fallen silent
            await _until(lambda: _has_fired(connection, wanted), worker, meanwhile=province.report)
            await province.go_on(2.0)
            assert await worker.stop() == 0, worker.output[-3000:]
        finally:
            if worker.is_alive:
                await worker.kill()
        await _assert_each_fired_once(connection, province)


async def _assert_each_fired_once(connection, province: Province) -> None:
    fired = await _timed_entries(connection, "fired")
    silent = sorted(name for name in province.heard if name.startswith("air") and name not in province.speaking)
    assert sorted(name for rule, name, *_ in fired if rule == "test.silent") == silent
    assert all(seen_at == province.heard[name] for rule, name, _, seen_at, _ in fired if rule == "test.silent")
    over = {name: at for rule, name, at, _, is_twin in fired if rule == "test.crowd" and not is_twin}
    assert over == province.full, "a `for` began anew, or an alert is missing"
    twins = sorted(name for _, name, *_, is_twin in fired if is_twin)
    lost = sorted(name for name in province.full if name not in province.speaking)
    assert twins == lost
    assert sorted(name for _, name, *_, is_twin in await _timed_entries(connection, "no_data") if not is_twin) == lost
    assert len(fired) == len(silent) + len(over) + len(lost)


async def _timed_entries(connection, kind: str) -> list[tuple[str, str, datetime, datetime, bool]]:
    """Entries of a type in the journal: rule, asset, start, reading, whether it is the alert about missing data."""
    statement = """
        SELECT rule_id, asset_id, started_at, observed_at, labels ? 'no_data'
        FROM ioc.alert_event JOIN ioc.alert USING (alert_id)
        WHERE type = %s AND rule_id LIKE 'test.%%'
    """
    return await (await connection.execute(statement, [kind])).fetchall()


async def _has_fired(connection, count: int) -> bool:
    return len(await _timed_entries(connection, "fired")) >= count


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


async def _until(is_done, worker: RoleProcess, deadline_s: float = 60, meanwhile=None) -> None:
    try:
        async with asyncio.timeout(deadline_s):
            while not await is_done():
                assert worker.is_alive, f"the worker ended by itself:\n{worker.output[-3000:]}"
                if meanwhile is not None:
                    await meanwhile()
                await asyncio.sleep(0.01 if meanwhile is None else 0.2)
    except TimeoutError:
        pytest.fail(f"the worker came no further:\n{worker.output[-3000:]}")
