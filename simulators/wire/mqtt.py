"""The air stations' broker and the stations' client: MQTT 3.1.1, QoS 1, in this process and on loopback."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiomqtt
from amqtt.broker import Broker

from ioc.logs import logger

_log = logger("simulators.mqtt")
MOST_WAITING = 20_000


@asynccontextmanager
async def broker(port: int) -> AsyncIterator[None]:
    """Run a broker on loopback that lets anybody in, for as long as the block lasts."""
    logging.getLogger("amqtt").setLevel(logging.CRITICAL)
    logging.getLogger("transitions").setLevel(logging.CRITICAL)
    made = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    await made.start()
    try:
        yield
    finally:
        await made.shutdown()


class Publisher:
    """Publishes in order, QoS 1; what could not be sent waits, bounded."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._waiting: deque[tuple[str, bytes]] = deque(maxlen=MOST_WAITING)
        self._wake = asyncio.Event()
        self.sent_count = 0

    def send(self, topic: str, payload: bytes) -> None:
        """Queue a message."""
        self._waiting.append((topic, payload))
        self._wake.set()

    async def run(self) -> None:
        """Publish until cancelled, over one connection after the other."""
        while True:
            try:
                async with aiomqtt.Client("127.0.0.1", self._port, identifier="qn-pretend-stations") as client:
                    await self._publish(client)
            except aiomqtt.MqttError as error:
                _log.debug("mqtt.again", reason=str(error))
                await asyncio.sleep(1.0)

    async def _publish(self, client: aiomqtt.Client) -> None:
        while True:
            while self._waiting:
                topic, payload = self._waiting[0]
                await client.publish(topic, payload, qos=1)
                self._waiting.popleft()
                self.sent_count += 1
            self._wake.clear()
            await self._wake.wait()
