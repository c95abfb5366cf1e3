"""A WebSocket listened to as a client. Not reading is the back-pressure: a few frames wait here, then the sender does.

Nothing can be acknowledged. What was read and not yet written is kept over a reconnection of this process; what a
source sent while nobody listened it has to send again by itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.frames import CloseCode
from websockets.typing import Subprotocol

from connectors.feed import Feed, Form
from connectors.intake import hand_over
from connectors.ways import WebSocketConfig
from ioc import cancellation
from ioc.domain.events import Parsed
from ioc.errors import SourceLostError
from ioc.ports import Clock, Sink

_MOST_FRAMES = 16
_MOST_AT_ONCE = 200
_CLOSING_S = 2.0


class WebSocketConnector:
    """Brings a feed in from a WebSocket; every message is one payload."""

    def __init__(
        self,
        feed: Feed,
        clock: Clock,
        config: WebSocketConfig,
        *,
        headers: Mapping[str, str],
        first_message: str | None = None,
    ) -> None:
        self.feed_id = feed.feed_id
        self._feed = feed
        self._clock = clock
        self._config = config
        self._form = Form(config.form)
        self._headers = headers
        self._first_message = first_message
        self._unwritten: tuple[Parsed, datetime] | None = None

    async def run(self, sink: Sink) -> None:
        """Bring messages in for as long as the source is there.

        Raises:
            SourceLostError: not reachable, refused, closed, silent for too long, or a message that is too large.
            LogUnavailableError: the log does not answer; the messages in hand are written first after the next start.
        """
        await self._write(sink)
        async with _open(self._config, self._headers) as socket:
            if self._first_message is not None:
                await _say(socket, self._first_message, self._config)
            async for messages in _read(socket, self._config):
                received_at = self._clock.now()
                parsed = self._feed.parse_or_bury_all(messages, received_at=received_at, form=self._form)
                self._unwritten = (parsed, received_at)
                await self._write(sink)

    async def _write(self, sink: Sink) -> None:
        if self._unwritten is not None:
            parsed, received_at = self._unwritten
            await hand_over(parsed, sink=sink, clock=self._clock, feed_id=self.feed_id, received_at=received_at)
            self._unwritten = None


class _Connect(connect):
    def process_redirect(self, exc: Exception) -> Exception | str:
        """Go nowhere else: our headers are for this source only."""
        return exc


@asynccontextmanager
async def _open(config: WebSocketConfig, headers: Mapping[str, str]) -> AsyncIterator[ClientConnection]:
    host = urlsplit(config.url).hostname
    try:
        socket = await _Connect(
            config.url,
            subprotocols=[Subprotocol(name) for name in config.subprotocols] or None,
            additional_headers=dict(headers),
            user_agent_header="qn-ioc",
            open_timeout=config.deadline.total_seconds(),
            ping_interval=config.ping.total_seconds(),
            ping_timeout=config.ping.total_seconds(),
            close_timeout=_CLOSING_S,
            max_size=config.most_bytes,
            max_queue=_MOST_FRAMES,
            proxy=None,
        )
    except InvalidStatus as error:
        raise SourceLostError(f"{host} refuses the WebSocket: HTTP {error.response.status_code}") from error
    except (OSError, TimeoutError, WebSocketException) as error:
        raise SourceLostError(f"{host} gives no WebSocket: {type(error).__name__}") from error
    try:
        if config.subprotocols and socket.subprotocol is None:
            raise SourceLostError(f"{host} speaks none of {', '.join(config.subprotocols)}")
        yield socket
    finally:
        try:
            await socket.close()
        finally:
            # Whoever ends us may not wait for the source's farewell, and one that floods us never gives it.
            socket.transport.abort()


async def _say(socket: ClientConnection, message: str, config: WebSocketConfig) -> None:
    try:
        async with cancellation.timeout(config.deadline.total_seconds()):
            await socket.send(message)
    except (TimeoutError, ConnectionClosed) as error:
        raise SourceLostError("the source took no first message") from error


async def _read(socket: ClientConnection, config: WebSocketConfig) -> AsyncIterator[list[bytes]]:
    """Give messages as they come, all that are here at once."""
    while True:
        messages = [await _receive(socket, config.silence)]
        while len(messages) < _MOST_AT_ONCE:
            try:
                # What waits is taken without a pause; whatever has to be waited for ends this batch.
                async with cancellation.timeout(0):
                    messages.append(_to_bytes(await socket.recv()))
            except (TimeoutError, ConnectionClosed):
                break
        yield messages


async def _receive(socket: ClientConnection, silence: timedelta) -> bytes:
    try:
        async with cancellation.timeout(silence.total_seconds()):
            return _to_bytes(await socket.recv())
    except TimeoutError as error:
        raise SourceLostError(f"the source was silent for {silence}") from error
    except ConnectionClosed as error:
        raise SourceLostError(_explain(error)) from error


def _explain(error: ConnectionClosed) -> str:
    if error.sent is not None and error.sent.code == CloseCode.MESSAGE_TOO_BIG:
        return "a message was larger than we take"
    if error.rcvd is None:
        return "the connection broke, or a ping was not answered"
    return f"the source closed the connection with code {error.rcvd.code}"


def _to_bytes(message: str | bytes) -> bytes:
    return message.encode("utf-8", "surrogatepass") if isinstance(message, str) else message
