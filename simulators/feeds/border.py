"""Border gates: trucks walk the steps as through a row of counters with so many places; the yard is the queue."""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from simulators.feeds.border_lanes import CLOSE_H, OPEN_H, GateDesk
from simulators.message import Message
from simulators.province import PROVINCE_TIME, Process, World

STEPS = (
    "declare", "slot", "arrive_yard", "anpr_gate", "weigh", "quarantine", "customs_lane", "scan", "handover", "cross",
    "exit",
)  # fmt: skip
COUNTERS = {"anpr_gate": 2, "weigh": 2, "quarantine": 5, "customs_lane": 8, "scan": 3, "handover": 4}
"""Places at each counter of a gate (assumed)."""
_MINUTES = {
    "declare": (20, 60), "slot": (15, 80), "arrive_yard": (5, 25), "anpr_gate": (1, 3), "weigh": (2, 6),
    "quarantine": (5, 22), "customs_lane": (8, 40), "scan": (3, 12), "handover": (5, 18), "cross": (5, 20),
}  # fmt: skip
_LANE_SLOWNESS = {"green": 0.7, "yellow": 1.1, "red": 1.9}
TRIPS = {("bac-luan-2", "export"): 90, ("bac-luan-2", "import"): 63, ("km3-4", "export"): 124, ("km3-4", "import"): 46}
"""Vehicles a day: Bắc Luân II 153 (its split is assumed), Km3+4 124 export and 46 import (2023, press)."""
BEFORE = timedelta(hours=24)
QUEUE_EVERY = timedelta(seconds=60)


@dataclass(slots=True)
class Truck:
    """One trip."""

    trip: str
    plate: str
    gate: str
    direction: str
    goods: str
    perishable: bool
    lane: str
    mass_kg: int
    step: int = 0
    in_yard_since: datetime | None = None


@dataclass(slots=True)
class Gate:
    """A gate: the trucks in its yard, who stands at its counters, and who waits for them."""

    name: str
    yard: dict[str, Truck] = field(default_factory=dict)
    busy: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTERS, 0))
    waiting: dict[str, deque[Truck]] = field(default_factory=lambda: {step: deque() for step in COUNTERS})


class BorderGates(Process):
    """The goods gates of Móng Cái. The day before the start is walked unheard, so that the yards are not empty."""

    feed_id = "border"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._gates = {name: Gate(name) for name, _ in TRIPS}
        self._desks = {name: GateDesk(world, name) for name in self._gates}
        self._number = 0
        self._trips: dict[str, Truck] = {}
        before_at = world.start_at - BEFORE
        for name, direction in TRIPS:
            self.schedule(before_at + self.in_(0, 600), (self._gates[name], direction))
        self._before = self._remember(self.run_until(world.start_at))
        for gate in self._gates.values():
            self.schedule(world.start_at + self.in_(1, 60), gate)

    def beginning(self) -> Iterator[Message]:
        """Give what the gates know of the day before: trips that crossed, and how far the others have come."""
        for steps in self._before.values():
            yield from steps.values()

    def under_way(self) -> list[dict[str, Any]]:
        """Give the trips that have not left yet."""
        return [self._describe(truck) for truck in self._trips.values()]

    def finish(self, left: list[dict[str, Any]], at: datetime) -> Iterator[Message]:
        """Have the trips of an earlier world leave."""
        time = at.astimezone(PROVINCE_TIME).isoformat(timespec="milliseconds")
        for trip in left:
            yield self._to_message(self.world.start_at, {**trip, "step": "exit", "time": time})

    def act(self, at: datetime, item: Any) -> Iterator[Message]:
        """A truck is done with a step, a gate reports, or a truck is declared."""
        if isinstance(item, Truck):
            yield from self._move_on(at, item)
        elif isinstance(item, Gate):
            self.schedule(at + QUEUE_EVERY, item)
            queue = self._count_queue(at, item)
            yield self._to_message(at, queue)
            for record in self._desks[item.name].report(at, queue["vehicles"]):
                yield self._to_message(at, record)
        else:
            gate, direction = item
            rate_per_s = self._rate_per_s(gate.name, direction, at)
            self.schedule(at + timedelta(seconds=min(900.0, self.random.expovariate(rate_per_s))), item)
            if self.random.random() < self._openness(at):
                yield from self._begin_step(at, self._make(gate, direction, at))

    @staticmethod
    def _remember(messages: Iterator[Message]) -> dict[str, dict[str, Message]]:
        """Keep of each trip what a clearance is measured by, the yard and the crossing, and its last step."""
        trips: dict[str, dict[str, Message]] = {}
        for message in messages:
            record = json.loads(message.payload)
            kept, step = trips.setdefault(record["trip"], {}), record["step"]
            kept.pop("on", None)
            kept[step if step in ("arrive_yard", "cross", "exit") else "on"] = message
        return trips

    def _openness(self, at: datetime) -> float:
        """Say how willingly trips are declared: within the hours, most towards noon."""
        hour = self.world.hour(at)
        return math.exp(-((hour - 11.0) ** 2) / 16) if OPEN_H - 1 <= hour <= CLOSE_H - 2 else 0.0

    def _rate_per_s(self, gate: str, direction: str, at: datetime) -> float:
        trips = TRIPS[gate, direction] * self.world.scale * self.world.scenario.busy
        return trips / (6.6 * 3_600)

    def _make(self, gate: Gate, direction: str, at: datetime) -> Truck:
        self._number += 1
        perishable = self.random.random() < (0.6 if direction == "export" else 0.1)
        goods = ("fruit", "seafood", "frozen") if perishable else ("general", "machinery", "textile")
        return Truck(
            trip=f"T-{self.world.start_at:%Y%m%d%H%M}-{gate.name}-{self._number:06d}",
            plate=f"14C-{self.random.randrange(100, 999)}.{self.random.randrange(10, 99)}",
            gate=gate.name,
            direction=direction,
            goods=self.random.choice(goods),
            perishable=perishable,
            lane=self.random.choices(("green", "yellow", "red"), weights=(70, 22, 8))[0],
            mass_kg=self.random.randrange(8_000, 28_000, 50),
        )

    def _move_on(self, at: datetime, truck: Truck) -> Iterator[Message]:
        """Leave a counter to the next in line, and go to the next step or wait for it."""
        gate, done = self._gates[truck.gate], STEPS[truck.step]
        if done in COUNTERS:
            gate.busy[done] -= 1
            if gate.waiting[done]:
                yield from self._begin_step(at, gate.waiting[done].popleft())
        truck.step += 1
        step = STEPS[truck.step]
        if step in COUNTERS and gate.busy[step] >= COUNTERS[step] * max(1, round(self.world.scale)):
            line = gate.waiting[step]
            # Perishables stand before all others, but behind the perishables that came before them.
            line.insert(sum(other.perishable for other in line) if truck.perishable else len(line), truck)
            return
        yield from self._begin_step(at, truck)

    def _begin_step(self, at: datetime, truck: Truck) -> Iterator[Message]:
        gate, step = self._gates[truck.gate], STEPS[truck.step]
        if step in COUNTERS:
            gate.busy[step] += 1
        if step == "arrive_yard":
            truck.in_yard_since = at
            gate.yard[truck.trip] = truck
        if step == "cross":
            gate.yard.pop(truck.trip, None)
        if step == "exit":
            del self._trips[truck.trip]
        else:
            self._trips[truck.trip] = truck
            low, high = _MINUTES[step]
            slowness = _LANE_SLOWNESS[truck.lane]
            self.schedule(at + self.in_(low * 60 * slowness, high * 60 * slowness), truck)
        yield self._to_message(at, {**self._describe(truck), "step": step, "time": self.world.write_time(at)})

    @staticmethod
    def _describe(truck: Truck) -> dict[str, Any]:
        return {
            "trip": truck.trip, "plate": truck.plate, "gate": truck.gate, "direction": truck.direction,
            "lane": truck.lane, "goods": truck.goods, "perishable": truck.perishable, "mass_kg": truck.mass_kg,
        }  # fmt: skip

    def _count_queue(self, at: datetime, gate: Gate) -> dict[str, Any]:
        fresh = [truck for truck in gate.yard.values() if truck.perishable]
        vehicles, perishable = len(gate.yard), len(fresh)
        oldest = max(
            ((at - truck.in_yard_since).total_seconds() / 60 for truck in fresh if truck.in_yard_since), default=0.0
        )
        for effect, strength in self.world.acting("border.queue", at):
            if effect.facts["gate"] == gate.name:
                more = round(strength * float(effect.facts["vehicles"]))
                vehicles, perishable = vehicles + more, perishable + round(0.4 * more)
                oldest = max(oldest, strength * float(effect.facts.get("perishable_min", 0)))
        return {
            "type": "queue", "gate": gate.name, "vehicles": vehicles, "perishable": perishable,
            "oldest_perishable_min": round(max(0.0, oldest), 1), "time": self.world.write_time(at),
        }  # fmt: skip

    def _to_message(self, at: datetime, record: dict[str, Any]) -> Message:
        return Message(at, self.feed_id, json.dumps(record).encode())
