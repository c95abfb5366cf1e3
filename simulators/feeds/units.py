"""Daily reports of the 54 units: most come near their due hour, a few late, one or two never."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from random import Random

from geo.catalogue import load_units
from simulators.message import Message
from simulators.province import PROVINCE_TIME, Process, World

DUE = time(17, 0)
_NEVER_SHARE, _LATE_SHARE = 0.02, 0.05


class UnitReports(Process):
    """One report a unit and day; what was submitted before the start is sent again, and ids make that harmless."""

    feed_id = "units"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        for unit in load_units():
            self._plan(unit.code, self._day_of(world.start_at))

    def beginning(self) -> Iterator[Message]:
        """Give the reports that were submitted today before the start."""
        yield from self.run_until(self.world.start_at)

    def act(self, at: datetime, item: tuple[str, date]) -> Iterator[Message]:
        """Submit a unit's report of the day, and plan tomorrow's."""
        code, day = item
        self._plan(code, day + timedelta(days=1))
        # The wire's own day: a world that runs faster than the clock still reports on a day that the clock knows.
        local = self.world.wire_time(at).astimezone(PROVINCE_TIME)
        record = {
            "unit": code,
            "report_on": local.date().isoformat(),
            "status": "submitted",
            "time": local.isoformat(timespec="milliseconds"),
            "due_at": datetime.combine(local.date(), DUE, tzinfo=PROVINCE_TIME).isoformat(),
            "items": self._draw(code, day).randrange(6, 24),
        }
        yield Message(at, self.feed_id, json.dumps(record).encode())

    def _plan(self, code: str, day: date) -> None:
        """Draw when a unit submits: from 13:30 on, mostly in the last hour, some after it is due."""
        while True:
            drawn = self._draw(code, day)
            share = drawn.random()
            if share >= _NEVER_SHARE:
                break
            day += timedelta(days=1)
        minutes = drawn.uniform(3, 75) if share < _NEVER_SHARE + _LATE_SHARE else -210 * (1 - drawn.random() ** 0.5)
        due_at = datetime.combine(day, DUE, tzinfo=PROVINCE_TIME)
        self.schedule(self._to_world(due_at + timedelta(minutes=minutes)), (code, day))

    def _draw(self, code: str, day: date) -> Random:
        return self.world.random(f"report/{code}/{day.isoformat()}")

    def _day_of(self, at: datetime) -> date:
        return at.astimezone(PROVINCE_TIME).date()

    def _to_world(self, at: datetime) -> datetime:
        """Give the instant of the world at which its own day has that hour."""
        begins_at_h = self.world.scenario.begins_at_h
        if begins_at_h is None:
            return at
        local = self.world.start_at.astimezone(PROVINCE_TIME)
        shift_h = begins_at_h - (local.hour + local.minute / 60 + local.second / 3_600)
        return at - timedelta(hours=shift_h)
