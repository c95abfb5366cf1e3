"""Settings of the weather feed."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from connectors.feed import FeedConfig


class WeatherConfig(FeedConfig):
    """How weather is read."""

    expected_period: timedelta = Field(timedelta(minutes=10), description="how often the feed as a whole should speak")
    isd_station: str = Field("met.isd", description="station of NOAA ISD files that do not name one")
