"""Settings of the energy feed."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from connectors.feed import FeedConfig


class EnergyConfig(FeedConfig):
    """How feeders, units and lamps are listened to."""

    expected_period: timedelta = Field(timedelta(minutes=1), description="how often the feed as a whole should speak")
