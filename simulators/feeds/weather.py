"""Weather stations and the met service's warnings: wind in m/s, visibility in m, pressure in hPa, rain in mm."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any

from geo.catalogue import load_stations
from simulators.message import Message, WireTime
from simulators.province import PROVINCE_TIME, Process
from simulators.scenario import Effect, Scenario

PERIOD = timedelta(seconds=60)


class WeatherStations(Process):
    """Every station once a minute, and warnings when the scenario has them."""

    feed_id = "weather"

    def __init__(
        self, scenario: Scenario, start_at: datetime, random: Random, wire_time: WireTime, scale: float
    ) -> None:
        super().__init__(scenario, start_at, random, wire_time)
        for station in load_stations():
            if station.asset_id.startswith("met."):
                self.schedule(start_at + random.random() * PERIOD, station.asset_id)
        for effect in scenario.effects:
            if effect.name == "weather.warning":
                self.schedule(start_at + effect.at, effect)
        self._wind = random.uniform(2.5, 4.5)

    def act(self, at: datetime, item: str | Effect) -> Iterator[Message]:
        """Send an observation and come again in a minute, or send a warning."""
        if isinstance(item, Effect):
            yield self._to_message(at, self._warning(at, item))
            return
        self.schedule(at + PERIOD, item)
        yield self._to_message(at, self._observation(at, item))

    def _observation(self, at: datetime, station: str) -> dict[str, Any]:
        hour = at.astimezone(PROVINCE_TIME).hour + at.minute / 60
        self._wind = min(6.5, max(1.0, self._wind + self.random.gauss(0, 0.15)))
        wind, gust, rain = self._wind, self._wind * 1.35 + self.random.random(), 0.0
        for effect, strength in self.acting("weather.wind", at):
            if station in effect.facts["stations"]:
                wind += strength * (float(effect.facts["wind_m_s"]) - wind)
                gust += strength * (float(effect.facts["gust_m_s"]) - gust)
                rain = strength * float(effect.facts.get("rain_mm", 0))
        wind = max(0.0, wind + self.random.gauss(0, 0.25))
        return {
            "station": station,
            "time": self.wire_time(at).astimezone(PROVINCE_TIME).isoformat(timespec="milliseconds"),
            "wind_ms": round(wind, 1),
            "gust_ms": round(max(wind, gust + self.random.gauss(0, 0.4)), 1),
            "dir": round((70 + 25 * math.sin(hour / 24 * 2 * math.pi) + self.random.gauss(0, 6)) % 360),
            "vis_m": round(max(400.0, 14_000 - 400 * rain + self.random.gauss(0, 300))),
            "temp": round(23.5 + 4.5 * math.sin((hour - 9) / 12 * math.pi) - 0.1 * rain, 1),
            "rh": round(min(100.0, 76 - 12 * math.sin((hour - 9) / 12 * math.pi) + 0.4 * rain), 1),
            "pressure_hpa": round(1_013.5 - 0.05 * wind + self.random.gauss(0, 0.1), 1),
            "rain_1h_mm": round(rain, 1),
        }

    def _warning(self, at: datetime, effect: Effect) -> dict[str, Any]:
        facts = effect.facts
        onset = self.wire_time(at)
        lasts = timedelta(minutes=float(facts.get("lasts_minutes", 60)))
        return {
            "type": "warning",
            "id": f"{facts['id']}-{onset:%Y%m%d%H%M%S}",
            "hazard": facts["hazard"],
            "severity": facts["severity"],
            "areas": facts["areas"],
            "onset": onset.isoformat(timespec="milliseconds"),
            "expires": (onset + lasts).isoformat(timespec="milliseconds"),
            "status": "actual",
            "headline_vi": facts["headline_vi"],
            "headline_en": facts["headline_en"],
        }

    def _to_message(self, at: datetime, record: dict[str, Any]) -> Message:
        return Message(at, self.feed_id, json.dumps(record, ensure_ascii=False).encode())
