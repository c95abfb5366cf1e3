"""The HTTP server itself, on real sockets: where it listens, how it ends, and callers that behave badly."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest
from fastapi import FastAPI, Request

from ioc.api import gate, http_protocol
from ioc.api.app import create_app
from ioc.api.services import Services
from ioc.api.serving import serve
from ioc.errors import ConfigurationError
from tests.support.edge import SetClock

DEADLINE_S = 10.0


def make_app() -> FastAPI:
    return create_app(Services(clock=SetClock()))


@asynccontextmanager
async def served(app, **options):
    """Serve on a free port until the block ends."""
    stop, port = asyncio.Event(), asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as group:
        wanted = {"host": "127.0.0.1", "port": 0, **options}
        group.create_task(serve(app, stop=stop, on_ready=port.set_result, **wanted))
        async with asyncio.timeout(DEADLINE_S):
            try:
                yield await port
            finally:
                stop.set()


async def talk(port, *parts):
    """Send bytes, and give what comes back until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        async with asyncio.timeout(DEADLINE_S):
            return await reader.read()
    finally:
        writer.close()


LIVE = b"GET /health/live HTTP/1.1\r\nHost: ioc\r\nConnection: close\r\n\r\n"


async def test_whoever_is_told_the_port_can_call_at_once():
    async with served(make_app()) as port:
        answer = await talk(port, LIVE)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nserver:" not in answer.lower()


async def test_a_port_that_is_taken_is_named():
    async with served(make_app()) as port:
        with pytest.raises(ConfigurationError) as refused:
            await serve(make_app(), host="127.0.0.1", port=port, stop=asyncio.Event())
    assert f"127.0.0.1:{port}" in str(refused.value)
    assert "IOC_HTTP__PORT" in str(refused.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "ioc.example"])
async def test_it_does_not_listen_beyond_this_machine_without_tls_in_front(host):
    with pytest.raises(ConfigurationError, match="BEHIND_TLS_PROXY"):
        await serve(make_app(), host=host, port=0, stop=asyncio.Event())


async def test_behind_a_proxy_it_listens_wider_and_believes_the_proxys_address():
    app = make_app()

    @app.get("/who")
    async def who(request: Request) -> str:
        assert request.client is not None
        return f"{request.client.host} {request.url.scheme}"

    question = (
        b"GET /who HTTP/1.1\r\nHost: ioc\r\nConnection: close\r\n"
        b"X-Forwarded-For: 10.9.9.9\r\nX-Forwarded-For: 6.6.6.6, 198.51.100.7\r\nX-Forwarded-Proto: https\r\n\r\n"
    )
    async with served(app, host="0.0.0.0", behind_tls_proxy=True) as port:
        assert (await talk(port, question)).endswith(b'"198.51.100.7 https"')
    async with served(app) as port:
        assert (await talk(port, question)).endswith(b'"127.0.0.1 http"')


async def test_it_ends_when_told_though_a_caller_holds_a_connection_open():
    async with served(make_app()) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        await talk(port, LIVE)
    writer.close()


async def test_a_server_that_is_cancelled_gives_its_port_back():
    port = asyncio.get_running_loop().create_future()
    running = serve(make_app(), host="127.0.0.1", port=0, stop=asyncio.Event(), on_ready=port.set_result)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(running)
        assert (await talk(await port, LIVE)).startswith(b"HTTP/1.1 200 ")
        task.cancel()
    async with served(make_app(), port=await port):
        pass


async def test_a_body_that_drips_is_cut_off(monkeypatch):
    monkeypatch.setattr(gate, "BODY_DEADLINE_S", 0.2)
    async with served(make_app()) as port:
        head = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: ioc\r\nContent-Length: 1000\r\n\r\n"
        answer = await talk(port, head, b"{")
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert (await talk(port, LIVE)).startswith(b"HTTP/1.1 200 ")


async def test_a_head_that_drips_is_cut_off_at_the_first_request_and_at_a_later_one(monkeypatch):
    monkeypatch.setattr(http_protocol, "HEAD_DEADLINE_S", 0.2)
    async with served(make_app()) as port:
        assert await talk(port) == b""
        assert await talk(port, b"GET /health/live HT") == b""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(LIVE.replace(b"Connection: close\r\n", b""))
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 ")
        writer.write(b"GET /health/live HT")
        assert await reader.read() == b""
        writer.close()


@pytest.mark.parametrize("size", [100_000, 3_000_000])
async def test_large_bodies_come_one_after_another_over_one_connection(size):
    app = make_app()

    @app.post("/api/v1/ingest/size")
    async def count(request: Request) -> int:
        return len(await request.body())

    body = b"x" * size
    post = b"POST /api/v1/ingest/size HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    async with served(app) as port:
        answer = await talk(port, post, post, LIVE)
    assert answer.count(b"\r\n\r\n%d" % size) == 2
    assert answer.count(b"HTTP/1.1 200 OK") == 3


async def test_a_caller_that_goes_away_in_its_body_leaves_no_trace(capsys):
    async with served(make_app()) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /api/v1/auth/login HTTP/1.1\r\nHost: ioc\r\nContent-Length: 1000\r\n\r\n{")
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        assert (await talk(port, LIVE)).startswith(b"HTTP/1.1 200 ")
    shown = capsys.readouterr()
    assert "Traceback" not in shown.out + shown.err


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / SMTP/1.1\r\n\r\n",
        b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 2_000_000,
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 300_000,
        b"GET /" + b"a" * 2_000_000,
    ],
)
async def test_what_is_not_http_is_refused_and_hurts_nobody(request_bytes):
    async with served(make_app()) as port:
        try:
            answer = await talk(port, request_bytes)
        except ConnectionResetError:
            answer = b""
        assert answer == b"" or answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 431 "))
        assert (await talk(port, LIVE)).startswith(b"HTTP/1.1 200 ")
