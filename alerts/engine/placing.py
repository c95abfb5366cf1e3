"""Which zones events lie in: looked up for a batch at once, and only of kinds whose place some rule asks about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from alerts.world import World
from ioc.domain.events import Event
from ioc.domain.kinds import Payload

NO_ZONES: tuple[str, ...] = ()


class Placing:
    """Finds zones for the rules of one engine. ``kinds`` are those whose place some rule asks about."""

    def __init__(self, world: World, evaluators: Sequence[Any]) -> None:
        self._zones = world.zones
        self.kinds = {
            kind for evaluator in evaluators if evaluator.uses_zones for kind in evaluator.rule.condition.kinds
        }

    def find(self, events: Sequence[Event], kinds: Sequence[type[Payload]]) -> list[tuple[str, ...]]:
        """Give the zones of each event, none where no rule asks; ``kinds`` runs parallel to the events."""
        found = [NO_ZONES] * len(events)
        placed, lon_deg, lat_deg = [], [], []
        for place, kind in enumerate(kinds):
            if kind in self.kinds:
                event = events[place]
                if event.lon_deg is not None and event.lat_deg is not None:
                    placed.append(place)
                    lon_deg.append(event.lon_deg)
                    lat_deg.append(event.lat_deg)
        if placed:
            located = self._zones.locate(np.array(lon_deg, dtype=np.float64), np.array(lat_deg, dtype=np.float64))
            for place, zones in zip(placed, located, strict=True):
                found[place] = zones
        return found
