"""Air stations: traffic and industry by the hour, kept low or carried away by the wind; µg/m³, °C and %."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import datetime, timedelta

from geo.catalogue import Station, load_stations
from simulators.message import Message
from simulators.province import Process, World

PERIOD = timedelta(seconds=60)
STATUS_PERIOD = timedelta(minutes=10)
BACKFILL = timedelta(hours=12)
"""What a station kept while nobody listened; an index needs these hours before it has a value."""


class AirStations(Process):
    """Every station of the inventory once a minute, each at its own second; a scale adds neighbours of each."""

    feed_id = "air"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._stations = [station for station in load_stations() if station.kind == "air"]
        self._base = {station.asset_id: self.random.uniform(16, 42) for station in self._stations}
        for copy in range(max(1, round(world.scale))):
            for station in self._stations:
                name = station.asset_id if copy == 0 else f"{station.asset_id}-{copy}"
                self.schedule(world.start_at + self.random.random() * PERIOD, (station, name))
        # A chance of their own, so that states change no reading.
        self._states = world.random("air/states")
        for station in self._stations:
            self.schedule(world.start_at + self._states.random() * STATUS_PERIOD, station)

    def beginning(self) -> Iterator[Message]:
        """Give the hours before the start, as a station hands them over when it is connected again."""
        first = self.world.start_at - BACKFILL
        hour_at = first.replace(minute=0, second=0, microsecond=0)
        while hour_at < self.world.start_at:
            for station in self._stations:
                yield self._message(station, station.asset_id, hour_at)
            hour_at += timedelta(hours=1)

    def act(self, at: datetime, item: tuple[Station, str] | Station) -> Iterator[Message]:
        """Send one reading and come again in a minute, or a state and come again in ten."""
        if isinstance(item, Station):
            self.schedule(at + STATUS_PERIOD, item)
            if not any(effect.facts["station"] == item.asset_id for effect, _ in self.world.acting("air.silent", at)):
                yield self._status(item, at)
            return
        station, name = item
        self.schedule(at + PERIOD, item)
        silent = self.world.acting("air.silent", at)
        if not any(effect.facts["station"] == name for effect, _ in silent):
            yield self._message(station, name, at)

    def _message(self, station: Station, name: str, at: datetime) -> Message:
        hour, sky = self.world.hour(at), self.world.sky
        rush = math.exp(-((hour - 7.5) ** 2) / 4) + math.exp(-((hour - 18.5) ** 2) / 5)
        sun = max(0.0, math.sin((hour - 6) / 12 * math.pi))
        stays, air = sky.dilution(at), sky.at(station.asset_id, at)
        swing = 1 + 0.15 * sky.wave(f"pm/{name}", at)
        pm25 = self._base[station.asset_id] * (0.75 + 0.45 * rush) * stays * swing + self.random.gauss(0, 0.8)
        for effect, strength in self.world.acting("air.episode", at):
            if effect.facts["station"] == name:
                pm25 += strength * float(effect.facts["add_ug_m3"])
        pm25 = max(2.0, pm25)
        record = {
            "station": name,
            "time": self.world.write_time(at),
            "pm25": round(pm25, 1),
            "pm10": round(max(3.0, pm25 * 1.45 + self.random.gauss(0, 1.5)), 1),
            "so2": round(6 + 0.1 * pm25 + self.random.random() * 2, 1),
            "no2": round((12 + 24 * rush) * stays + self.random.random() * 3, 1),
            "o3": round(35 + 65 * sun - 8 * rush + self.random.random() * 4, 1),
            "co": round(420 + (240 * rush + 5 * pm25) * stays + self.random.random() * 40),
            "temp": round(air.temp_celsius + self.random.gauss(0, 0.1), 1),
            "rh": round(min(100.0, air.rh_pct + self.random.gauss(0, 0.4)), 1),
        }
        return Message(at, self.feed_id, json.dumps(record).encode(), topic=f"qn/air/{name}")

    def _status(self, station: Station, at: datetime) -> Message:
        acting = [effect.facts for effect, _ in self.world.acting("air.status", at)]
        said = [facts["status"] for facts in acting if facts["station"] == station.asset_id]
        record = {
            "type": "status",
            "station": station.asset_id,
            "time": self.world.write_time(at),
            "status": said[0] if said else "ok",
            "battery_v": round(12.6 + self._states.gauss(0, 0.08), 2),
            # Every station was serviced a month ago.
            "uptime_s": round((at - self.world.start_at).total_seconds()) + 30 * 86_400,
        }
        return Message(at, self.feed_id, json.dumps(record).encode(), topic=f"qn/air/{station.asset_id}")
