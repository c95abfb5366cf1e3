"""Settings of the ports feed."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from connectors.feed import FeedConfig


class PortsConfig(FeedConfig):
    """How the port authority is listened to."""

    expected_period: timedelta = Field(timedelta(hours=1), description="how often the feed as a whole should speak")
