"""Settings of the registers feed."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from connectors.feed import FeedConfig


class RegistersConfig(FeedConfig):
    """How the registers are read."""

    expected_period: timedelta = Field(timedelta(hours=24), description="how often the feed as a whole should speak")
