"""Gauges of rivers, reservoirs, rain and the sea: what falls runs off, and the tide follows moon and sun."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from geo.catalogue import load_stations
from geo.distance import distance_m
from geo.installations import Installation, load_installations
from simulators.message import Message
from simulators.province import Process, World

LEVEL_PERIOD = timedelta(minutes=1)
RAIN_PERIOD = timedelta(minutes=10)
RESERVOIRS_M = {"water.trang-vinh": 21.5, "water.yen-lap": 27.0, "water.cao-van": 32.0}
"""Usual levels, assumed; reservoirs feel an hour's rain by a hand's breadth."""
MEAN_SEA_M = 2.06
TIDES = ((23.9345, 0.80, 0.1), (25.8193, 0.86, 0.5), (12.4206, 0.05, 0.3), (24.0659, 0.24, 0.8))
"""K1, O1, M2 and P1: period in hours, height in metres and phase; one high water a day, as in this gulf (assumed)."""
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_RUN_OFF_M_PER_MM, _RECESSION_PER_H = 0.03, 0.25


def predict_tide_m(at: datetime) -> float:
    """Give the level of the sea above chart datum that the pretend tide table has for an instant."""
    hours = (at - _EPOCH).total_seconds() / 3_600
    return MEAN_SEA_M + sum(
        height_m * math.cos(2 * math.pi * (hours / period + phase)) for period, height_m, phase in TIDES
    )


class Gauges(Process):
    """Levels and tides once a minute, rain every ten; a scale adds neighbours of each."""

    feed_id = "water"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._base_m = {
            gauge.asset_id: RESERVOIRS_M.get(gauge.asset_id, self.random.uniform(0.4, 3.0))
            for gauge in load_installations("water")
        }
        self._swollen_m = dict.fromkeys(self._base_m, 0.0)
        self._weather = {gauge.asset_id: _nearest_weather(gauge) for gauge in load_installations()}
        for kind, period in (("water", LEVEL_PERIOD), ("tide", LEVEL_PERIOD), ("rain", RAIN_PERIOD)):
            for gauge in load_installations(kind):
                for copy in range(max(1, round(world.scale))):
                    name = gauge.asset_id if copy == 0 else f"{gauge.asset_id}-{copy}"
                    self.schedule(world.start_at + self.random.random() * period, (gauge, name, period))

    def act(self, at: datetime, item: tuple[Installation, str, timedelta]) -> Iterator[Message]:
        """Read one gauge, and come again after its period."""
        gauge, name, period = item
        self.schedule(at + period, item)
        if gauge.kind == "rain":
            record = self._rain(at, gauge)
        elif gauge.kind == "tide":
            record = self._tide(at, gauge)
        else:
            record = self._level(at, gauge, is_first=name == gauge.asset_id)
        record = {"type": "level" if gauge.kind == "water" else gauge.kind, "station": name, **record}
        record["time"] = self.world.write_time(at)
        yield Message(at, self.feed_id, json.dumps(record, ensure_ascii=False).encode())

    def _rain(self, at: datetime, gauge: Installation) -> dict[str, Any]:
        fallen_mm = self._rain_mm_h(at, gauge) * (RAIN_PERIOD / timedelta(hours=1)) * self.random.uniform(0.85, 1.15)
        return {"rain_mm": round(fallen_mm, 1), "period_min": RAIN_PERIOD / timedelta(minutes=1)}

    def _tide(self, at: datetime, gauge: Installation) -> dict[str, Any]:
        predicted_m = predict_tide_m(at)
        surge_m = 0.08 * self.world.sky.wave(f"sea/{gauge.asset_id}", at)
        for effect, strength in self.world.acting("tide.surge", at):
            if gauge.asset_id in effect.facts.get("stations", (gauge.asset_id,)):
                surge_m += strength * float(effect.facts["add_m"])
        level_m = predicted_m + surge_m + self.random.gauss(0, 0.01)
        return {"level_m": round(level_m, 2), "predicted_m": round(predicted_m, 2)}

    def _level(self, at: datetime, gauge: Installation, *, is_first: bool) -> dict[str, Any]:
        """Let the river swell with the rain and run dry again; only the gauge itself moves it on, no neighbour."""
        step_h = LEVEL_PERIOD / timedelta(hours=1)
        is_reservoir = gauge.asset_id in RESERVOIRS_M
        if is_first:
            run_off_m = self._rain_mm_h(at, gauge) * step_h * _RUN_OFF_M_PER_MM * (0.1 if is_reservoir else 1.0)
            kept = 1.0 if is_reservoir else 1 - _RECESSION_PER_H * step_h
            self._swollen_m[gauge.asset_id] = self._swollen_m[gauge.asset_id] * kept + run_off_m
        level_m = self._base_m[gauge.asset_id] + self._swollen_m[gauge.asset_id]
        if not is_reservoir:
            level_m += 0.06 * self.world.sky.wave(f"river/{gauge.asset_id}", at) + self.random.gauss(0, 0.004)
        for effect, strength in self.world.acting("water.rise", at):
            if effect.facts["station"] == gauge.asset_id:
                level_m += strength * float(effect.facts["add_m"])
        flow_m3_s = 0.0 if is_reservoir else 22 * max(0.1, level_m) ** 1.6
        return {"level_m": round(level_m, 2), "flow_m3s": round(flow_m3_s, 1), "datum": "VN2000"}

    def _rain_mm_h(self, at: datetime, gauge: Installation) -> float:
        rain_mm_h = self.world.sky.at(self._weather[gauge.asset_id], at).rain_1h_mm
        for effect, strength in self.world.acting("water.rain", at):
            if gauge.asset_id in effect.facts["stations"]:
                rain_mm_h = max(rain_mm_h, strength * float(effect.facts["mm_h"]))
        return rain_mm_h


def _nearest_weather(gauge: Installation) -> str:
    stations = [station for station in load_stations() if station.kind == "met"]
    return min(stations, key=lambda station: distance_m(station.position, gauge.position)).asset_id
