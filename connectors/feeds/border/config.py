"""Settings of the border feed."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from connectors.feed import FeedConfig


class BorderConfig(FeedConfig):
    """How the border gates are listened to."""

    expected_period: timedelta = Field(timedelta(minutes=5), description="how often the feed as a whole should speak")
