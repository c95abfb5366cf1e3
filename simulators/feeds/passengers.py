"""Passengers at the gates of Móng Cái: counted by direction, and the automatic gates' passages and seconds."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from simulators.message import Message
from simulators.province import Process, World

GATES = {"bac-luan-1": 0.85, "bac-luan-2": 0.15}
"""How the people of a day share themselves out (assumed)."""
PEOPLE_A_DAY = 15_000
"""11,500 to 18,500 passengers a day (press)."""
PERIOD = timedelta(minutes=5)
OPEN_H, CLOSE_H = 7.0, 21.0
_GROUPS = {"vietnamese": 0.34, "chinese": 0.63, "other": 0.03}
_EGATE_SHARE = 0.45
"""Of the people take the automatic gates (assumed)."""


class Passengers(Process):
    """Every gate every five minutes; nobody crosses at night."""

    feed_id = "passengers"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        hours = [OPEN_H + step / 12 for step in range(round((CLOSE_H - OPEN_H) * 12))]
        self._of_all = sum(map(_bustle, hours))
        for name in GATES:
            self.schedule(world.start_at + self.random.random() * PERIOD, name)

    def act(self, at: datetime, item: str) -> Iterator[Message]:
        """Count a gate."""
        self.schedule(at + PERIOD, item)
        counts = {group: (self._draw(at, item, share), self._draw(at, item, share)) for group, share in _GROUPS.items()}
        for group, (come, go) in counts.items():
            yield self._to_message(at, {"type": "count", "gate": item, "in": come, "out": go, "group": group})
        everybody = sum(map(sum, counts.values()))
        slow = 1.0 + min(2.0, everybody / 400)
        passes = round(everybody * _EGATE_SHARE)
        seconds = {"seconds_p50": round(self.random.uniform(10, 16) * slow, 1)} if passes else {}
        seconds |= {"seconds_p95": round(self.random.uniform(30, 48) * slow, 1)} if passes else {}
        refused = sum(self.random.random() < 0.01 for _ in range(passes))
        yield self._to_message(at, {"type": "egate", "gate": item, "passes": passes, "refused": refused, **seconds})

    def _draw(self, at: datetime, gate: str, share: float) -> int:
        """Draw how many of a group crossed one way in a period; a surge multiplies them."""
        surge = 1.0
        for effect, strength in self.world.acting("passengers.surge", at):
            if effect.facts["gate"] == gate:
                surge += strength * (float(effect.facts["times"]) - 1.0)
        people = PEOPLE_A_DAY * GATES[gate] * share / 2 * _bustle(self.world.hour(at)) / self._of_all
        mean = people * self.world.scale * self.world.scenario.busy * surge
        return max(0, round(self.random.gauss(mean, math.sqrt(mean)))) if mean else 0

    def _to_message(self, at: datetime, record: dict[str, Any]) -> Message:
        return Message(at, self.feed_id, json.dumps({**record, "time": self.world.write_time(at)}).encode())


def _bustle(hour: float) -> float:
    """Say how busy an hour of the day is: traders in the morning, the way home in the afternoon."""
    if not OPEN_H <= hour < CLOSE_H:
        return 0.0
    return 0.25 + math.exp(-((hour - 8.5) ** 2) / 3.0) + 0.8 * math.exp(-((hour - 16.5) ** 2) / 4.0)
