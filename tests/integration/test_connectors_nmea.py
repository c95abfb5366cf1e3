"""AIS over real sockets: TCP with a source that goes away and comes back, UDP with a receiver's datagrams."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from random import Random

import pytest

from connectors.feed import Form
from connectors.feeds.vessels.connector import VesselsConnector
from connectors.intake import Intake
from connectors.registry import make_board
from connectors.supervisor import Supervisor
from ioc.cancellation import let_arrive
from ioc.clocks import SystemClock
from ioc.errors import ConfigurationError, LogUnavailableError, SourceLostError
from ioc.retry import Backoff
from tests.support.feeds import RECEIVED_AT, RECORDINGS, FakeLog, HastyClock, SteppedClock, eventually, fresh_feed
from tests.support.tasks import running

LINES = next(recording for recording in RECORDINGS if recording.feed_id == "vessels").read().splitlines(keepends=True)
EXPECTED = fresh_feed("vessels").parse(b"".join(LINES), received_at=RECEIVED_AT, form=Form.NMEA)


class Station:
    """A receiver that serves one script of chunks per connection and then hangs up."""

    def __init__(self, *scripts: Iterable[bytes]) -> None:
        self._scripts = list(scripts)
        self.connections = 0
        self._server: asyncio.Server | None = None
        self._done = asyncio.Event()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"tcp://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Station:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._server is not None
        self._done.set()
        self._server.close()
        await let_arrive()
        await self._server.wait_closed()

    async def _serve(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self._scripts:
            for chunk in self._scripts.pop(0):
                writer.write(chunk)
                await writer.drain()
        else:
            await self._done.wait()
        writer.close()


@asynccontextmanager
async def supervised(connector: VesselsConnector, log: FakeLog) -> AsyncIterator[None]:
    supervisor = Supervisor(
        [connector], Intake(log), make_board([fresh_feed("vessels")]), SystemClock(), random=Random(1),
        backoff=Backoff(first=timedelta(milliseconds=20), longest=timedelta(milliseconds=50)), sweep=timedelta(hours=1),
    )  # fmt: skip
    async with running(supervisor.run()):
        yield


def _connector(url: str, **settings: object) -> VesselsConnector:
    # The clock stands where the recording was made: receive times lie neither in the past nor in the future.
    return VesselsConnector(fresh_feed("vessels"), SteppedClock(), nmea_url=url, **settings)


async def test_a_source_that_hangs_up_is_connected_again_and_nothing_of_it_is_lost():
    log = FakeLog()
    async with Station(LINES[:5], LINES[5:]) as station, supervised(_connector(station.url), log):
        await eventually(lambda: station.connections == 3)
    assert [event.event_id for event in log.events] == [event.event_id for event in EXPECTED.events]
    assert sorted(letter.raw for letter in log.letters) == sorted(rejected.raw for rejected in EXPECTED.rejected)


async def test_lines_come_whole_however_the_stream_is_cut():
    log, body = FakeLog(), b"".join(LINES)
    async with Station([body[start : start + 7] for start in range(0, len(body), 7)]) as station:
        with pytest.raises(SourceLostError, match="closed"):
            await asyncio.wait_for(_connector(station.url).run(Intake(log)), 20)
    assert [event.event_id for event in log.events] == [event.event_id for event in EXPECTED.events]


async def test_a_silent_source_is_a_lost_one():
    async with Station() as station:
        connector = _connector(station.url, silence=timedelta(milliseconds=50))
        with pytest.raises(SourceLostError, match="silent"):
            await asyncio.wait_for(connector.run(Intake(FakeLog())), 20)


async def test_a_source_that_is_not_there_is_a_lost_one():
    async with Station() as station:
        url = station.url
    with pytest.raises(SourceLostError, match="not reachable"):
        await asyncio.wait_for(_connector(url).run(Intake(FakeLog())), 20)


async def test_lines_in_hand_when_the_log_fails_are_written_after_the_next_start():
    log = FakeLog(faults=[LogUnavailableError("full")])
    async with Station([b"".join(LINES)]) as station:
        connector = _connector(station.url)
        with pytest.raises(LogUnavailableError):
            await asyncio.wait_for(connector.run(Intake(log)), 20)
        assert log.events == []
        async with supervised(connector, log):
            await eventually(lambda: len(log.events) == len(EXPECTED.events))
    assert [event.event_id for event in log.events] == [event.event_id for event in EXPECTED.events]


async def test_datagrams_come_in_with_and_without_line_ends_and_noise_is_kept():
    log, ports = FakeLog(), asyncio.Queue[int](1)
    connector = _connector("udp://127.0.0.1:0", on_bound=ports.put_nowait)
    async with supervised(connector, log):
        port = await asyncio.wait_for(ports.get(), 20)
        with socket.socket(type=socket.SOCK_DGRAM) as sender:
            for number, line in enumerate(LINES):
                sender.sendto(line if number % 2 else line.rstrip(), ("127.0.0.1", port))
            sender.sendto(b"\xff\xfe noise", ("127.0.0.1", port))
        await eventually(lambda: len(log.events) == len(EXPECTED.events) and b"\xff\xfe noise" in _raws(log))
    assert {event.event_id for event in log.events} == {event.event_id for event in EXPECTED.events}


async def test_a_udp_port_in_use_is_a_lost_source():
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"udp://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(SourceLostError, match="bound"):
            await asyncio.wait_for(_connector(url).run(Intake(FakeLog())), 20)


@pytest.mark.parametrize("url", ["", "http://127.0.0.1:1", "tcp://127.0.0.1", "tcp://:5", "udp://host:notaport"])
def test_an_address_that_is_none_is_a_fault_of_the_configuration(url):
    with pytest.raises(ConfigurationError):
        VesselsConnector(fresh_feed("vessels"), HastyClock(), nmea_url=url)


def _raws(log: FakeLog) -> set[bytes]:
    return {letter.raw for letter in log.letters}
