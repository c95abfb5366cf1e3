"""Settings of the weather feed."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field, model_validator

from connectors.feed import FeedConfig
from connectors.ways import PollConfig


class CapListConfig(PollConfig):
    """A list of CAP messages, Atom or RSS, that is polled; ``form`` and ``cursor`` say nothing here."""

    hosts: tuple[str, ...] = Field((), description="further hosts to which the list may link; they get no headers")
    most_links: int = Field(200, ge=1, le=2_000, description="messages fetched after one look at the list")

    @model_validator(mode="after")
    def _check_list(self) -> CapListConfig:
        if self.cursor is not None:
            raise ValueError("a list has no cursor: what was read is remembered")
        return self


class WeatherConfig(FeedConfig):
    """How weather is read."""

    expected_period: timedelta = Field(timedelta(minutes=10), description="how often the feed as a whole should speak")
    cap_list: CapListConfig | None = Field(None, description="a list of CAP 1.2 messages that is polled")
    isd_station: str = Field("met.isd", description="station of NOAA ISD files that do not name one")
