"""Roads: counters with two rush hours a day, plate readers that see pretend cars, and now and then an incident."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from geo.installations import Installation, load_installations
from simulators.message import Message
from simulators.province import Process, World
from simulators.scenario import Effect

COUNT_PERIOD = timedelta(seconds=60)
FREE_KM_H = 56.0
CLASSES = (("motorcycle", 0.3), ("car", 0.45), ("truck", 0.17), ("bus", 0.08))
"""Who drives, and their share (assumed)."""
READS_PER_MIN = 18.0
"""Vehicles past a reader in a minute at the busiest (assumed)."""
_CAR_M = 6.5
_INCIDENTS_APART_S = (2_400.0, 7_200.0)
_CATEGORIES = ("breakdown", "accident", "roadwork")


class Roads(Process):
    """Every counter once a minute, readers as vehicles come, incidents as they happen; a scale adds traffic."""

    feed_id = "traffic"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._counters = load_installations("road")
        self._busy = {counter.asset_id: self.random.uniform(6, 26) for counter in self._counters}
        self._incidents_count = 0
        for copy in range(max(1, round(world.scale))):
            for counter in self._counters:
                name = counter.asset_id if copy == 0 else f"{counter.asset_id}-{copy}"
                self.schedule(world.start_at + self.random.random() * COUNT_PERIOD, ("count", (counter, name)))
        for reader in load_installations("plate_reader"):
            self.schedule(world.start_at + self.in_(0, 10), ("read", reader))
        self.schedule(world.start_at + self.in_(*_INCIDENTS_APART_S), ("happen", None))
        for effect in world.scenario.effects:
            if effect.name == "traffic.incident":
                self.schedule(world.start_at + effect.at, ("open", effect))
                self.schedule(world.start_at + effect.at + effect.lasts, ("close", effect))

    def act(self, at: datetime, item: tuple[str, Any]) -> Iterator[Message]:
        """Count, read a plate, or have an incident begin or end."""
        what, subject = item
        if what == "count":
            self.schedule(at + COUNT_PERIOD, item)
            yield self._to_message(at, self._count(at, *subject))
        elif what == "read":
            reads_per_s = max(0.02, READS_PER_MIN / 60 * self._rhythm(at) * self.world.scale)
            self.schedule(at + timedelta(seconds=self.random.expovariate(reads_per_s)), item)
            yield self._to_message(at, self._read(at, subject))
        elif what == "happen":
            self.schedule(at + self.in_(*_INCIDENTS_APART_S), item)
            incident = self._draw_incident()
            self.schedule(at + self.in_(900, 2_700), ("end", incident))
            yield self._to_message(at, self._state(at, incident, "open"))
        elif what == "end":
            yield self._to_message(at, self._state(at, subject, "closed"))
        else:
            incident = self._planned_incident(subject)
            yield self._to_message(at, self._state(at, incident, "open" if what == "open" else "closed"))

    def _rhythm(self, at: datetime) -> float:
        hour = self.world.hour(at)
        rush = math.exp(-((hour - 7.2) ** 2) / 2) + math.exp(-((hour - 17.3) ** 2) / 2.5)
        day = 1 / (1 + math.exp(-(hour - 5.5) * 2)) - 1 / (1 + math.exp(-(hour - 21.5) * 1.5))
        return (0.05 + 0.55 * day + 0.4 * rush) * self.world.scenario.busy

    def _count(self, at: datetime, counter: Installation, name: str) -> dict[str, Any]:
        mean = self._busy[counter.asset_id] * self._rhythm(at) * (1 + 0.1 * self.world.sky.wave(counter.asset_id, at))
        speed_km_h = max(8.0, FREE_KM_H - 0.5 * mean + self.random.gauss(0, 2))
        vehicles = max(0, round(self.random.gauss(mean, math.sqrt(max(0.1, mean)))))
        occupancy_pct = min(90.0, vehicles * 60 / speed_km_h * _CAR_M / 10)
        for effect, strength in self.world.acting("traffic.jam", at):
            if counter.asset_id in effect.facts["counters"]:
                jammed_km_h = float(effect.facts["speed_km_h"])
                speed_km_h += strength * (jammed_km_h - speed_km_h)
                occupancy_pct += strength * (70.0 - occupancy_pct)
                vehicles = round(vehicles * (1 - 0.6 * strength))
        return {
            "type": "flow",
            "counter": name.removeprefix("road."),
            "time": self.world.write_time(at),
            "vehicles": vehicles,
            # Nobody's speed is measured on an empty road.
            "speed_kmh": round(speed_km_h, 1) if vehicles else None,
            "occupancy": round(occupancy_pct, 1),
            "period_s": COUNT_PERIOD / timedelta(seconds=1),
        }

    def _read(self, at: datetime, reader: Installation) -> dict[str, Any]:
        number = self.random.randrange(40_000)
        share, vehicle_class = self.random.random(), CLASSES[-1][0]
        for name, part in CLASSES:
            if share < part:
                vehicle_class = name
                break
            share -= part
        plate = f"14{'ABCD'[number % 4]}-{number // 100:03d}.{number % 100:02d}"
        return {
            "type": "anpr",
            "camera": reader.asset_id.removeprefix("camera."),
            "time": self.world.write_time(at),
            "plate": None if self.random.random() < 0.03 else plate,
            "class": vehicle_class,
            "direction": self.random.choice(("in", "out")),
            "speed_kmh": round(max(5.0, self.random.gauss(46, 8)), 1),
        }

    def _draw_incident(self) -> dict[str, Any]:
        self._incidents_count += 1
        counter = self.random.choice(self._counters)
        return self._incident(
            f"TN-{self._incidents_count:04d}", counter, self.random.choice(_CATEGORIES), "minor", lanes_closed=1
        )

    def _planned_incident(self, effect: Effect) -> dict[str, Any]:
        facts = effect.facts
        counter = next(counter for counter in self._counters if counter.asset_id == facts["counter"])
        lanes_closed = round(float(facts.get("lanes_closed", 1)))
        return self._incident(
            str(facts["id"]), counter, str(facts["category"]), str(facts["severity"]), lanes_closed=lanes_closed
        )

    def _incident(
        self, name: str, counter: Installation, category: str, severity: str, *, lanes_closed: int
    ) -> dict[str, Any]:
        return {
            "type": "incident",
            "id": f"{name}-{self.world.start_at:%Y%m%d%H%M}",
            "category": category,
            "severity": severity,
            "road": counter.asset_id.removeprefix("road."),
            "lanes_closed": lanes_closed,
            "lon": counter.position.lon_deg,
            "lat": counter.position.lat_deg,
        }

    def _state(self, at: datetime, incident: dict[str, Any], status: str) -> dict[str, Any]:
        lanes_closed = incident["lanes_closed"] if status == "open" else 0
        return {**incident, "status": status, "lanes_closed": lanes_closed, "time": self.world.write_time(at)}

    def _to_message(self, at: datetime, record: dict[str, Any]) -> Message:
        return Message(at, self.feed_id, json.dumps(record).encode())
