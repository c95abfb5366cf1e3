"""A TCP server that sends the same lines to everybody who is connected, as a shore station does."""

from __future__ import annotations

import asyncio
from contextlib import suppress

MOST_BUFFERED_BYTES = 4 * 1024 * 1024


class LineServer:
    """Listens on loopback. A client that does not read loses its connection, not the others theirs."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.sent_count = 0

    async def __aenter__(self) -> LineServer:
        self._server = await asyncio.start_server(self._welcome, "127.0.0.1", self._port)
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            writer.close()
        if self._server is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(2):
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

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while await reader.read(4_096):
                pass
        except (ConnectionError, OSError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()
