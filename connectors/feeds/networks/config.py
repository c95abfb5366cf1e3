"""Settings of the networks feed."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from connectors.feed import FeedConfig


class NetworksConfig(FeedConfig):
    """How the monitors of networks and exchanges are listened to."""

    expected_period: timedelta = Field(timedelta(minutes=1), description="how often the feed as a whole should speak")
