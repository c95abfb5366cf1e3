"""Sites: people by the hour, who passed their gates, and what their visitors buy, rate and where they stay."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from geo.catalogue import Place, load_places
from simulators.feeds.visitors import GROUPS, STAYS_EVERY, TICKETS_EVERY, Visitors
from simulators.message import Message
from simulators.province import Process, World

PERIOD = timedelta(seconds=30)
_APART = timedelta(seconds=7)
"""So far apart desks begin to report."""


class Sites(Process):
    """Every crowd site, twice a minute; its ticket desk every five, the lodgings around it every half hour."""

    feed_id = "tourism"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._busy = {}
        sites = [place for place in load_places() if place.kind == "crowd_site" and place.asset_id is not None]
        self._visitors = Visitors(world, sites)
        for place in sites:
            self._busy[place.place_id] = self.random.uniform(0.25, 0.6)
            self.schedule(world.start_at + self.random.random() * PERIOD, (self._look, PERIOD, place))
        for number, place in enumerate(sites):
            self.schedule(world.start_at + (number + 1) * _APART, (self._visitors.sell, TICKETS_EVERY, place))
            self.schedule(world.start_at + self._visitors.until_rating(), (self._visitors.rate, None, place))
        for number, code in enumerate(sorted(self._visitors.units)):
            self.schedule(world.start_at + (number + 1) * _APART, (self._visitors.lodge, STAYS_EVERY, code))

    def act(self, at: datetime, item: Any) -> Iterator[Message]:
        """Let somebody report, and come again."""
        report, period, subject = item
        self.schedule(at + (period or self._visitors.until_rating()), item)
        for record in report(at, subject):
            yield Message(at, self.feed_id, json.dumps(record, ensure_ascii=False).encode())

    def _look(self, at: datetime, place: Place) -> Iterator[dict[str, Any]]:
        """Count a site's crowd and gates."""
        site = str(place.asset_id).removeprefix("site.")
        people, density = self._count(at, place, site)
        time = self.world.write_time(at)
        capacity = place.capacity_count or 1_000
        yield {
            "type": "crowd", "site": site, "time": time, "people": people, "density": density, "capacity": capacity,
        }  # fmt: skip
        passing = people * 0.004
        for group, share in GROUPS:
            counts = {"in": self._poisson(passing * share * 1.1), "out": self._poisson(passing * share)}
            yield {"type": "gate", "site": site, "time": time, **counts, "group": group}

    def _count(self, at: datetime, place: Place, site: str) -> tuple[int, float]:
        hour = self.world.hour(at)
        day = 0.06 + math.exp(-((hour - 10) ** 2) / 9) * 0.8 + math.exp(-((hour - 16.5) ** 2) / 8)
        busy = self._busy[place.place_id] = min(
            0.85, max(0.1, self._busy[place.place_id] + self.random.gauss(0, 0.004))
        )
        capacity, area = place.capacity_count or 1_000, place.area_m2 or 5_000
        people = max(0.0, capacity * busy * day * self.world.scenario.busy * self.random.uniform(0.98, 1.02))
        density = people / area * 2.2
        for effect, strength in self.world.acting("tourism.crowd", at):
            if effect.facts["site"] == site:
                wanted = float(effect.facts["density_p_m2"]) * self.random.uniform(0.97, 1.03)
                density += strength * max(0.0, wanted - density)
                people = max(people, density * area / 2.2)
        return round(people), round(min(11.0, density), 2)

    def _poisson(self, mean: float) -> int:
        """Draw a count; the normal law is close enough above a few."""
        return max(0, round(self.random.gauss(mean, math.sqrt(max(mean, 0.1)))))
