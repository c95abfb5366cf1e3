"""Sites: people by the hour, and who passed the gates since the last count."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from geo.catalogue import Place, load_places
from simulators.message import Message
from simulators.province import Process, World

PERIOD = timedelta(seconds=30)
GROUPS = (("domestic", 0.8), ("international", 0.2))
"""Who visits, and their share (assumed)."""


class Sites(Process):
    """Every crowd site, twice a minute."""

    feed_id = "tourism"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._busy = {}
        for place in load_places():
            if place.kind == "crowd_site" and place.asset_id is not None:
                self._busy[place.place_id] = self.random.uniform(0.25, 0.6)
                self.schedule(world.start_at + self.random.random() * PERIOD, place)

    def act(self, at: datetime, item: Place) -> Iterator[Message]:
        """Count a site's crowd and gates, and come again."""
        self.schedule(at + PERIOD, item)
        site = str(item.asset_id).removeprefix("site.")
        people, density = self._count(at, item, site)
        time = self.world.write_time(at)
        capacity = item.capacity_count or 1_000
        yield self._to_message(
            at,
            {"type": "crowd", "site": site, "time": time, "people": people, "density": density, "capacity": capacity},
        )
        passing = people * 0.004
        for group, share in GROUPS:
            counts = {"in": self._poisson(passing * share * 1.1), "out": self._poisson(passing * share)}
            yield self._to_message(at, {"type": "gate", "site": site, "time": time, **counts, "group": group})

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

    def _to_message(self, at: datetime, record: dict[str, Any]) -> Message:
        return Message(at, self.feed_id, json.dumps(record).encode())
