"""Settings of the vessel feed."""

from __future__ import annotations

from datetime import timedelta

from pydantic import AwareDatetime, Field

from connectors.feed import FeedConfig
from connectors.transports.lines import LineTimes


class VesselsConfig(FeedConfig):
    """How AIS is listened to."""

    expected_period: timedelta = Field(timedelta(seconds=10), description="how often the feed as a whole should speak")
    silence: timedelta = Field(timedelta(minutes=2), description="silence after which a TCP source is connected anew")
    most_names: int = Field(20_000, ge=100, le=1_000_000, description="vessel names kept in memory")
    part_age: timedelta = Field(timedelta(seconds=30), description="how long a half message waits for its other half")
    file_start_at: AwareDatetime | None = Field(
        None, description="time of the first line of files without receive times"
    )
    file_interval: timedelta = Field(timedelta(seconds=1), description="time from line to line in such files")

    @property
    def line_times(self) -> LineTimes | None:
        """Receive times for recordings without any; None leaves them to the arrival."""
        if self.file_start_at is None:
            return None
        return LineTimes(start_at=self.file_start_at, interval=self.file_interval)
