"""MQTT 3.1.1 with acknowledgement by hand: a message is acknowledged when the log has it, never before.

The session is persistent. What arrives while we are away waits at the broker; what was not acknowledged comes again.
The broker's in-flight window bounds how much lies here unacknowledged: that is the back-pressure.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import unquote, urlsplit

import aiomqtt

from ioc import cancellation
from ioc.errors import ConfigurationError, SourceLostError

_QOS = 1
_PORTS = {"mqtt": 1883, "mqtts": 8883}
_quiet = logging.getLogger("connectors.transports.mqtt.paho")
_quiet.setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message as it came. ``message_id`` is what the broker wants acknowledged."""

    topic: str
    payload: bytes
    message_id: int
    qos: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttAddress:
    """Where the broker is, from ``mqtt://[user:password@]host[:port]`` or ``mqtts://…`` for TLS."""

    host: str
    port: int
    username: str | None
    password: str | None
    uses_tls: bool

    @classmethod
    def parse(cls, url: str) -> MqttAddress:
        """Read an address.

        Raises:
            ConfigurationError: the address is not usable. It is not repeated: it may hold a password.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise ConfigurationError(["MQTT address is not a URL"]) from error
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ConfigurationError(["MQTT address must be mqtt://host[:port] or mqtts://host[:port]"])
        return cls(
            host=parts.hostname,
            port=port or _PORTS[parts.scheme],
            username=None if parts.username is None else unquote(parts.username),
            password=None if parts.password is None else unquote(parts.password),
            uses_tls=parts.scheme == "mqtts",
        )


class MqttSession:
    """A connection within a persistent session."""

    def __init__(self, client: aiomqtt.Client, most_messages: int) -> None:
        self._client = client
        self._most_messages = most_messages

    async def batches(self) -> AsyncIterator[Sequence[Message]]:
        """Give messages as they come, all that are here at once; ends only with an error.

        Raises:
            SourceLostError: the connection broke.
        """
        messages = self._client.messages
        try:
            while True:
                batch = [await anext(messages)]
                while len(messages) and len(batch) < self._most_messages:
                    batch.append(await anext(messages))
                yield [
                    Message(
                        topic=message.topic.value,
                        payload=_to_bytes(message.payload),
                        message_id=message.mid,
                        qos=message.qos,
                    )
                    for message in batch
                ]
        except aiomqtt.MqttError as error:
            raise SourceLostError(f"MQTT connection lost: {error}") from error

    def acknowledge(self, batch: Sequence[Message]) -> None:
        """Tell the broker that it may forget these messages."""
        for message in batch:
            if message.qos:
                self._client._client.ack(message.message_id, message.qos)


@asynccontextmanager
async def open_session(
    address: MqttAddress,
    *,
    topics: Sequence[str],
    client_id: str,
    deadline: timedelta = timedelta(seconds=10),
    keepalive: timedelta = timedelta(seconds=20),
    most_messages: int = 500,
) -> AsyncIterator[MqttSession]:
    """Connect within the persistent session ``client_id`` and subscribe to ``topics`` at QoS 1.

    Raises:
        SourceLostError: the broker does not answer, refuses us, or refuses a subscription.
    """
    client = aiomqtt.Client(
        hostname=address.host,
        port=address.port,
        username=address.username,
        password=address.password,
        identifier=client_id,
        clean_session=False,
        protocol=aiomqtt.ProtocolVersion.V311,
        timeout=deadline.total_seconds(),
        keepalive=int(keepalive.total_seconds()),
        tls_params=aiomqtt.TLSParameters() if address.uses_tls else None,
        logger=_quiet,
    )
    # aiomqtt acknowledges on arrival and offers no other way; paho below it does. Must be set before the first message.
    client._client.manual_ack_set(True)
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(_closing_quietly(client, deadline))
            granted = await client.subscribe([(topic, _QOS) for topic in topics])
        except (aiomqtt.MqttError, OSError) as error:
            raise SourceLostError(f"MQTT broker {address.host}:{address.port}: {error}") from error
        if any(_is_refused(code) for code in granted):
            raise SourceLostError(f"MQTT broker {address.host}:{address.port} refuses the subscription")
        yield MqttSession(client, most_messages)


@asynccontextmanager
async def _closing_quietly(client: aiomqtt.Client, deadline: timedelta) -> AsyncIterator[None]:
    """Close the connection whatever state it is in: a broken one has nothing to say good-bye to."""
    async with cancellation.timeout(deadline.total_seconds()):
        await client.__aenter__()
    try:
        yield
    finally:
        try:
            await client.__aexit__(None, None, None)
        except aiomqtt.MqttError:
            _quiet.debug("connection was gone already")


def _is_refused(code: object) -> bool:
    value = getattr(code, "value", code)
    return not isinstance(value, int) or value >= 0x80


def _to_bytes(payload: object) -> bytes:
    return payload if isinstance(payload, bytes) else str(payload).encode()
