"""Settings of the NGSI-LD feed."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, field_validator

from connectors.feed import FeedConfig


class NgsiLdConfig(FeedConfig):
    """How context brokers are listened to."""

    expected_period: timedelta = Field(timedelta(minutes=15), description="how often the feed as a whole should speak")
    zone: str = Field("Asia/Ho_Chi_Minh", description="time zone of instants that are written without one")
    region: tuple[float, float, float, float] = Field(
        (102.0, 7.0, 118.0, 24.0), description="west, south, east, north: where things can be, to notice swapped axes"
    )

    @field_validator("zone")
    @classmethod
    def _check_zone(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError("no such time zone")
        return name

    @property
    def time_zone(self) -> ZoneInfo:
        """The zone itself."""
        return ZoneInfo(self.zone)
