"""The servers that tests stand on are what they claim to be."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import aiomqtt
import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from playwright.async_api import async_playwright

from tests.support.servers import edition_of

DEADLINE_S = 30
CHROMIUM_ARGUMENTS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]


@pytest.mark.kafka
async def test_kafka_gives_back_what_an_idempotent_producer_wrote(kafka_bootstrap: str) -> None:
    topic = f"test-{uuid4().hex}"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()
    async with (
        asyncio.timeout(DEADLINE_S),
        AIOKafkaProducer(
            bootstrap_servers=kafka_bootstrap, enable_idempotence=True, acks="all", compression_type="lz4"
        ) as producer,
    ):
        await producer.send_and_wait(topic, "Vịnh Hạ Long".encode())
    async with (
        asyncio.timeout(DEADLINE_S),
        AIOKafkaConsumer(
            topic, bootstrap_servers=kafka_bootstrap, group_id=topic, auto_offset_reset="earliest"
        ) as consumer,
    ):
        record = await consumer.getone()
    assert record.value == "Vịnh Hạ Long".encode()


@pytest.mark.timescaledb
async def test_the_apache_edition_has_hypertables_and_no_continuous_aggregates(
    timescaledb_apache_url: str, fresh_database: Callable[..., Awaitable[str]]
) -> None:
    url = await fresh_database(timescaledb_apache_url, prepare=_make_hypertable)
    with psycopg.connect(url, autocommit=True) as connection:
        assert connection.execute("SELECT count(*) FROM timescaledb_information.hypertables").fetchone() == (1,)
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            connection.execute(_CONTINUOUS_AGGREGATE)


@pytest.mark.timescaledb
async def test_the_community_edition_has_continuous_aggregates(
    timescaledb_community_url: str, fresh_database: Callable[..., Awaitable[str]]
) -> None:
    url = await fresh_database(timescaledb_community_url, prepare=_make_hypertable)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("INSERT INTO reading VALUES ('2026-11-23 09:00Z', 35.2), ('2026-11-23 09:30Z', 45.2)")
        connection.execute(_CONTINUOUS_AGGREGATE)
        assert connection.execute("SELECT mean FROM reading_1h").fetchone() == (40.2,)


async def test_each_edition_is_told_from_the_others(each_edition_url: str, request: pytest.FixtureRequest) -> None:
    expected = {"plain": "plain", "timescaledb_apache": "apache", "timescaledb_community": "timescale"}
    assert edition_of(each_edition_url) == expected[request.node.callspec.params["each_edition_url"]]


async def test_databases_from_one_template_share_nothing(
    each_edition_url: str, fresh_database: Callable[..., Awaitable[str]]
) -> None:
    first = await fresh_database(each_edition_url, prepare=_make_table)
    second = await fresh_database(each_edition_url, prepare=_make_table)
    with psycopg.connect(first) as connection:
        connection.execute("INSERT INTO place VALUES ('Cái Rồng')")
    with psycopg.connect(second) as connection:
        assert connection.execute("SELECT * FROM place").fetchall() == []


async def test_mosquitto_takes_a_message_at_qos_1_and_delivers_it(mosquitto_url: str) -> None:
    await _exchange(mosquitto_url)


async def test_mosquitto_with_a_password_refuses_strangers(mosquitto_password_url: str) -> None:
    await _exchange(mosquitto_password_url)
    stranger = urlsplit(mosquitto_password_url)._replace(netloc=mosquitto_password_url.rpartition("@")[2]).geturl()
    with pytest.raises(aiomqtt.MqttError):
        await _exchange(stranger)


@pytest.mark.chromium
async def test_the_browser_draws_with_webgl_2(chromium_path: Path) -> None:
    async with asyncio.timeout(60), async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path, args=CHROMIUM_ARGUMENTS)
        try:
            page = await browser.new_page()
            version = await page.evaluate(
                "() => { const gl = document.createElement('canvas').getContext('webgl2');"
                " return gl && gl.getParameter(gl.VERSION) }"
            )
        finally:
            await browser.close()
    assert version is not None
    assert version.startswith("WebGL 2")


_CONTINUOUS_AGGREGATE = """
    CREATE MATERIALIZED VIEW reading_1h WITH (timescaledb.continuous) AS
    SELECT time_bucket('1 hour', at) AS bucket, avg(pm25_ug_m3) AS mean FROM reading GROUP BY bucket
"""


async def _make_hypertable(url: str) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("CREATE EXTENSION timescaledb")
        await connection.execute("CREATE TABLE reading (at timestamptz NOT NULL, pm25_ug_m3 float8)")
        await connection.execute("SELECT create_hypertable('reading', by_range('at'))")


async def _make_table(url: str) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("CREATE TABLE place (name text)")


async def _exchange(url: str) -> None:
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    async with (
        asyncio.timeout(DEADLINE_S),
        aiomqtt.Client(parts.hostname, parts.port, username=parts.username, password=parts.password) as client,
    ):
        await client.subscribe("qn/air/#", qos=1)
        await client.publish("qn/air/hong-gai", b'{"pm25": 35.2}', qos=1)
        async for message in client.messages:
            assert message.payload == b'{"pm25": 35.2}'
            break
