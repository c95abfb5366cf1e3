"""Receivers of webhooks, kind and hostile: plain sockets, so that they can do what no HTTP server would."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import hmac
import ssl
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from ioc.cancellation import let_arrive
from ioc.clocks import SystemClock

DEADLINE_S = 20.0
TOLERANCE = timedelta(minutes=5)


class JumpingClock:
    """The machine's time plus what the test jumped ahead; waiting on it waits in real time."""

    def __init__(self) -> None:
        self._real, self._ahead = SystemClock(), timedelta()

    def now(self) -> datetime:
        return self._real.now() + self._ahead

    async def sleep(self, delay: timedelta) -> None:
        await self._real.sleep(delay)

    def jump(self, by: timedelta) -> None:
        self._ahead += by


@dataclass(frozen=True)
class Received:
    """One request as it came: header names in small letters."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def webhook_id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def sent_at(self) -> datetime:
        return datetime.fromtimestamp(int(self.headers["webhook-timestamp"]), SystemClock().now().tzinfo)

    @property
    def json(self) -> dict:
        return msgspec.json.decode(self.body)


def verify(received: Received, secret: str, *, now: datetime) -> None:
    """Check a request as a receiver has to (Standard Webhooks 1.0): time within bounds, one signature of ours.

    Written from the specification and apart from the signing code. Raises AssertionError.
    """
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b".".join([received.webhook_id.encode(), received.headers["webhook-timestamp"].encode(), received.body])
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
    versions = [part.split(",", 1) for part in received.headers["webhook-signature"].split(" ")]
    assert any(
        version == "v1" and hmac.compare_digest(signature.encode(), expected) for version, signature in versions
    ), "no signature of this secret"
    assert abs(now - received.sent_at) <= TOLERANCE, "the timestamp is too far from now"


Behaviour = Callable[["Receiver", asyncio.StreamWriter], Awaitable[None]]


def status(code: int, *, headers: Sequence[str] = (), body: bytes = b"") -> Behaviour:
    """Answer with a status and be done."""

    async def answer(receiver: Receiver, writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {code} Whatever", f"Content-Length: {len(body)}", "Connection: close", *headers]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await writer.drain()

    return answer


async def never_answer(receiver: Receiver, writer: asyncio.StreamWriter) -> None:
    """Take the request and say nothing until the other side has enough."""
    await receiver.hung_up(writer)


async def trickle_headers(receiver: Receiver, writer: asyncio.StreamWriter) -> None:
    """Send a header now and then, for ever."""
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while not writer.is_closing():
        writer.write(b"X-Slow: 1\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)


async def trickle_body(receiver: Receiver, writer: asyncio.StreamWriter) -> None:
    """Answer 200 at once and then send the body byte by byte, for ever."""
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"1\r\nx\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)


async def endless_body(receiver: Receiver, writer: asyncio.StreamWriter) -> None:
    """Answer 200 with as many bytes as are taken."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
    piece = b"x" * 65_536
    while not writer.is_closing():
        writer.write(piece)
        await writer.drain()
        receiver.bytes_sent += len(piece)


async def endless_headers(receiver: Receiver, writer: asyncio.StreamWriter) -> None:
    """Answer with headers without end, as fast as they are taken."""
    writer.write(b"HTTP/1.1 200 OK\r\n")
    piece = b"X-Filler: 0123456789\r\n" * 3_000
    while not writer.is_closing():
        writer.write(piece)
        await writer.drain()
        receiver.bytes_sent += len(piece)


async def gzip_bomb(receiver: Receiver, writer: asyncio.StreamWriter) -> None:
    """Answer with little that would become much: 10 MB of zeros, packed."""
    body = gzip.compress(bytes(10_000_000))
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


async def reset(receiver: Receiver, writer: asyncio.StreamWriter) -> None:
    """Cut the connection in the middle."""
    writer.transport.abort()


async def talk_nonsense(receiver: Receiver, writer: asyncio.StreamWriter) -> None:
    """Answer with something that is not HTTP."""
    writer.write(b"220 mail.example.org ESMTP\r\n\x00\xff\r\n\r\n")
    await writer.drain()


async def half_close(receiver: Receiver, writer: asyncio.StreamWriter) -> None:
    """Promise a body, send part of it, and close the sending side only."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    writer.write_eof()
    await receiver.hung_up(writer)


@dataclass
class Receiver:
    """A receiver on a port of its own. Requests are answered by ``answers`` in turn, then by ``then``."""

    answers: list[Behaviour] = field(default_factory=list)
    then: Behaviour = field(default_factory=lambda: status(200))
    tls: ssl.SSLContext | None = None
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    bytes_sent: int = 0

    async def __aenter__(self) -> Receiver:
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task] = set()
        self._readers: dict[asyncio.StreamWriter, asyncio.StreamReader] = {}
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        await let_arrive()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await let_arrive()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/hook"

    async def wait_for(self, count: int) -> list[Received]:
        """Wait until so many requests have come, and give them."""
        async with asyncio.timeout(DEADLINE_S), self._changed:
            await self._changed.wait_for(lambda: len(self.received) >= count)
        return self.received

    async def hung_up(self, writer: asyncio.StreamWriter) -> None:
        """Wait until the other side has closed."""
        reader = self._readers[writer]
        while await reader.read(4_096):
            pass

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._readers[writer] = reader
        self.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            received = await _read_request(reader)
            behaviour = self.answers.pop(0) if self.answers else self.then
            async with self._changed:
                self.received.append(received)
                self._changed.notify_all()
            await behaviour(self, writer)
        writer.close()
        with suppress(ConnectionError, ssl.SSLError, asyncio.CancelledError):
            await writer.wait_closed()
        del self._readers[writer]
        self._tasks.discard(task)


async def _read_request(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in head[1:] if line)
    headers = {name.lower(): value for name, value in headers.items()}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(path=head[0].split(" ")[1], headers=headers, body=body)
