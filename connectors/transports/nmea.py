"""Lines over TCP and UDP: bounded framing, deadlines, no meaning."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from urllib.parse import urlsplit

from connectors.transports.lines import LineFramer
from ioc import cancellation
from ioc.errors import ConfigurationError, SourceLostError

_CHUNK_BYTES = 65_536
_RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class NmeaAddress:
    """``tcp://host:port`` to connect to, or ``udp://host:port`` to listen on."""

    transport: Literal["tcp", "udp"]
    host: str
    port: int

    @classmethod
    def parse(cls, url: str) -> NmeaAddress:
        """Read an address.

        Raises:
            ConfigurationError: it is neither of the two forms.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise ConfigurationError([f"NMEA address {url!r}: {error}"]) from error
        if host is None or port is None or parts.scheme not in ("tcp", "udp"):
            raise ConfigurationError([f"NMEA address {url!r} must be tcp://host:port or udp://host:port"])
        return cls(transport="tcp" if parts.scheme == "tcp" else "udp", host=host, port=port)


async def read_tcp(
    address: NmeaAddress, *, silence: timedelta, deadline: timedelta = timedelta(seconds=10)
) -> AsyncIterator[bytes]:
    """Connect and give whole lines as they come, several at once when they came together.

    Not reading is the back-pressure: the sender's window closes.

    Raises:
        SourceLostError: not reachable, closed by the other side, or silent for ``silence``.
    """
    where = f"{address.host}:{address.port}"
    try:
        async with cancellation.timeout(deadline.total_seconds()):
            reader, writer = await asyncio.open_connection(address.host, address.port, limit=_CHUNK_BYTES)
    except (OSError, TimeoutError) as error:
        raise SourceLostError(f"{where} is not reachable: {error or 'no answer in time'}") from error
    framer = LineFramer()
    try:
        while True:
            try:
                async with cancellation.timeout(silence.total_seconds()):
                    chunk = await reader.read(_CHUNK_BYTES)
            except TimeoutError as error:
                raise SourceLostError(f"{where} was silent for {silence}") from error
            except OSError as error:
                raise SourceLostError(f"{where}: {error}") from error
            lines = framer.feed(chunk) if chunk else framer.flush()
            if lines:
                yield lines
            if not chunk:
                raise SourceLostError(f"{where} closed the connection")
    finally:
        writer.close()


async def read_udp(
    address: NmeaAddress,
    *,
    on_drop: Callable[[int], None],
    on_bound: Callable[[int], None] = lambda _: None,
    most_waiting: int = 10_000,
) -> AsyncIterator[bytes]:
    """Listen and give datagrams, each closed by a line end, several at once when they came together.

    UDP has no back-pressure. When ``most_waiting`` datagrams wait, a new one is dropped and ``on_drop`` is told.
    ``on_bound`` gets the port that was taken.

    Raises:
        SourceLostError: the address cannot be bound.
    """
    waiting: asyncio.Queue[bytes] = asyncio.Queue(maxsize=most_waiting)
    loop = asyncio.get_running_loop()
    try:
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Listener(waiting, on_drop), local_addr=(address.host, address.port)
        )
    except OSError as error:
        raise SourceLostError(f"udp {address.host}:{address.port} cannot be bound: {error}") from error
    try:
        sock: socket.socket = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
        on_bound(sock.getsockname()[1])
        while True:
            datagrams = [await waiting.get()]
            while not waiting.empty() and len(datagrams) < most_waiting:
                datagrams.append(waiting.get_nowait())
            yield b"\n".join(datagrams) + b"\n"
    finally:
        transport.close()


class _Listener(asyncio.DatagramProtocol):
    def __init__(self, waiting: asyncio.Queue[bytes], on_drop: Callable[[int], None]) -> None:
        self._waiting = waiting
        self._on_drop = on_drop

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        try:
            self._waiting.put_nowait(data)
        except asyncio.QueueFull:
            self._on_drop(1)
