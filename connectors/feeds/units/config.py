"""Settings of the feed of unit reports."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from connectors.feed import FeedConfig


class UnitsConfig(FeedConfig):
    """How the units' reports are read."""

    expected_period: timedelta = Field(timedelta(hours=24), description="how often the feed as a whole should speak")
