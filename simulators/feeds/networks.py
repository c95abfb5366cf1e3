"""Links of the 54 units, calls to the 14 national databases, and what the cyber-security centre sees."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from geo.catalogue import load_units
from simulators.effects import DATABASES
from simulators.message import Message
from simulators.province import Process, World
from simulators.scenario import Effect

PERIOD = timedelta(minutes=1)
CALLS_PER_MIN = 85
"""Calls to a database in a busy minute (assumed), more to the first of them than to the last."""
ALERTS_PER_DAY = 6.0
"""Everyday alerts of low and medium severity (assumed)."""
OPEN_COUNT = 3
_CATEGORIES = ("scan", "phishing", "malware", "brute-force")
_LASTS_S = (1_800.0, 18_000.0)


class Networks(Process):
    """Every link and every database once a minute, alerts as they come; a scale has more calls and alerts."""

    feed_id = "networks"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._number = 0
        self._links = {unit.code: self.random.uniform(3, 14) for unit in load_units()}
        self._order = self.random.sample(sorted(self._links), len(self._links))
        for code in self._links:
            self.schedule(world.start_at + self.random.random() * PERIOD, ("link", code))
        for name in DATABASES:
            self.schedule(world.start_at + self.random.random() * PERIOD, ("calls", name))
        self._handed_over = [self._open(world.start_at - self.in_(600, 7_200)) for _ in range(OPEN_COUNT)]
        self.schedule(world.start_at + self._until_next(), ("alert", None))
        for effect in world.scenario.effects:
            if effect.name == "cyber.incident":
                self.schedule(world.start_at + effect.at, ("incident", effect))

    def beginning(self) -> Iterator[Message]:
        """Give the alerts that are open already."""
        yield from self._handed_over

    def act(self, at: datetime, item: tuple[str, Any]) -> Iterator[Message]:
        """Look at a link or a database, or raise, keep up or close an alert."""
        what, subject = item
        if what == "link":
            self.schedule(at + PERIOD, item)
            yield self._to_message(at, self._link(at, subject))
        elif what == "calls":
            self.schedule(at + PERIOD, item)
            yield self._to_message(at, self._calls(at, subject))
        elif what == "alert":
            self.schedule(at + self._until_next(), item)
            yield self._open(at)
        elif what == "close":
            yield self._to_message(at, {**subject, "status": "closed"})
        else:
            yield self._incident(at, subject)

    def _until_next(self) -> timedelta:
        return timedelta(days=self.random.expovariate(ALERTS_PER_DAY * max(0.01, self.world.scale)))

    def _open(self, at: datetime) -> Message:
        self._number += 1
        alert = {
            "type": "alert", "id": f"CA-{self.world.start_at:%y%m%d%H%M}-{self._number:04d}",
            "severity": self.random.choices(("low", "medium"), (4, 1))[0],
            "category": self.random.choice(_CATEGORIES), "status": "open", "opened_at": self.world.write_time(at),
            "events": self.random.randrange(1, 400), "unit": self.random.choice(self._order),
        }  # fmt: skip
        self.schedule(max(at, self.world.start_at) + self.in_(*_LASTS_S), ("close", alert))
        return self._to_message(at, alert)

    def _incident(self, at: datetime, effect: Effect) -> Message:
        """Raise the alert that the scenario has planned; it is closed when its effect is over."""
        facts = effect.facts
        alert = {
            "type": "alert", "id": facts["id"], "severity": facts["severity"], "category": facts["category"],
            "status": "open", "opened_at": self.world.write_time(at), "events": self.random.randrange(400, 9_000),
        }  # fmt: skip
        self.schedule(at + effect.lasts, ("close", alert))
        return self._to_message(at, alert)

    def _is_down(self, at: datetime, code: str) -> bool:
        for effect, strength in self.world.acting("network.down", at):
            units = effect.facts.get("units")
            if units is not None and code in units:
                return True
            reach = round(strength * float(effect.facts.get("share", 0)) * len(self._order))
            if code in self._order[:reach]:
                return True
        return any(code in effect.facts.get("links", ()) for effect, _ in self.world.acting("cyber.incident", at))

    def _link(self, at: datetime, code: str) -> dict[str, Any]:
        head = {"type": "link", "link": code}
        if self._is_down(at, code):
            return {**head, "status": "down", "latency_ms": None, "loss_pct": 100.0, "used_pct": 0.0}
        used_pct = min(97.0, max(1.0, 6 + 50 * self._rhythm(at) + 5 * self.random.gauss(0, 1)))
        latency_ms = self._links[code] * (1 + used_pct / 120) + abs(self.random.gauss(0, 0.8))
        return {
            **head, "status": "up", "latency_ms": round(latency_ms, 1),
            "loss_pct": round(abs(self.random.gauss(0, 0.05)), 2), "used_pct": round(used_pct, 1),
        }  # fmt: skip

    def _calls(self, at: datetime, name: str) -> dict[str, Any]:
        mean = CALLS_PER_MIN * (0.04 + self._rhythm(at)) / (1 + 0.25 * DATABASES.index(name)) * self.world.scale
        calls = max(0, round(self.random.gauss(mean, math.sqrt(mean))))
        share, slower = 0.004, 1.0
        for effect, strength in self.world.acting("ndb.errors", at):
            if effect.facts["database"] == name:
                share, slower = max(share, strength * float(effect.facts["error_pct"]) / 100), 1 + 4 * strength
        errors = sum(self.random.random() < share for _ in range(calls))
        p95_ms = round(self.random.uniform(180, 520) * slower) if calls else None
        return {
            "type": "calls", "db": name, "calls": calls, "errors": errors, "p95_ms": p95_ms,
            "period_s": PERIOD / timedelta(seconds=1),
        }  # fmt: skip

    def _rhythm(self, at: datetime) -> float:
        hour = self.world.hour(at)
        return min(1.0, math.exp(-((hour - 9.5) ** 2) / 5) + math.exp(-((hour - 15) ** 2) / 5))

    def _to_message(self, at: datetime, record: dict[str, Any]) -> Message:
        return Message(at, self.feed_id, json.dumps({**record, "time": self.world.write_time(at)}).encode())
