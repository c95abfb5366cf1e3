"""Settings of the air feed."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from connectors.feed import FeedConfig


class AirConfig(FeedConfig):
    """How the air stations are listened to."""

    expected_period: timedelta = Field(timedelta(minutes=1), description="how often the feed as a whole should speak")
    mqtt_topic: str = Field("qn/air/+", description="topic filter of the stations")
