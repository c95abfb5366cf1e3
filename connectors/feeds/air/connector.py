"""Air stations over MQTT: acknowledged when the log has them."""

from __future__ import annotations

from connectors.feed import Feed, Form
from connectors.intake import hand_over
from connectors.transports.mqtt import MqttAddress, open_session
from ioc.ports import Clock, Sink


class AirConnector:
    """Subscribes to the stations' topic within a persistent session named ``client_id``."""

    def __init__(self, feed: Feed, clock: Clock, *, mqtt_url: str, topic: str, client_id: str) -> None:
        self.feed_id = feed.feed_id
        self._feed = feed
        self._clock = clock
        self._address = MqttAddress.parse(mqtt_url)
        self._topic = topic
        self._client_id = client_id

    async def run(self, sink: Sink) -> None:
        """Bring readings in for as long as the broker is there.

        Raises:
            SourceLostError: the broker went away; what is not acknowledged comes again.
            LogUnavailableError: the log does not answer; nothing was acknowledged.
        """
        async with open_session(self._address, topics=[self._topic], client_id=self._client_id) as session:
            async for batch in session.batches():
                received_at = self._clock.now()
                payloads = [message.payload for message in batch]
                parsed = self._feed.parse_or_bury_all(payloads, received_at=received_at, form=Form.JSON)
                await hand_over(parsed, sink=sink, clock=self._clock, feed_id=self.feed_id, received_at=received_at)
                session.acknowledge(batch)
