"""Settings of the passengers feed."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from connectors.feed import FeedConfig


class PassengersConfig(FeedConfig):
    """How the passenger gates are listened to."""

    expected_period: timedelta = Field(timedelta(minutes=5), description="how often the feed as a whole should speak")
