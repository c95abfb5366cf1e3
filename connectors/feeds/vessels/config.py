"""Settings of the vessel feed."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import Field

from connectors.feed import FeedConfig


class VesselsConfig(FeedConfig):
    """How AIS is listened to."""

    expected_period: timedelta = Field(timedelta(seconds=10), description="how often the feed as a whole should speak")
    nmea_url: str = Field("tcp://127.0.0.1:10110", description="tcp://host:port connects, udp://host:port listens")
    silence: timedelta = Field(timedelta(minutes=2), description="silence after which a TCP source is connected anew")
    most_names: int = Field(20_000, ge=100, le=1_000_000, description="vessel names kept in memory")
    part_age: timedelta = Field(timedelta(seconds=30), description="how long a half message waits for its other half")
    file_start_at: datetime | None = Field(None, description="time of the first line of files without receive times")
    file_interval: timedelta = Field(timedelta(seconds=1), description="time from line to line in such files")
