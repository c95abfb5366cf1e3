"""Cameras: what passes before them by the hour, what a scenario has them see, and whether they work."""

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

STATUS_PERIOD = timedelta(seconds=60)
SIGHT_PERIOD = timedelta(seconds=10)
SEEN_PER_S = 0.24
"""What one camera recognises in a second at the busiest hour (assumed); over the day about half of it."""
SIGHTS = (("person", 0.5, 4), ("vehicle", 0.4, 3), ("crowd", 0.06, 40), ("parking", 0.03, 1), ("litter", 0.01, 1))
"""What is recognised, its share, and how many at most at once."""
FRAMES_PER_S = 25.0


class Cameras(Process):
    """Every camera's state once a minute, and what it recognises as it comes; a scale has more pass by."""

    feed_id = "cameras"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        for camera in load_installations("camera"):
            self.schedule(world.start_at + self.random.random() * STATUS_PERIOD, ("status", camera))
            self.schedule(world.start_at + self.in_(0, 8), ("event", camera))
        for effect in world.scenario.effects:
            if effect.name == "camera.sees":
                self.schedule(world.start_at + effect.at, ("sight", effect))

    def act(self, at: datetime, item: tuple[str, Any]) -> Iterator[Message]:
        """Say how a camera is, or what it sees, and come again."""
        what, subject = item
        if what == "status":
            self.schedule(at + STATUS_PERIOD, item)
            yield self._to_message(at, subject.asset_id, self._status(at, subject))
        elif what == "event":
            per_s = max(0.002, SEEN_PER_S * self._rhythm(at) * self.world.scale)
            self.schedule(at + timedelta(seconds=self.random.expovariate(per_s)), item)
            seen = self._seen()
            if self._state(at, subject.asset_id) != "offline":
                yield self._to_message(at, subject.asset_id, seen)
        else:
            yield from self._planned(at, subject)

    def _rhythm(self, at: datetime) -> float:
        hour = self.world.hour(at)
        day = math.exp(-((hour - 9) ** 2) / 14) + math.exp(-((hour - 17.5) ** 2) / 10)
        return min(1.0, 0.08 + 0.9 * day) * self.world.scenario.busy

    def _state(self, at: datetime, name: str) -> str:
        for effect, _ in self.world.acting("camera.failure", at):
            if name in effect.facts["cameras"]:
                return str(effect.facts.get("status", "offline"))
        return "online"

    def _status(self, at: datetime, camera: Installation) -> dict[str, Any]:
        status = self._state(at, camera.asset_id)
        shown = {"online": FRAMES_PER_S, "degraded": 4.0, "offline": 0.0}[status]
        return {"type": "status", "status": status, "fps": shown}

    def _seen(self) -> dict[str, Any]:
        share, (label, _, most) = self.random.random(), SIGHTS[0]
        for name, part, at_once in SIGHTS:
            label, most = name, at_once
            if share < part:
                break
            share -= part
        least = 10 if label == "crowd" else 1
        return {
            "type": "event",
            "label": label,
            "confidence": round(min(0.99, max(0.3, self.random.gauss(0.84, 0.1))), 2),
            "zone": self.random.choice(("near", "far")),
            "objects": self.random.randint(least, max(least, most)),
        }

    def _planned(self, at: datetime, effect: Effect) -> Iterator[Message]:
        """Have a camera see what the scenario says, again and again while it lasts."""
        facts, until = effect.facts, self.world.start_at + effect.at + effect.lasts
        if at + SIGHT_PERIOD < until:
            self.schedule(at + SIGHT_PERIOD, ("sight", effect))
        if self._state(at, facts["camera"]) != "offline":
            confidence = float(facts.get("confidence", 0.92))
            seen = {"type": "event", "label": facts["label"], "confidence": confidence, "zone": "near"}
            yield self._to_message(at, facts["camera"], {**seen, "objects": round(float(facts.get("objects", 1)))})

    def _to_message(self, at: datetime, camera: str, record: dict[str, Any]) -> Message:
        named = {**record, "camera": camera.removeprefix("camera."), "time": self.world.write_time(at)}
        return Message(at, self.feed_id, json.dumps(named).encode())
