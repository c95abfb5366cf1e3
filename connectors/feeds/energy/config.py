"""Settings of the energy feed."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from connectors.feed import FeedConfig
from ioc.domain.kinds import Outage


class EnergyConfig(FeedConfig):
    """How feeders, units and lamps are listened to."""

    expected_period: timedelta = Field(timedelta(minutes=1), description="how often the feed as a whole should speak")
    outage_period: timedelta = Field(
        timedelta(minutes=5), description="how often each unit should say who has no power"
    )

    def period_of(self, kind: str) -> timedelta:
        """Say how often one asset should send a kind: units report outages more seldom than feeders their load."""
        return max(self.outage_period, self.expected_period) if kind == Outage.KIND else self.expected_period
