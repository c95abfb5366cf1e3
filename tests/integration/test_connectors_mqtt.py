"""Air stations over a real MQTT broker: acknowledged by the log, kept by the session, back after the broker's end."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import aiomqtt
import pytest

from connectors.feeds.air.connector import AirConnector
from connectors.intake import Intake
from connectors.registry import make_board
from connectors.supervisor import Supervisor
from ioc.clocks import SystemClock
from ioc.errors import LogUnavailableError, SourceLostError
from ioc.retry import Backoff
from tests.support.feeds import FakeLog, eventually, fresh_feed
from tests.support.servers import DevelopmentServers, reachable_folder
from tests.support.tasks import running

TOPIC = "qn/air/+"
TIME = datetime(2026, 11, 23, 2, tzinfo=UTC)


class Broker:
    """A mosquitto of the test's own that can end and come back with what it kept."""

    def __init__(self, program: Path, folder: Path) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as found:
            self.port = int(found.getsockname()[1])
        self._program, self._settings = program, folder / "mosquitto.conf"
        self._process: asyncio.subprocess.Process | None = None
        user = "user root\n" if os.geteuid() == 0 else ""
        self._settings.write_text(
            f"{user}listener {self.port} 127.0.0.1\nallow_anonymous true\nlog_dest none\n"
            f"persistence true\npersistence_location {folder}/\nautosave_on_changes true\nautosave_interval 1\n"
        )

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            self._program, "-c", self._settings, stderr=asyncio.subprocess.DEVNULL
        )
        await eventually(self._answers)

    async def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            await asyncio.wait_for(self._process.wait(), 10)
            self._process = None

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.returncode is None, "mosquitto ended"
        with closing(socket.socket()) as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@pytest.fixture
def broker_folder() -> Iterator[Path]:
    with reachable_folder() as folder:
        yield folder


@pytest.fixture
async def broker(development_servers: DevelopmentServers, broker_folder: Path) -> AsyncIterator[Broker]:
    made = Broker(development_servers.path_of("mosquitto") / "usr/sbin/mosquitto", broker_folder)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def log() -> FakeLog:
    return FakeLog()


def _reading(number: int) -> bytes:
    at = TIME + timedelta(seconds=number)
    return json.dumps({"station": "air.hong-gai", "time": at.isoformat(), "pm25": number}).encode()


def _numbers(log: FakeLog) -> list[int]:
    return sorted({round(event.data.pm25_ug_m3) for event in log.events})


async def _publish(broker: Broker, payloads: list[bytes]) -> None:
    async with asyncio.timeout(20), aiomqtt.Client("127.0.0.1", broker.port) as client:
        for payload in payloads:
            await client.publish("qn/air/hong-gai", payload, qos=1)


def _connector(broker: Broker, name: str = "test-air") -> AirConnector:
    return AirConnector(fresh_feed("air"), SystemClock(), mqtt_url=broker.url, topic=TOPIC, client_id=name)


@asynccontextmanager
async def supervised(broker: Broker, log: FakeLog) -> AsyncIterator[None]:
    """Run the connector under its supervisor until the block ends."""
    board = make_board([fresh_feed("air")])
    backoff = Backoff(first=timedelta(milliseconds=50), longest=timedelta(milliseconds=200))
    connector = _connector(broker)
    supervisor = Supervisor(
        [connector], Intake(log), board, SystemClock(), random=Random(1), backoff=backoff, sweep=timedelta(hours=1)
    )
    async with running(supervisor.run()):
        yield


async def _hear_first(broker: Broker, log: FakeLog) -> None:
    """Publish until we hear it: before we subscribe for the first time, a broker keeps nothing for us."""
    async with asyncio.timeout(30):
        while not log.events:
            await _publish(broker, [_reading(0)])
            with suppress(TimeoutError):
                await eventually(lambda: bool(log.events), deadline_s=0.5)


async def _subscribe_and_leave(broker: Broker, log: FakeLog) -> None:
    """Have a session at the broker: from now on it keeps what comes for us."""
    async with supervised(broker, log):
        await _hear_first(broker, log)


async def test_readings_come_in_and_broken_messages_are_kept(broker, log):
    async with supervised(broker, log):
        await _hear_first(broker, log)
        await _publish(broker, [_reading(1), b"\xff not json", b"", _reading(2)])
        await eventually(lambda: _numbers(log) == [0, 1, 2] and len(log.letters) == 2)
    assert [letter.raw for letter in log.letters] == [b"\xff not json", b""]


async def test_what_is_published_while_we_are_away_waits_at_the_broker(broker, log):
    await _subscribe_and_leave(broker, log)
    await _publish(broker, [_reading(number) for number in range(1, 51)])
    assert _numbers(log) == [0]
    async with supervised(broker, log):
        await eventually(lambda: _numbers(log) == list(range(51)))


async def test_the_session_outlives_the_brokers_restart(broker, log):
    await _subscribe_and_leave(broker, log)
    await _publish(broker, [_reading(number) for number in range(1, 21)])
    await broker.stop()
    await broker.start()
    async with supervised(broker, log):
        await eventually(lambda: _numbers(log) == list(range(21)))


async def test_a_broker_that_restarts_under_us_is_found_again(broker, log):
    async with supervised(broker, log):
        await _hear_first(broker, log)
        await broker.stop()
        await broker.start()
        await _publish(broker, [_reading(number) for number in range(1, 11)])
        await eventually(lambda: _numbers(log) == list(range(11)))


async def test_what_the_log_refused_is_not_acknowledged_and_comes_again(broker, log):
    await _subscribe_and_leave(broker, log)
    await _publish(broker, [_reading(number) for number in range(1, 6)])
    log.faults = [LogUnavailableError("full")]
    with pytest.raises(LogUnavailableError):
        await asyncio.wait_for(_connector(broker).run(Intake(log)), 20)
    assert _numbers(log) == [0]
    async with supervised(broker, log):
        await eventually(lambda: _numbers(log) == list(range(6)))


async def test_what_the_log_has_is_acknowledged_and_does_not_come_again(broker, log):
    await _subscribe_and_leave(broker, log)
    second = FakeLog()
    async with supervised(broker, second):
        await _publish(broker, [_reading(7)])
        await eventually(lambda: _numbers(second) == [7])
    assert len(second.events) == 1


async def test_a_broker_that_is_not_there_is_a_lost_source(broker):
    await broker.stop()
    with pytest.raises(SourceLostError, match=str(broker.port)):
        await asyncio.wait_for(_connector(broker).run(Intake(FakeLog())), 20)
