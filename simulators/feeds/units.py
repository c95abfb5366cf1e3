"""Daily reports of the 54 units: most come in the afternoon, a few late, due at 17:00."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from random import Random

from geo.catalogue import load_units
from simulators.message import Message, WireTime
from simulators.province import PROVINCE_TIME, Process
from simulators.scenario import Scenario

DUE = time(17, 0)
_MOST_WAIT = timedelta(minutes=8)


class UnitReports(Process):
    """One report a unit and day; what was submitted before the start is sent again, and ids make that harmless."""

    feed_id = "units"

    def __init__(
        self, scenario: Scenario, start_at: datetime, random: Random, wire_time: WireTime, scale: float
    ) -> None:
        super().__init__(scenario, start_at, random, wire_time)
        for unit in load_units():
            self.schedule(start_at + random.random() * _MOST_WAIT, unit.code)

    def act(self, at: datetime, item: str) -> Iterator[Message]:
        """Submit a unit's report of the day, and come again tomorrow."""
        local = self.wire_time(at).astimezone(PROVINCE_TIME)
        due_at = datetime.combine(local.date(), DUE, tzinfo=PROVINCE_TIME)
        tomorrow = at + timedelta(days=1) - timedelta(hours=local.hour) + self.in_(8 * 3_600, 16.8 * 3_600)
        self.schedule(tomorrow, item)
        record = {
            "unit": item, "report_on": local.date().isoformat(), "status": "submitted",
            "time": local.isoformat(timespec="milliseconds"), "due_at": due_at.isoformat(),
            "items": self.random.randrange(6, 24),
        }  # fmt: skip
        yield Message(at, self.feed_id, json.dumps(record).encode())
