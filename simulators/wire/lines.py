"""AIS lines on the wire: a TCP server that sends the same to everybody who is connected, and a sender of datagrams."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

from ioc import cancellation
from ioc.cancellation import let_arrive

MOST_BUFFERED_BYTES = 4 * 1024 * 1024
_CLOSING_S = 2.0


class LineServer:
    """Listens on loopback, as a shore station does. Who does not read loses the connection; the others keep theirs."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writers: set[asyncio.StreamWriter] = set()
        self.joined = asyncio.Event()
        self._server: asyncio.Server | None = None
        self.sent_count = 0

    async def __aenter__(self) -> LineServer:
        self._server = await asyncio.start_server(self._welcome, "127.0.0.1", self._port)
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._server is None:
            return
        self._server.close()
        await let_arrive()
        writers = list(self._writers)
        self.hang_up()
        for writer in writers:
            # A listener that has stopped reading would keep the rest of what was written, and the connection, for ever.
            writer.transport.abort()
            with suppress(OSError, TimeoutError):
                async with cancellation.timeout(_CLOSING_S):
                    await writer.wait_closed()
        with suppress(TimeoutError):
            async with cancellation.timeout(_CLOSING_S):
                await self._server.wait_closed()

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._server.sockets[0].getsockname()[1]) if self._server is not None else self._port

    @property
    def client_count(self) -> int:
        """Who listens."""
        return len(self._writers)

    def send(self, line: bytes) -> None:
        """Send to everybody; nobody listens, nobody hears, as at sea."""
        self.sent_count += 1
        for writer in list(self._writers):
            transport = writer.transport
            if transport.is_closing() or transport.get_write_buffer_size() > MOST_BUFFERED_BYTES:
                self._writers.discard(writer)
                transport.abort()
            else:
                writer.write(line)

    def hang_up(self) -> None:
        """Close every connection; clients come again when they like."""
        for writer in list(self._writers):
            self._writers.discard(writer)
            writer.close()

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self.joined.set()
        # Clients of a shore station only listen; reading is how their going away is noticed.
        with suppress(OSError):
            while await reader.read(4_096):
                pass
        self._writers.discard(writer)
        writer.close()


class DatagramSender:
    """Sends each line as a datagram to one listener; what the network does not take is gone, and counted."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self.sent_count = 0
        self.lost_count = 0

    def __enter__(self) -> DatagramSender:
        return self

    def __exit__(self, *exc: object) -> None:
        self._socket.close()

    def send(self, line: bytes) -> None:
        """Send a line."""
        try:
            self._socket.sendto(line, self._address)
            self.sent_count += 1
        except OSError:
            self.lost_count += 1
