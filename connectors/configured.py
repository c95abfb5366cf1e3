"""Connectors that a feed gets from its configuration file alone, whatever feed it is."""

from __future__ import annotations

from connectors.definition import FeedDefinition, Surroundings
from connectors.feed import Feed, FeedConfig
from connectors.transports.http_poll import PollConnector
from connectors.transports.mqtt import MqttAddress
from connectors.transports.mqtt_topics import MqttConnector, put_first
from connectors.transports.websocket import WebSocketConnector
from connectors.ways import MqttConfig
from ioc.ports import Connector


def find_faults(config: FeedConfig, definition: FeedDefinition) -> list[str]:
    """Say which configured ways ask for a form that the feed does not speak."""
    return [
        f"feed {definition.feed_id}: {name}.form: {way.form!r} is none of {', '.join(sorted(definition.forms))}"
        for name, way in (("poll", config.poll), ("websocket", config.websocket), ("mqtt", config.mqtt))
        if way is not None and way.form not in definition.forms
    ]


def make_configured(
    feed: Feed, config: FeedConfig, around: Surroundings, definition: FeedDefinition
) -> list[Connector]:
    """Make the connectors for the ways in that a configuration names.

    Raises:
        ConfigurationError: a secret is not where the configuration says.
    """
    connectors: list[Connector] = []
    if config.poll is not None:
        headers = config.poll.collect_headers()
        connectors.append(PollConnector(feed, around.clock, config.poll, headers=headers, random=around.random))
    if config.websocket is not None:
        connectors.append(
            WebSocketConnector(
                feed,
                around.clock,
                config.websocket,
                headers=config.websocket.collect_headers(),
                first_message=config.websocket.find_first_message(),
            )
        )
    if config.mqtt is not None:
        connectors.append(_listen(feed, config.mqtt, around, definition))
    return connectors


def _listen(feed: Feed, config: MqttConfig, around: Surroundings, definition: FeedDefinition) -> Connector:
    prepare = definition.prepare_message
    if config.topic_as is not None:
        prepare = put_first(config.topic_as)
    return MqttConnector(
        feed,
        around.clock,
        config,
        address=MqttAddress.parse(config.find_url(around.mqtt_url)),
        client_id=f"{around.client_id}-{feed.feed_id}-topics",
        prepare=prepare,
    )
