"""Power and light: loads with their two peaks a day, customers without power unit by unit, lamps from dusk to dawn."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from geo.catalogue import load_units
from geo.installations import Installation, load_installations
from simulators.message import Message
from simulators.province import Process, World

FEEDER_PERIOD = timedelta(seconds=40)
LIGHT_PERIOD = timedelta(minutes=1)
OUTAGE_PERIOD = timedelta(minutes=5)
LINE_V = 22_000.0
POWER_FACTOR = 0.93
CUSTOMERS = {"phuong": (7_000, 16_000), "xa": (2_500, 6_000), "dac_khu": (2_000, 14_000)}
"""Customers of a unit by its kind, assumed; the province has some 400,000."""
LAMP_KW = 0.11
_WORKS_APART_S, _WORKS_LAST_S = (1_800.0, 7_200.0), (1_200.0, 5_400.0)
"""Works on the line: how far apart they begin, how long they last (assumed)."""


class Grid(Process):
    """Feeders every 40 s, cabinets every minute, every unit's outage every 5 min and whenever it changes."""

    feed_id = "energy"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._customers = {unit.code: self.random.randint(*CUSTOMERS[unit.kind]) for unit in load_units()}
        self._rated_kw: dict[str, float] = {}
        self._feeders: dict[str, list[str]] = defaultdict(list)
        self._lamps: dict[str, tuple[int, int]] = {}
        self._works: dict[str, tuple[datetime, float]] = {}
        for feeder in load_installations("feeder"):
            self._feeders[feeder.unit_code].append(feeder.asset_id)
            self._rated_kw[feeder.asset_id] = self.random.uniform(2_500, 8_500)
            self._begin("feeder", feeder, FEEDER_PERIOD)
        for cabinet in load_installations("light"):
            lamps = self.random.randrange(300, 1_200)
            self._lamps[cabinet.asset_id] = (lamps, round(lamps * self.random.uniform(0.005, 0.04)))
            self._begin("light", cabinet, LIGHT_PERIOD)
        for code in self._customers:
            self.schedule(world.start_at + self.random.random() * OUTAGE_PERIOD, ("unit", code, OUTAGE_PERIOD))
        self.schedule(world.start_at + self.in_(*_WORKS_APART_S), ("works", None, None))
        for effect in world.scenario.effects:
            if effect.name == "energy.outage":
                for code in effect.facts["units"]:
                    for passed in (timedelta(0), effect.ramp, effect.lasts):
                        self.schedule(world.start_at + effect.at + passed + self.in_(2, 8), ("unit", code, None))

    def act(self, at: datetime, item: tuple[str, Any, timedelta | None]) -> Iterator[Message]:
        """Read a feeder or a cabinet, report a unit, or begin works on the line."""
        what, subject, period = item
        if period is not None:
            self.schedule(at + period, item)
        if what == "works":
            self.schedule(at + self.in_(*_WORKS_APART_S), item)
            code = self.random.choice(sorted(self._customers))
            # Few enough that they are nobody's alarm.
            self._works[code] = (at + self.in_(*_WORKS_LAST_S), self.random.uniform(0.01, 0.08))
            self.schedule(at, ("unit", code, None))
            return
        record = (
            self._feeder(at, *subject)
            if what == "feeder"
            else self._light(at, *subject)
            if what == "light"
            else self._outage(at, subject)
        )
        yield Message(at, self.feed_id, json.dumps({**record, "time": self.world.write_time(at)}).encode())

    def _begin(self, what: str, device: Installation, period: timedelta) -> None:
        for copy in range(max(1, round(self.world.scale))):
            name = device.asset_id if copy == 0 else f"{device.asset_id}-{copy}"
            self.schedule(self.world.start_at + self.random.random() * period, (what, (device, name), period))

    def _share_off(self, at: datetime, code: str) -> tuple[float, str | None]:
        """Say which share of a unit's customers has no power, and why."""
        share, cause = 0.0, None
        works = self._works.get(code)
        if works is not None and at < works[0]:
            share, cause = works[1], "maintenance"
        for effect, strength in self.world.acting("energy.outage", at):
            if code in effect.facts["units"] and (off := strength * float(effect.facts["share"])) > share:
                share, cause = off, str(effect.facts.get("cause", "fault"))
        return share, cause

    def _feeder(self, at: datetime, feeder: Installation, name: str) -> dict[str, Any]:
        names, (share, _) = self._feeders[feeder.unit_code], self._share_off(at, feeder.unit_code)
        head = {"type": "feeder", "feeder": name.removeprefix("feeder.")}
        # A feeder trips whole: of three, one is off at a third of the customers.
        if names.index(feeder.asset_id) < math.floor(share * len(names) + 0.01):
            return {**head, "kw": 0.0, "v": 0.0, "a": 0.0, "status": "tripped"}
        hour = self.world.hour(at)
        peaks = 0.45 * math.exp(-((hour - 10.5) ** 2) / 8) + 0.55 * math.exp(-((hour - 19) ** 2) / 7)
        load = (0.38 + peaks) * (1 + 0.06 * self.world.sky.wave(feeder.asset_id, at)) + self.random.gauss(0, 0.008)
        power_kw = self._rated_kw[feeder.asset_id] * max(0.05, load)
        voltage_v = LINE_V * (1.02 - 0.03 * load) + self.random.gauss(0, 30)
        current_a = power_kw * 1_000 / (math.sqrt(3) * voltage_v * POWER_FACTOR)
        return {**head, "kw": round(power_kw, 1), "v": round(voltage_v), "a": round(current_a, 1), "status": "on"}

    def _outage(self, at: datetime, code: str) -> dict[str, Any]:
        share, cause = self._share_off(at, code)
        customers = self._customers[code]
        return {
            "type": "outage",
            "unit": code,
            "customers_off": round(customers * min(1.0, share)),
            "customers": customers,
            "cause": cause,
        }

    def _light(self, at: datetime, cabinet: Installation, name: str) -> dict[str, Any]:
        lamps, faults = self._lamps[cabinet.asset_id]
        hour = self.world.hour(at)
        is_dark = hour >= 18 or hour < 5.5
        share, _ = self._share_off(at, cabinet.unit_code)
        lit = round((lamps - faults) * (1 - min(1.0, share))) if is_dark else 0
        return {
            "type": "light",
            "cabinet": name.removeprefix("light."),
            "lamps_on": lit,
            "lamps": lamps,
            "faults": faults,
            "kw": round(lit * LAMP_KW, 1),
        }
