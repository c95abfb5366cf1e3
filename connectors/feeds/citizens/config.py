"""Settings of the citizens feed."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from connectors.feed import FeedConfig


class CitizensConfig(FeedConfig):
    """How the hotline and its app are listened to."""

    expected_period: timedelta = Field(timedelta(hours=4), description="how often the feed as a whole should speak")
