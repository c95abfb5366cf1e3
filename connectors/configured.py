"""Connectors that a feed gets from its configuration file alone, whatever feed it is."""

from __future__ import annotations

from connectors.definition import FeedDefinition, Surroundings
from connectors.feed import Feed, FeedConfig
from connectors.transports.http_poll import PollConnector
from connectors.transports.websocket import WebSocketConnector
from ioc.ports import Connector


def find_faults(config: FeedConfig, definition: FeedDefinition) -> list[str]:
    """Say which configured ways ask for a form that the feed does not speak."""
    return [
        f"feed {definition.feed_id}: {name}.form: {way.form!r} is none of {', '.join(sorted(definition.forms))}"
        for name, way in (("poll", config.poll), ("websocket", config.websocket))
        if way is not None and way.form not in definition.forms
    ]


def make_configured(feed: Feed, config: FeedConfig, around: Surroundings) -> list[Connector]:
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
    return connectors
