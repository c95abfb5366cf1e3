"""Visitors between the crowds: tickets that they buy, nights that they stay, ratings that they give."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from geo.catalogue import Place
from simulators.province import World

GROUPS = (("domestic", 0.8), ("international", 0.2))
"""Who visits, and their share (assumed)."""
TICKETS_EVERY = timedelta(minutes=5)
STAYS_EVERY = timedelta(minutes=30)
RATINGS_A_DAY = 25
"""Of a site (assumed)."""
VISITORS_A_DAY = 69_000
"""In the whole province (press)."""
_NIGHTS_SHARE = 0.35
"""Of a day's visitors who stay the night (assumed)."""
_BEDS_A_ROOM = 2.1
_CHANNELS = (("counter", 0.45), ("online", 0.35), ("agency", 0.20))
_TOPICS = ("general", "service", "prices", "cleanliness", "safety", "transport", "guides", "food")


class Visitors:
    """Reports of ticket desks, of the lodgings of a unit, and of what visitors rate."""

    def __init__(self, world: World, sites: list[Place]) -> None:
        self._world, self._random = world, world.random("tourism.visitors")
        capacities: dict[str, int] = {}
        for site in sites:
            if site.unit_code is not None:
                capacities[site.unit_code] = capacities.get(site.unit_code, 0) + (site.capacity_count or 1_000)
        self.units: Mapping[str, float] = {
            code: capacity / sum(capacities.values()) for code, capacity in capacities.items()
        }
        """Units that have sites, with their share of the visitors (assumed: as the sites' capacities)."""
        self._all = sum(site.capacity_count or 1_000 for site in sites)
        self._guests: dict[tuple[str, str], int] = {}
        self._ratings_count = 0

    def sell(self, at: datetime, site: Place) -> Iterator[dict[str, Any]]:
        """Give the tickets of a site since the report before, by group and channel; what was not sold is not said."""
        share = (site.capacity_count or 1_000) / self._all
        expected = self._visitors() * share * _bustle(self._world.hour(at)) * (TICKETS_EVERY / timedelta(hours=1))
        for group, of_group in GROUPS:
            for channel, of_channel in _CHANNELS:
                count = self._draw(expected * of_group * of_channel)
                if count:
                    yield {
                        "type": "ticket", "site": _name(site), "time": self._world.write_time(at), "count": count,
                        "group": group, "channel": channel,
                    }  # fmt: skip

    def lodge(self, at: datetime, unit_code: str) -> Iterator[dict[str, Any]]:
        """Give a unit's guests by group: they arrive in the afternoon and leave before noon."""
        hour = self._world.hour(at)
        coming, leaving = math.exp(-((hour - 15) ** 2) / 8), math.exp(-((hour - 10.5) ** 2) / 4)
        for group, share in GROUPS:
            usual = self._visitors() * _NIGHTS_SHARE * share * self.units[unit_code]
            guests = self._guests.get((unit_code, group), round(usual * self._random.uniform(0.85, 1.0)))
            half_hours = STAYS_EVERY / timedelta(hours=1)
            arrived = self._draw(usual * 0.2 * coming * half_hours)
            left = min(guests, self._draw(usual * 0.28 * leaving * half_hours))
            self._guests[unit_code, group] = guests = guests + arrived - left
            rooms = usual * 1.25 / _BEDS_A_ROOM
            yield {
                "type": "stay", "unit": unit_code, "time": self._world.write_time(at), "guests": guests, "in": arrived,
                "out": left, "group": group,
                "rooms_taken_pct": round(min(100.0, guests / _BEDS_A_ROOM / max(1.0, rooms) * 100), 1),
            }  # fmt: skip

    def until_rating(self) -> timedelta:
        """Draw how long until a site's next rating may come."""
        return timedelta(days=self._random.expovariate(RATINGS_A_DAY * self._world.scenario.busy))

    def rate(self, at: datetime, site: Place) -> Iterator[dict[str, Any]]:
        """Give a rating, with the words and the name that a form has; at night nobody writes."""
        if not 6 <= self._world.hour(at) < 23:
            return
        self._ratings_count += 1
        yield {
            "type": "feedback", "site": _name(site), "time": self._world.write_time(at),
            "id": f"F-{self._world.start_at:%Y%m%d%H%M}-{self._ratings_count:05d}",
            "rating": self._random.choices((1, 2, 3, 4, 5), weights=(3, 5, 14, 38, 40))[0],
            "category": self._random.choice(_TOPICS), "channel": self._random.choice(("app", "kiosk", "online")),
            "text": "Nhân viên nhiệt tình, nhà vệ sinh cần sạch hơn.", "author": "Khách số 12",
        }  # fmt: skip

    def _visitors(self) -> float:
        return VISITORS_A_DAY * self._world.scale * self._world.scenario.busy

    def _draw(self, mean: float) -> int:
        """Draw a count; the normal law is close enough above a few."""
        return max(0, round(self._random.gauss(mean, math.sqrt(max(mean, 0.01)))))


def _name(site: Place) -> str:
    return str(site.asset_id).removeprefix("site.")


def _bustle(hour: float) -> float:
    """Say what part of a day's tickets is sold in an hour around now: most before noon, none at night."""
    if not 6 <= hour < 20:
        return 0.0
    return 0.16 * math.exp(-((hour - 9) ** 2) / 6) + 0.10 * math.exp(-((hour - 14.5) ** 2) / 5)
