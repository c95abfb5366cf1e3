"""The air stations' broker and the stations' client: MQTT 3.1.1, QoS 1, in this process and on loopback."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import aiomqtt
from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter
from amqtt.broker import Broker

from ioc import cancellation
from ioc.cancellation import let_arrive
from ioc.logs import logger

_log = logger("simulators.mqtt")
MOST_WAITING = 20_000
_AT_ONCE = 10
_AGAIN_S = 1.0
_LOOK_S = 0.1
_DEADLINE_S = 10.0


@asynccontextmanager
async def broker(port: int) -> AsyncIterator[Callable[[], bool]]:
    """Run a broker on loopback that lets anybody in; what it gives says whether somebody has subscribed."""
    for name in ("amqtt", "transitions"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    made = Broker(
        {
            "listeners": {"default": {"type": "external"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    writers: set[asyncio.StreamWriter] = set()

    async def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The sockets are ours: amqtt's own listener leaves one open whose client went away in the middle of a word.
        writers.add(writer)
        try:
            with suppress(OSError):
                await made.external_connected(StreamReaderAdapter(reader), StreamWriterAdapter(writer), "default")
        finally:
            writers.discard(writer)
            writer.transport.abort()

    async with cancellation.timeout(_DEADLINE_S):
        await made.start()
    server = await asyncio.start_server(welcome, "127.0.0.1", port)
    try:
        # amqtt has no public way to ask this.
        yield lambda: any(made._subscriptions.values())
    finally:
        server.close()
        await let_arrive()
        for writer in list(writers):
            writer.transport.abort()
        async with cancellation.timeout(_DEADLINE_S):
            await made.shutdown()


class Publisher:
    """Publishes at QoS 1, a window of messages at a time; what could not be sent waits, the oldest given up first.

    It begins when ``is_heard`` says so: a broker forgets what nobody has subscribed to, and the first thing that
    stations have to say are the hours that they kept.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self.is_heard: Callable[[], bool] = lambda: True
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._wake = asyncio.Event()
        self.sent_count = 0
        self.dropped_count = 0

    @property
    def waiting_count(self) -> int:
        """Messages that are not confirmed yet."""
        return len(self._waiting)

    def send(self, topic: str, payload: bytes) -> None:
        """Queue a message."""
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.popleft()
            self.dropped_count += 1
        self._waiting.append((topic, payload))
        self._wake.set()

    async def run(self) -> None:
        """Publish until cancelled, over one connection after the other."""
        while not self.is_heard():  # noqa: ASYNC110  amqtt tells nobody when somebody subscribes
            await asyncio.sleep(_LOOK_S)
        while True:
            try:
                async with aiomqtt.Client(
                    "127.0.0.1", self._port, identifier="qn-pretend-stations", timeout=_DEADLINE_S
                ) as client:
                    await self._publish(client)
            except* aiomqtt.MqttError as error:
                _log.debug("mqtt.again", reason=str(error.exceptions[0]))
                await asyncio.sleep(_AGAIN_S)

    async def _publish(self, client: aiomqtt.Client) -> None:
        while True:
            while self._waiting:
                window = [self._waiting.popleft() for _ in range(min(_AT_ONCE, len(self._waiting)))]
                try:
                    async with asyncio.TaskGroup() as group:
                        for topic, payload in window:
                            group.create_task(client.publish(topic, payload, qos=1))
                except BaseException:
                    # Not confirmed means not sent: the same readings again are the same events.
                    self._waiting.extendleft(reversed(window))
                    raise
                self.sent_count += len(window)
            self._wake.clear()
            await self._wake.wait()
