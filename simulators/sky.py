"""The weather over the province as a function of time: what weather stations measure is what blows dust away."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from random import Random

from simulators.scenario import Scenario

_PERIODS_MIN = (13.0, 47.0, 190.0)
_WEIGHTS = (0.25, 0.35, 0.4)
_EXPOSURE = {"met.co-to": 1.25, "met.quan-lan": 1.15, "met.tien-yen": 0.8, "met.uong-bi": 0.7}
"""How open a station lies to the wind; the islands more than the towns inland."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Air:
    """The state of the air at a place."""

    wind_m_s: float
    gust_m_s: float
    wind_dir_deg: float
    rain_1h_mm: float
    temp_celsius: float
    rh_pct: float
    pressure_hpa: float
    visibility_m: float


class Sky:
    """Gives the air at a place and time: sea breeze by day, slow waves of wind, and the scenario's squalls."""

    def __init__(
        self, scenario: Scenario, start_at: datetime, hour: Callable[[datetime], float], random: Random
    ) -> None:
        self._scenario, self._start_at, self._hour = scenario, start_at, hour
        self._seed = random.random()
        self._phases: dict[str, tuple[float, ...]] = {}

    def at(self, place: str, at: datetime) -> Air:
        """Give the air at a station."""
        hour = self._hour(at)
        warmth = math.sin((hour - 9) / 24 * 2 * math.pi)
        breeze = 3.0 + 1.0 * math.sin((hour - 8) / 24 * 2 * math.pi) + 1.1 * self.wave(f"wind/{place}", at)
        wind = max(0.3, breeze * _EXPOSURE.get(place, 1.0))
        gust, rain = wind * (1.35 + 0.1 * self.wave(f"gust/{place}", at)), 0.0
        for effect, strength in self._scenario.acting("weather.wind", at - self._start_at):
            if place in effect.facts["stations"]:
                wind += strength * (float(effect.facts["wind_m_s"]) - wind)
                gust += strength * (float(effect.facts["gust_m_s"]) - gust)
                rain = max(rain, strength * float(effect.facts.get("rain_mm", 0.0)))
        return Air(
            wind_m_s=wind,
            gust_m_s=max(wind, gust),
            wind_dir_deg=(75 + 40 * math.sin((hour - 14) / 24 * 2 * math.pi) + 20 * self.wave(f"dir/{place}", at))
            % 360,
            rain_1h_mm=rain,
            temp_celsius=23.5 + 4.0 * warmth + 0.6 * self.wave(f"temp/{place}", at) - 0.12 * rain,
            rh_pct=min(100.0, 77 - 12 * warmth + 3 * self.wave(f"rh/{place}", at) + 0.5 * rain),
            pressure_hpa=1_013.0 + 1.3 * math.sin((hour - 4) / 12 * 2 * math.pi) + 0.06 * max(0.0, wind - 8),
            visibility_m=max(300.0, 13_500 - 420 * rain + 1_200 * self.wave(f"vis/{place}", at)),
        )

    def dilution(self, at: datetime) -> float:
        """Say how much of what is emitted stays near the ground: much in still cool nights, little in wind and rain."""
        air = self.at("met.bai-chay", at)
        mixing = 1.15 - 0.25 * math.sin((self._hour(at) - 8) / 24 * 2 * math.pi)
        return mixing * math.sqrt(3.0 / (0.8 + air.wind_m_s)) / (1 + 0.04 * air.rain_1h_mm)

    def wave(self, name: str, at: datetime) -> float:
        """Give a slow swing between −1 and 1 that belongs to a name."""
        minutes = (at - self._start_at).total_seconds() / 60
        phases = self._phases.get(name)
        if phases is None:
            drawn = Random(f"{self._seed}/{name}")
            phases = self._phases[name] = tuple(drawn.random() for _ in _PERIODS_MIN)
        return sum(
            weight * math.sin(2 * math.pi * (minutes / period + phase))
            for weight, period, phase in zip(_WEIGHTS, _PERIODS_MIN, phases, strict=True)
        )
