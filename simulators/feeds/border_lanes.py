"""Lanes and gates of the border: open in their published hours, more of them when many wait, closed when told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from simulators.province import World

OPEN_H, CLOSE_H = 7.0, 19.0
REPEAT = timedelta(minutes=10)
"""So often a lane says again what it is."""
_OPENS_AT_COUNT, _CLOSES_AT_COUNT = 25, 10
"""Vehicles in the yard at which a reserve lane opens, and at which it closes (assumed)."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One lane. A reserve lane has no published hours: it opens when many wait."""

    number: str
    direction: str
    colour: str | None = None
    is_reserve: bool = False


LANES: Mapping[str, tuple[Lane, ...]] = {
    "bac-luan-2": (
        Lane("1", "export", "green"),
        Lane("2", "export", "yellow"),
        Lane("3", "export", is_reserve=True),
        Lane("4", "import", "green"),
        Lane("5", "import", "red"),
        Lane("6", "import", is_reserve=True),
    ),
    "km3-4": (
        Lane("1", "export", "green"),
        Lane("2", "export", "yellow"),
        Lane("3", "export", is_reserve=True),
        Lane("4", "import", "green"),
    ),
}
"""The lanes of each goods gate (assumed)."""


class GateDesk:
    """What the desk of one gate reports about its lanes and itself."""

    def __init__(self, world: World, gate: str) -> None:
        self._world, self.gate = world, gate
        self._said: dict[str, tuple[str, datetime]] = {}

    def report(self, at: datetime, waiting_count: int) -> Iterator[dict[str, Any]]:
        """Give the records of what has changed since the last look, or was said long ago."""
        hour = self._world.hour(at)
        closed_why = next((str(effect.facts["reason"]) for effect, _ in self._acting("border.gate_closed", at)), None)
        is_open = OPEN_H <= hour < CLOSE_H and closed_why is None
        if self._is_news("gate", "open" if is_open else "closed", at):
            reason = {} if closed_why is None else {"reason": closed_why}
            yield self._to_record(at, {"type": "gate", **self._hours(at, hour), **reason}, is_open=is_open)
        shut = {str(effect.facts["lane"]) for effect, _ in self._acting("border.lane_closed", at)}
        for lane in LANES[self.gate]:
            works = is_open and lane.number not in shut and self._is_wanted(lane, waiting_count)
            if self._is_news(lane.number, "open" if works else "closed", at):
                told: dict[str, Any] = {"type": "lane", "lane": lane.number, "direction": lane.direction}
                told |= {} if lane.colour is None else {"colour": lane.colour}
                told |= {} if lane.is_reserve else self._hours(at, hour)
                yield self._to_record(at, told, is_open=works)

    def _acting(self, name: str, at: datetime) -> Iterator[tuple[Any, float]]:
        return ((effect, how) for effect, how in self._world.acting(name, at) if effect.facts["gate"] == self.gate)

    def _is_wanted(self, lane: Lane, waiting_count: int) -> bool:
        if not lane.is_reserve:
            return True
        was_open = self._said.get(lane.number, ("closed", None))[0] == "open"
        return waiting_count > (_CLOSES_AT_COUNT if was_open else _OPENS_AT_COUNT)

    def _is_news(self, name: str, status: str, at: datetime) -> bool:
        said = self._said.get(name)
        if said is not None and said[0] == status and at - said[1] < REPEAT:
            return False
        self._said[name] = (status, at)
        return True

    def _hours(self, at: datetime, hour: float) -> dict[str, str]:
        """Write the published hours of the day of the world."""
        return {
            "opens": self._world.write_time(at + timedelta(hours=OPEN_H - hour)),
            "closes": self._world.write_time(at + timedelta(hours=CLOSE_H - hour)),
        }

    def _to_record(self, at: datetime, told: dict[str, Any], *, is_open: bool) -> dict[str, Any]:
        status = "open" if is_open else "closed"
        return {**told, "gate": self.gate, "status": status, "time": self._world.write_time(at)}
