"""Settings of the tthc feed."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from connectors.feed import FeedConfig


class TthcConfig(FeedConfig):
    """How the one-stop system is listened to."""

    expected_period: timedelta = Field(timedelta(minutes=15), description="how often the feed as a whole should speak")
