"""A feed brought in from topics of an MQTT broker; every message is one payload, acknowledged when the log has it."""

from __future__ import annotations

import json
from collections.abc import Callable

from connectors.feed import Feed, Form
from connectors.intake import hand_over
from connectors.transports.mqtt import MqttAddress, open_session
from connectors.ways import MqttConfig
from ioc.ports import Clock, Sink

Prepare = Callable[[str, bytes], bytes]
"""Makes a payload that speaks for itself of a topic and what was said under it."""


class MqttConnector:
    """Subscribes within a persistent session named ``client_id``; ``prepare`` adds to a message what its topic says."""

    def __init__(
        self, feed: Feed, clock: Clock, config: MqttConfig, *, address: MqttAddress, client_id: str, prepare: Prepare
    ) -> None:
        self.feed_id = feed.feed_id
        self._feed = feed
        self._clock = clock
        self._config = config
        self._form = Form(config.form)
        self._address = address
        self._client_id = client_id
        self._prepare = prepare

    async def run(self, sink: Sink) -> None:
        """Bring messages in for as long as the broker is there.

        Raises:
            SourceLostError: the broker went away; what is not acknowledged comes again.
            LogUnavailableError: the log does not answer; nothing was acknowledged.
        """
        async with open_session(self._address, topics=self._config.topics, client_id=self._client_id) as session:
            async for batch in session.batches():
                received_at = self._clock.now()
                payloads = [self._prepare(message.topic, message.payload) for message in batch]
                parsed = self._feed.parse_or_bury_all(payloads, received_at=received_at, form=self._form)
                await hand_over(parsed, sink=sink, clock=self._clock, feed_id=self.feed_id, received_at=received_at)
                session.acknowledge(batch)


def keep_payload(topic: str, payload: bytes) -> bytes:
    """Leave a message as it is: for topics that say nothing that the message does not."""
    return payload


def put_first(key: str) -> Prepare:
    """Put the levels of the topic into a message that is a JSON object, as a list under ``key``."""

    def prepare(topic: str, payload: bytes) -> bytes:
        return put_member(payload, key, topic.split("/"))

    return prepare


def put_member(payload: bytes, key: str, value: object) -> bytes:
    """Put a member in front of those of a JSON object, without reading it; what is no object stays as it is."""
    text = payload.lstrip(b" \t\r\n")
    if text[:1] != b"{":
        return payload
    rest = text[1:].lstrip(b" \t\r\n")
    comma = b"" if rest[:1] == b"}" else b","
    return f"{{{json.dumps(key)}:{json.dumps(value)}".encode() + comma + rest
