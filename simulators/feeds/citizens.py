"""The citizens' hotline: a few reports an hour, by day and evening, on their way to an answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from geo.catalogue import Unit, load_units
from simulators.message import Message
from simulators.province import Process, World
from simulators.working_time import DAY_H, WorkingTime

REPORTS_PER_H = 4.0
"""By day; at night a tenth of it (assumed)."""
OPEN_COUNT = 25
"""Reports that are on their way at the start (assumed)."""
CATEGORIES = (
    ("litter", 24), ("road", 18), ("lighting", 12), ("noise", 10), ("construction", 10), ("drainage", 9), ("order", 8),
    ("water", 5), ("tourism", 4),
)  # fmt: skip
STATES = ("new", "assigned", "processing", "answered", "closed")
_HOURS = {"new": (0.1, 1.5), "assigned": (0.3, 3), "processing": (2, 16), "answered": (4, 12)}
"""Working hours in a state (assumed)."""
_TERM_H = 3 * DAY_H
_AROUND_DEG = 0.004


@dataclass(slots=True)
class Report:
    """One report; ``state`` is its place in the row of states."""

    number: str
    unit: Unit
    category: str
    channel: str
    due_at: datetime
    lon_deg: float
    lat_deg: float
    state: int = 0
    repeats: int = 0


class Citizens(Process):
    """Reports of citizens all over the province; a scale has more of them."""

    feed_id = "citizens"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._time = WorkingTime(world)
        self._number = 0
        self._handed_over = [self._hand_over() for _ in range(OPEN_COUNT)]
        self.schedule(world.start_at + self.in_(0, 900), "next")

    def beginning(self) -> Iterator[Message]:
        """Give the state of the reports that are on their way already."""
        yield from self._handed_over

    def act(self, at: datetime, item: Report | str) -> Iterator[Message]:
        """Take a report in, or have one reach its next state."""
        if isinstance(item, str):
            is_day = 6 <= self.world.hour(at) < 22
            per_h = REPORTS_PER_H * (1.0 if is_day else 0.1) * self.world.scale * self.world.scenario.busy
            self.schedule(at + timedelta(hours=self.random.expovariate(max(0.01, per_h))), item)
            report = self._make(at)
        else:
            report = item
            report.state += 1
        self._plan(at, report)
        yield self._to_message(at, report)

    def _plan(self, at: datetime, report: Report) -> None:
        hours = _HOURS.get(STATES[report.state])
        if hours is not None:
            self.schedule(self._time.add(at, self.random.uniform(*hours)), report)

    def _make(self, at: datetime) -> Report:
        self._number += 1
        unit = self.random.choice(load_units())
        words, weights = zip(*CATEGORIES, strict=True)
        return Report(
            number=f"PA-{self.world.start_at:%y%m%d%H%M}-{self._number:05d}",
            unit=unit,
            category=self.random.choices(words, weights)[0],
            channel=self.random.choices(("app", "hotline", "counter"), (7, 2, 1))[0],
            due_at=self._time.add(at, _TERM_H),
            lon_deg=unit.position.lon_deg + self.random.uniform(-_AROUND_DEG, _AROUND_DEG),
            lat_deg=unit.position.lat_deg + self.random.uniform(-_AROUND_DEG, _AROUND_DEG),
            repeats=int(self.random.expovariate(1.2)),
        )

    def _hand_over(self) -> Message:
        at = self.world.start_at - self.in_(600, 30 * 3_600)
        report = self._make(at)
        report.state = self.random.randrange(3)
        self._plan(self.world.start_at, report)
        return self._to_message(at, report)

    def _to_message(self, at: datetime, report: Report) -> Message:
        record: dict[str, Any] = {
            "id": report.number, "unit": report.unit.code, "time": self.world.write_time(at),
            "category": report.category, "status": STATES[report.state],
            "due_at": self.world.write_time(report.due_at), "channel": report.channel, "repeats": report.repeats,
            "lon": round(report.lon_deg, 5), "lat": round(report.lat_deg, 5),
            "reporter": "Nguyễn Văn Thử", "phone": "0900000000", "text": "Đề nghị kiểm tra",
        }  # fmt: skip
        return Message(at, self.feed_id, json.dumps(record, ensure_ascii=False).encode())
