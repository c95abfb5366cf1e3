"""A WebSocket over real sockets: what comes is on the log, who is silent or too loud is left, and nothing piles up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from random import Random

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from connectors.definition import Surroundings
from connectors.intake import Intake
from connectors.registry import configure, make_board, make_connectors
from connectors.supervisor import Supervisor
from connectors.transports.websocket import WebSocketConnector
from connectors.ways import WebSocketConfig
from ioc.errors import ConfigurationError, LogUnavailableError, SourceLostError
from tests.support.feeds import FakeLog, HastyClock, SteppedClock, eventually, fresh_feed

Script = Callable[[ServerConnection], Awaitable[None]]


def reading(second: int) -> str:
    time = f"2026-11-23T08:{second // 60:02}:{second % 60:02}+07:00"
    return json.dumps({"station": "air.hong-gai", "time": time, "pm25": 12.5})


async def stay(socket: ServerConnection) -> None:
    await socket.wait_closed()


@asynccontextmanager
async def serving(*scripts: Script, **settings: object) -> AsyncIterator[tuple[str, list[ServerConnection]]]:
    """Serve one script per connection, the last one for ever."""
    left, seen = list(scripts), list[ServerConnection]()

    async def answer(socket: ServerConnection) -> None:
        seen.append(socket)
        with suppress(ConnectionClosed):
            await (left.pop(0) if len(left) > 1 else left[0])(socket)

    async with serve(answer, "127.0.0.1", 0, close_timeout=0.2, **settings) as server:  # type: ignore[arg-type]
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/feed", seen


def connect(url: str, **settings: object) -> WebSocketConnector:
    config = WebSocketConfig.model_validate({"url": url, **settings})
    return WebSocketConnector(
        fresh_feed("air"),
        SteppedClock(),
        config,
        headers=config.collect_headers({}),
        first_message=config.find_first_message({}),
    )


@asynccontextmanager
async def listening(connector: WebSocketConnector, log: FakeLog) -> AsyncIterator[None]:
    running = asyncio.create_task(connector.run(Intake(log)))
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait([running])


async def fail(url: str, log: FakeLog | None = None, **settings: object) -> str:
    with pytest.raises(SourceLostError) as caught:
        async with asyncio.timeout(10):
            await connect(url, **settings).run(Intake(log or FakeLog()))
    return str(caught.value)


async def test_we_say_our_first_message_with_our_headers_and_take_text_and_bytes():
    heard: list[object] = []

    async def speak(socket: ServerConnection) -> None:
        heard.append(await socket.recv())
        await socket.send(reading(1))
        await socket.send(reading(2).encode())
        await socket.send("{half a rec")
        await stay(socket)

    log = FakeLog()
    async with serving(speak, subprotocols=["readings.v2", "readings.v1"]) as (url, seen):
        connector = connect(
            url, subprotocols=["readings.v1"], first_message='{"subscribe": "air"}', headers={"X-Key": "k"}
        )
        async with listening(connector, log):
            await eventually(lambda: len(log.events) == 2 and len(log.letters) == 1)
        assert seen[0].subprotocol == "readings.v1"
        assert seen[0].request is not None
        assert seen[0].request.headers["X-Key"] == "k"
    assert heard == ['{"subscribe": "air"}']
    assert log.letters[0].raw == b"{half a rec"


async def test_a_source_that_speaks_none_of_our_subprotocols_is_left():
    async with serving(stay) as (url, _):
        assert "none of readings.v1" in await fail(url, subprotocols=["readings.v1"])


async def test_a_silent_source_is_left():
    async with serving(stay) as (url, _):
        assert "silent" in await fail(url, silence=timedelta(seconds=0.1))


async def test_a_source_that_answers_no_ping_is_left():
    done = asyncio.Event()

    async def freeze(socket: ServerConnection) -> None:
        socket.transport.pause_reading()
        await done.wait()

    async with serving(freeze) as (url, seen):
        assert "a ping was not answered" in await fail(url, ping=timedelta(seconds=0.1))
        done.set()
        seen[0].transport.abort()


async def test_a_message_that_is_too_large_is_not_read_to_its_end():
    async def shout(socket: ServerConnection) -> None:
        await socket.send(" " * 100_000)
        await stay(socket)

    async with serving(shout) as (url, _):
        assert "larger" in await fail(url, most_bytes=10_000)


async def test_refusals_and_redirects_and_nobody_there_are_lost_sources():
    def refuse(connection: ServerConnection, request: object) -> object:
        response = connection.respond(302, "go on\n")
        response.headers["Location"] = "ws://localhost:9/other"
        return response

    async with serving(stay, process_request=refuse) as (url, seen):
        assert "HTTP 302" in await fail(url)
        assert seen == []
    assert "gives no WebSocket" in await fail(url)


async def test_what_came_before_a_cut_is_on_the_log_and_the_supervisor_connects_again():
    async def cut(socket: ServerConnection) -> None:
        await socket.send(reading(1))
        await socket.close()

    async def go_on(socket: ServerConnection) -> None:
        await socket.send(reading(2))
        await stay(socket)

    log = FakeLog()
    async with serving(cut, go_on) as (url, seen):
        feed = fresh_feed("air")
        connector = connect(url)
        supervisor = Supervisor([connector], Intake(log), make_board([feed]), HastyClock(), random=Random(1))
        running = asyncio.create_task(supervisor.run())
        await eventually(lambda: len(log.events) == 2)
        running.cancel()
        await asyncio.wait([running])
        assert len(seen) == 2


async def test_a_log_that_is_away_keeps_what_is_in_hand_for_the_next_start():
    async def speak(socket: ServerConnection) -> None:
        await socket.send(reading(1))
        await stay(socket)

    log = FakeLog(faults=[LogUnavailableError("away")])
    async with serving(speak, stay) as (url, _):
        connector = connect(url)
        with pytest.raises(LogUnavailableError):
            await connector.run(Intake(log))
        async with listening(connector, log):
            await eventually(lambda: len(log.events) == 1)


async def test_a_log_that_is_slow_slows_the_source_down():
    sent = 0

    async def flood(socket: ServerConnection) -> None:
        nonlocal sent
        while True:
            await socket.send(reading(sent % 3_000) + " " * 20_000)
            sent += 1

    log = FakeLog()
    log.gate.clear()
    async with serving(flood, compression=None) as (url, _), listening(connect(url), log):
        await eventually(lambda: sent > 16)
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.1)
        held = sent
        log.gate.set()
        await eventually(lambda: sent > held + 50)
    assert held < 2_000, "buffers of sockets and frames, not more"


async def test_a_configuration_file_is_all_that_a_feed_needs(monkeypatch):
    heard: list[object] = []

    async def speak(socket: ServerConnection) -> None:
        heard.append(await socket.recv())
        await stay(socket)

    monkeypatch.setenv("SITES_HELLO", "token-1")
    async with serving(speak) as (url, _):
        config = configure("tourism", {"websocket": {"url": url, "first_message_from_env": "SITES_HELLO"}})
        around = Surroundings(clock=SteppedClock(), mqtt_url="", nmea_url="")
        (connector,) = make_connectors({"tourism": fresh_feed("tourism")}, around, configs={"tourism": config})
        running = asyncio.create_task(connector.run(Intake(FakeLog())))
        await eventually(lambda: heard == ["token-1"])
        running.cancel()
        await asyncio.wait([running])


@pytest.mark.parametrize(
    "values",
    [
        {"url": "http://x/"},
        {"url": "ws://user:pass@x/"},
        {"url": "ws://x/", "pings": 5},
        {"url": "ws://x/", "form": "csv-2"},
        {"url": "ws://x/", "first_message": "a", "first_message_from_env": "B"},
    ],
)
def test_a_websocket_that_cannot_be_is_refused_at_the_start(values):
    with pytest.raises(ConfigurationError):
        configure("tourism", {"websocket": values})
