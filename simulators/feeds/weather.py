"""Weather stations, the met service's warnings and squall cells: m/s, m, hPa, mm, outlines in WGS 84."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from geo.catalogue import load_stations
from simulators.message import Message
from simulators.province import Process, World
from simulators.scenario import Effect

PERIOD = timedelta(seconds=60)
CELL_PERIOD = timedelta(seconds=60)
NOWCAST = timedelta(minutes=15)
_CORNERS = 12
_M_PER_DEG = 111_320.0


class WeatherStations(Process):
    """Every station once a minute, and warnings when the scenario has them; a scale adds neighbours of each."""

    feed_id = "weather"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        # A chance of its own, so that a cell changes no other reading.
        self._radar = world.random("radar")
        stations = [station.asset_id for station in load_stations() if station.kind == "met"]
        for copy in range(max(1, round(world.scale))):
            for station in stations:
                name = station if copy == 0 else f"{station}-{copy}"
                self.schedule(world.start_at + self.random.random() * PERIOD, (station, name))
        for effect in world.scenario.effects:
            if effect.name == "weather.warning":
                self.schedule(world.start_at + effect.at, effect)
            elif effect.name == "weather.cell":
                looks = int(effect.lasts / CELL_PERIOD)
                for at in (*(effect.at + number * CELL_PERIOD for number in range(looks)), effect.at + effect.lasts):
                    self.schedule(world.start_at + at, effect)

    def act(self, at: datetime, item: tuple[str, str] | Effect) -> Iterator[Message]:
        """Send an observation and come again in a minute, or send a warning or a cell."""
        if isinstance(item, Effect):
            record = self._warning(at, item) if item.name == "weather.warning" else self._cell(at, item)
            yield self._to_message(at, record)
            return
        self.schedule(at + PERIOD, item)
        silent = self.world.acting("weather.silent", at)
        if not any(effect.facts["station"] == item[1] for effect, _ in silent):
            yield self._to_message(at, self._observation(at, *item))

    def _observation(self, at: datetime, station: str, name: str) -> dict[str, Any]:
        air = self.world.sky.at(station, at)
        wind = max(0.0, air.wind_m_s + self.random.gauss(0, 0.12))
        return {
            "station": name,
            "time": self.world.write_time(at),
            "wind_ms": round(wind, 1),
            "gust_ms": round(max(wind, air.gust_m_s + self.random.gauss(0, 0.25)), 1),
            "dir": round(air.wind_dir_deg + self.random.gauss(0, 4)) % 360,
            "vis_m": round(max(200.0, air.visibility_m + self.random.gauss(0, 150)), -1),
            "temp": round(air.temp_celsius + self.random.gauss(0, 0.1), 1),
            "rh": round(min(100.0, air.rh_pct + self.random.gauss(0, 0.4)), 1),
            "pressure_hpa": round(air.pressure_hpa + self.random.gauss(0, 0.05), 1),
            "rain_1h_mm": round(air.rain_1h_mm, 1),
        }

    def _warning(self, at: datetime, effect: Effect) -> dict[str, Any]:
        facts = effect.facts
        onset_at = self.world.wire_time(at)
        expires_at = onset_at + timedelta(minutes=float(facts.get("lasts_minutes", 60)))
        return {
            "type": "warning",
            "id": f"{facts['id']}-{onset_at:%Y%m%d%H%M%S}",
            "hazard": facts["hazard"],
            "severity": facts["severity"],
            "areas": list(facts["areas"]),
            "time": self.world.write_time(at),
            "onset": onset_at.isoformat(timespec="milliseconds"),
            "expires": expires_at.isoformat(timespec="milliseconds"),
            "status": "actual",
            "headline_vi": facts["headline_vi"],
            "headline_en": facts["headline_en"],
        }

    def _cell(self, at: datetime, effect: Effect) -> dict[str, Any]:
        """Give a cell as radar sees it: a round outline that has moved since it came up."""
        facts, since = effect.facts, at - self.world.start_at - effect.at
        way = math.radians(float(facts["move_dir_deg"]))
        moved_m = float(facts["move_m_s"]) * since.total_seconds()
        lat = float(facts["lat"]) + moved_m * math.cos(way) / _M_PER_DEG
        per_lon_deg = _M_PER_DEG * math.cos(math.radians(lat))
        lon = float(facts["lon"]) + moved_m * math.sin(way) / per_lon_deg
        radius_m = float(facts["radius_km"]) * 1_000
        turns = [2 * math.pi * corner / _CORNERS for corner in range(_CORNERS)]
        outline = [
            [round(lon + radius_m * math.cos(t) / per_lon_deg, 5), round(lat + radius_m * math.sin(t) / _M_PER_DEG, 5)]
            for t in turns
        ]
        seen_at = self.world.wire_time(at)
        return {
            "type": "cell",
            "id": f"{facts['id']}-{self.world.wire_time(self.world.start_at + effect.at):%Y%m%d%H%M%S}",
            "time": self.world.write_time(at),
            "until": (seen_at + NOWCAST).isoformat(timespec="milliseconds"),
            "polygon": outline,
            "gust_ms": round(float(facts["gust_m_s"]) * (0.6 + 0.4 * effect.strength(since + effect.at)), 1),
            "dir": float(facts["move_dir_deg"]),
            "speed_ms": float(facts["move_m_s"]),
            "dbz": round(self._radar.gauss(float(facts.get("dbz", 50)), 1.5), 1),
            "status": "actual" if since < effect.lasts else "ended",
        }

    def _to_message(self, at: datetime, record: dict[str, Any]) -> Message:
        return Message(at, self.feed_id, json.dumps(record, ensure_ascii=False).encode())
