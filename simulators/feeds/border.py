"""Border gates: trucks walk the steps as through a row of servers; queues are what waits between yard and lane."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from simulators.message import Message, WireTime
from simulators.province import PROVINCE_TIME, Process
from simulators.scenario import Scenario

STEPS = (
    "declare", "slot", "arrive_yard", "anpr_gate", "weigh", "quarantine", "customs_lane", "scan", "handover", "cross",
    "exit",
)  # fmt: skip
_STEP_MINUTES = {
    "declare": (20, 60), "slot": (20, 90), "arrive_yard": (10, 70), "anpr_gate": (1, 4), "weigh": (2, 8),
    "quarantine": (5, 30), "customs_lane": (8, 40), "scan": (3, 12), "handover": (5, 20), "cross": (5, 20),
}  # fmt: skip
GATES_PER_DAY = {"bac-luan-2": 153, "km3-4": 170}
"""Vehicles a day (2023, press)."""
_WAITING = frozenset({"arrive_yard", "anpr_gate", "weigh", "quarantine", "customs_lane", "scan"})
_OPEN, _CLOSE = 7.0, 18.5
QUEUE_EVERY = timedelta(seconds=60)


@dataclass(slots=True)
class Truck:
    """One trip."""

    trip: str
    plate: str
    gate: str
    goods: str
    perishable: bool
    lane: str
    mass_kg: int
    step: int = 0
    in_yard_since: datetime | None = None


@dataclass(slots=True)
class Gate:
    """A gate and the trucks on their way through it."""

    name: str
    trucks: dict[str, Truck] = field(default_factory=dict)


class BorderGates(Process):
    """Both gates of Móng Cái."""

    feed_id = "border"

    def __init__(
        self, scenario: Scenario, start_at: datetime, random: Random, wire_time: WireTime, scale: float
    ) -> None:
        super().__init__(scenario, start_at, random, wire_time)
        self._gates = {name: Gate(name) for name in GATES_PER_DAY}
        self._scale, self._number = scale, 0
        self._on_the_way: list[Truck] = []
        for gate in self._gates.values():
            for _ in range(max(1, round(18 * scale))):
                truck = self._make(gate)
                truck.step = random.randrange(2, 9)
                truck.in_yard_since = start_at - self.in_(60, 5_400)
                self._on_the_way.append(truck)
                self.schedule(start_at + self.in_(1, 600), truck)
            self.schedule(start_at + self.in_(1, 60), gate)
            self.schedule(start_at + self.in_(2, 30), ("arrive", gate))

    def beginning(self) -> Iterator[Message]:
        """Give the last step of the trucks that are on their way already."""
        for truck in self._on_the_way:
            at = self.start_at - timedelta(minutes=1)
            yield self._to_message(at, self._record(at, truck, STEPS[truck.step - 1]))

    def act(self, at: datetime, item: Any) -> Iterator[Message]:
        """A truck takes a step, a gate reports its queue, or a truck comes."""
        if isinstance(item, Truck):
            yield self._to_message(at, self._step(at, item))
        elif isinstance(item, Gate):
            self.schedule(at + QUEUE_EVERY, item)
            yield self._to_message(at, self._count_queue(at, item))
        else:
            gate = item[1]
            self.schedule(at, self._make(gate))
            self.schedule(at + timedelta(seconds=self.random.expovariate(self._rate_per_s(gate, at))), item)

    def _rate_per_s(self, gate: Gate, at: datetime) -> float:
        hour = at.astimezone(PROVINCE_TIME).hour + at.minute / 60
        day = math.exp(-((hour - 10.5) ** 2) / 14) + 0.05
        return GATES_PER_DAY[gate.name] * self._scale * self.scenario.busy / (7.5 * 3_600) * day

    def _make(self, gate: Gate) -> Truck:
        self._number += 1
        perishable = self.random.random() < 0.55
        truck = Truck(
            trip=f"T-{self.start_at:%Y%m%d}-{gate.name}-{self._number:06d}",
            plate=f"14C-{self.random.randrange(100, 999)}.{self.random.randrange(10, 99)}",
            gate=gate.name,
            goods=self.random.choice(("fruit", "seafood", "frozen")) if perishable else "general",
            perishable=perishable,
            lane=self.random.choices(("green", "yellow", "red"), weights=(70, 22, 8))[0],
            mass_kg=self.random.randrange(8_000, 28_000, 50),
        )
        gate.trucks[truck.trip] = truck
        return truck

    def _step(self, at: datetime, truck: Truck) -> dict[str, Any]:
        name = STEPS[truck.step]
        if name == "arrive_yard":
            truck.in_yard_since = at
        if name == "exit":
            self._gates[truck.gate].trucks.pop(truck.trip, None)
        else:
            truck.step += 1
            low, high = _STEP_MINUTES[name]
            slow = {"green": 0.7, "yellow": 1.1, "red": 1.9}[truck.lane]
            self.schedule(at + self.in_(low * 60 * slow, high * 60 * slow), truck)
        return self._record(at, truck, name)

    def _record(self, at: datetime, truck: Truck, step: str) -> dict[str, Any]:
        return {
            "trip": truck.trip, "plate": truck.plate, "gate": truck.gate, "direction": "export", "step": step,
            "time": self._write(at), "lane": truck.lane, "goods": truck.goods, "perishable": truck.perishable,
            "mass_kg": truck.mass_kg,
        }  # fmt: skip

    def _count_queue(self, at: datetime, gate: Gate) -> dict[str, Any]:
        waiting = [truck for truck in gate.trucks.values() if STEPS[truck.step] in _WAITING]
        fresh = [truck for truck in waiting if truck.perishable]
        vehicles, perishable = len(waiting), len(fresh)
        oldest = max(
            ((at - truck.in_yard_since).total_seconds() / 60 for truck in fresh if truck.in_yard_since), default=0.0
        )
        for effect, strength in self.acting("border.queue", at):
            if effect.facts["gate"] == gate.name:
                vehicles += round(strength * float(effect.facts["vehicles"]))
                perishable += round(strength * float(effect.facts["vehicles"]) * 0.4)
                oldest = max(oldest, strength * float(effect.facts.get("perishable_min", 0)))
        return {
            "type": "queue", "gate": gate.name, "vehicles": vehicles, "perishable": perishable,
            "oldest_perishable_min": round(max(0.0, oldest), 1), "time": self._write(at),
        }  # fmt: skip

    def _write(self, at: datetime) -> str:
        return self.wire_time(at).astimezone(PROVINCE_TIME).isoformat(timespec="milliseconds")

    def _to_message(self, at: datetime, record: dict[str, Any]) -> Message:
        return Message(at, self.feed_id, json.dumps(record).encode())
