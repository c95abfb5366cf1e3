"""Settings of the transit feed."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from connectors.feed import FeedConfig


class TransitConfig(FeedConfig):
    """How the operators of buses and shuttles are listened to; ``poll`` names the address of their vehicles."""

    expected_period: timedelta = Field(timedelta(seconds=30), description="how often the feed as a whole should speak")
