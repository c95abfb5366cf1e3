"""Air stations: a daily rhythm, a slow drift, a little noise; values in µg/m³, °C and %."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

from geo.catalogue import Station, load_stations
from simulators.message import Message, WireTime
from simulators.province import PROVINCE_TIME, Process
from simulators.scenario import Scenario

PERIOD = timedelta(seconds=60)
BACKFILL = timedelta(hours=12)
"""What a station kept while nobody listened; an index needs these hours before it has a value."""


class AirStations(Process):
    """Every station of the inventory, once a minute, each at its own second."""

    feed_id = "air"

    def __init__(
        self, scenario: Scenario, start_at: datetime, random: Random, wire_time: WireTime, scale: float
    ) -> None:
        super().__init__(scenario, start_at, random, wire_time)
        self._stations = [station for station in load_stations() if station.asset_id.startswith("air.")]
        self._base = {station.asset_id: random.uniform(18, 55) for station in self._stations}
        self._drift = dict.fromkeys(self._base, 0.0)
        for copy in range(max(1, round(scale))):
            for station in self._stations:
                name = station.asset_id if copy == 0 else f"{station.asset_id}-{copy}"
                self.schedule(start_at + random.random() * PERIOD, (station, name))

    def beginning(self) -> Iterator[Message]:
        """Give the hours before the start, as a station hands them over when it is connected again."""
        hour = (self.start_at - BACKFILL).replace(minute=0, second=0, microsecond=0)
        while hour < self.start_at:
            for station in self._stations:
                yield self._message(station, station.asset_id, hour)
            hour += timedelta(hours=1)

    def act(self, at: datetime, item: tuple[Station, str]) -> Iterator[Message]:
        """Send one reading and come again in a minute."""
        station, name = item
        self.schedule(at + PERIOD, item)
        silent = self.acting("air.silent", at)
        if not any(effect.facts["station"] == name for effect, _ in silent):
            yield self._message(station, name, at)

    def _message(self, station: Station, name: str, at: datetime) -> Message:
        hour = at.astimezone(PROVINCE_TIME).hour + at.minute / 60
        rush = math.exp(-((hour - 7.5) ** 2) / 4) + math.exp(-((hour - 18.5) ** 2) / 5)
        drift = self._drift[station.asset_id] = 0.995 * self._drift[station.asset_id] + self.random.gauss(0, 0.6)
        pm25 = self._base[station.asset_id] * (0.8 + 0.5 * rush) + drift + self.random.gauss(0, 1.2)
        for effect, strength in self.acting("air.episode", at):
            if effect.facts["station"] == name:
                pm25 += strength * float(effect.facts["add_ug_m3"])
        pm25 = max(2.0, pm25)
        record = {
            "station": name,
            "time": self.wire_time(at).astimezone(PROVINCE_TIME).isoformat(timespec="milliseconds"),
            "pm25": round(pm25, 1),
            "pm10": round(max(3.0, pm25 * 1.45 + self.random.gauss(0, 2)), 1),
            "so2": round(8 + 0.1 * pm25 + self.random.random() * 3, 1),
            "no2": round(15 + 22 * rush + self.random.random() * 5, 1),
            "o3": round(40 + 55 * max(0.0, math.sin((hour - 8) / 12 * math.pi)) + self.random.random() * 6, 1),
            "co": round(500 + 6 * pm25 + self.random.random() * 60),
            "temp": round(23 + 5 * math.sin((hour - 9) / 12 * math.pi) + self.random.gauss(0, 0.2), 1),
            "rh": round(min(99.0, 78 - 14 * math.sin((hour - 9) / 12 * math.pi) + self.random.gauss(0, 0.5)), 1),
        }
        return Message(at, self.feed_id, json.dumps(record).encode(), topic=f"qn/air/{name}")
