"""VN_AQI, the Vietnamese air quality index, after decision 1459/QĐ-TCMT of 12 November 2019.

Concentrations in µg/m³ (also CO). Sub-indices are interpolated between breakpoints and rounded half up; the index is
the largest. Particulates enter the hourly index through Nowcast over twelve hours; without them there is no index.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from ioc.domain.kinds import AirReading

INDEX = (0, 50, 100, 150, 200, 300, 400, 500)
HOURS = 12
HOURS_KEPT = HOURS + 1
"""The hours of Nowcast, and the one that runs and does not count yet."""

_NEWEST, _LEAST_OF_NEWEST = 3, 2
_FILLED_RATIO = 0.75
"""The share of an hour's readings that the decision asks of a mean."""


class Pollutant(enum.StrEnum):
    """What the index looks at; ozone has a scale for one hour and one for eight."""

    O3_1H = "o3_1h"
    O3_8H = "o3_8h"
    CO = "co"
    SO2 = "so2"
    NO2 = "no2"
    PM10 = "pm10"
    PM25 = "pm25"


BREAKPOINTS_UG_M3: Mapping[Pollutant, tuple[float, ...]] = {
    Pollutant.O3_1H: (0, 160, 200, 300, 400, 800, 1_000, 1_200),
    Pollutant.O3_8H: (0, 100, 120, 170, 210, 400),
    Pollutant.CO: (0, 10_000, 30_000, 45_000, 60_000, 90_000, 120_000, 150_000),
    Pollutant.SO2: (0, 125, 350, 550, 800, 1_600, 2_100, 2_630),
    Pollutant.NO2: (0, 100, 200, 700, 1_200, 2_350, 3_100, 3_850),
    Pollutant.PM10: (0, 50, 150, 250, 350, 420, 500, 600),
    Pollutant.PM25: (0, 25, 50, 80, 150, 250, 350, 500),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """One step of the scale, up to and including ``high``."""

    high: int
    name_vi: str
    name_en: str
    rgb: tuple[int, int, int]


BANDS = (
    Band(high=50, name_vi="Tốt", name_en="Good", rgb=(0, 228, 0)),
    Band(high=100, name_vi="Trung bình", name_en="Moderate", rgb=(255, 255, 0)),
    Band(high=150, name_vi="Kém", name_en="Poor", rgb=(255, 126, 0)),
    Band(high=200, name_vi="Xấu", name_en="Bad", rgb=(255, 0, 0)),
    Band(high=300, name_vi="Rất xấu", name_en="Very bad", rgb=(143, 63, 151)),
    Band(high=500, name_vi="Nguy hại", name_en="Hazardous", rgb=(126, 0, 35)),
)


def band_of(index: int) -> Band:
    """Give the step of the scale that an index lies on."""
    return next((band for band in BANDS if index <= band.high), BANDS[-1])


def round_half_up(value: float) -> int:
    """Round as the decree does: 109.5 is 110."""
    return math.floor(value + 0.5)


def sub_index(pollutant: Pollutant, concentration_ug_m3: float) -> float | None:
    """Give the sub-index of a concentration, not rounded; 500 at the end of the scale and beyond.

    None for eight-hour ozone above 400 µg/m³, where the decree has no value.
    """
    points = BREAKPOINTS_UG_M3[pollutant]
    if concentration_ug_m3 > points[-1]:
        return None if pollutant is Pollutant.O3_8H else float(INDEX[-1])
    for place in range(len(points) - 1):
        low, high = points[place], points[place + 1]
        if concentration_ug_m3 <= high:
            share = (concentration_ug_m3 - low) / (high - low)
            return INDEX[place] + share * (INDEX[place + 1] - INDEX[place])
    return float(INDEX[-1])


def concentration_at(pollutant: Pollutant, index: float) -> float:
    """Give the concentration (µg/m³) from which on a sub-index is reached; infinity where the scale ends before."""
    points = BREAKPOINTS_UG_M3[pollutant]
    for place in range(len(points) - 1):
        if index <= INDEX[place + 1]:
            share = (index - INDEX[place]) / (INDEX[place + 1] - INDEX[place])
            return points[place] + share * (points[place + 1] - points[place])
    return math.inf


def nowcast(newest_first: Sequence[float | None]) -> float | None:
    """Weigh up to twelve hourly means, newest first; None when fewer than two of the newest three are there.

    With w = min/max over the hours: above one half the weighted mean, else the plain sum of halves, as in the decree.
    """
    hours = newest_first[:HOURS]
    if sum(value is not None for value in hours[:_NEWEST]) < _LEAST_OF_NEWEST:
        return None
    known = [value for value in hours if value is not None]
    highest = max(known)
    if highest <= 0:
        return 0.0
    weight = min(known) / highest
    if weight <= 0.5:
        return sum(value * 0.5 ** (place + 1) for place, value in enumerate(hours) if value is not None)
    weights = [weight**place if value is not None else 0.0 for place, value in enumerate(hours)]
    return sum(part * (value or 0.0) for part, value in zip(weights, hours, strict=True)) / sum(weights)


def combine(parts: Mapping[Pollutant, float]) -> tuple[int, Pollutant] | None:
    """Give the index and the pollutant that makes it; None without PM2.5 and PM10."""
    if Pollutant.PM25 not in parts and Pollutant.PM10 not in parts:
        return None
    worst, value = max(parts.items(), key=lambda part: part[1])
    return min(INDEX[-1], round_half_up(value)), worst


def daily(
    *, pm25_24h: float | None, pm10_24h: float | None, o3_1h_max: float | None = None, o3_8h_max: float | None = None,
    so2_1h_max: float | None = None, no2_1h_max: float | None = None, co_1h_max: float | None = None,
) -> tuple[int, Pollutant] | None:  # fmt: skip
    """Give the index of a day from its 24-hour means and hourly maxima (µg/m³)."""
    given = {
        Pollutant.PM25: pm25_24h, Pollutant.PM10: pm10_24h, Pollutant.O3_1H: o3_1h_max, Pollutant.O3_8H: o3_8h_max,
        Pollutant.SO2: so2_1h_max, Pollutant.NO2: no2_1h_max, Pollutant.CO: co_1h_max,
    }  # fmt: skip
    parts = {
        name: part
        for name, value in given.items()
        if value is not None and (part := sub_index(name, value)) is not None
    }
    return combine(parts)


HOURLY = (Pollutant.PM25, Pollutant.PM10, Pollutant.O3_1H, Pollutant.CO, Pollutant.SO2, Pollutant.NO2)
"""What the hourly index is made of, in the order of an hour's sums."""
_PARTICULATES, _GASES = tuple(enumerate(HOURLY))[:2], tuple(enumerate(HOURLY))[2:]


def concentrations_of(reading: AirReading) -> tuple[float | None, ...]:
    """Give what a reading says of each pollutant of the hourly index, in their order."""
    return (
        reading.pm25_ug_m3, reading.pm10_ug_m3, reading.o3_ug_m3, reading.co_ug_m3, reading.so2_ug_m3,
        reading.no2_ug_m3,
    )  # fmt: skip


class HourlyWindow(msgspec.Struct):
    """The last clock hours of a station: sums and counts per pollutant, so the order within an hour is the same.

    The index goes by means of hours. The hour that runs counts from when three quarters of its readings are there, by
    the fullest of the three hours before it: 45 of a station that sends every minute, one of a station that sends every
    hour. Until then the index is that of the hour before. An hour that is over counts with what was heard of it.

    ``hours`` maps an hour (hours since the epoch) to six sums followed by six counts.
    """

    hours: dict[int, list[float]] = {}

    def add(self, observed_at: datetime, concentrations: Sequence[float | None]) -> None:
        """Take a reading in. What is older than the window changes nothing."""
        hour = hour_of(observed_at)
        sums = self.hours.get(hour)
        if sums is None:
            newest = max(self.hours, default=hour)
            if hour <= newest - HOURS_KEPT:
                return
            sums = self.hours[hour] = [0.0] * 12
            for old in [known for known in self.hours if known <= max(newest, hour) - HOURS_KEPT]:
                del self.hours[old]
        for place, value in enumerate(concentrations):
            if value is not None:
                sums[place] += value
                sums[place + 6] += 1

    def hourly_parts(self, at: datetime) -> dict[Pollutant, float]:
        """Give the sub-indices of the hour that ``at`` lies in, or of the one before while that one is not filled."""
        values = self.concentrations(at)
        return {name: part for name, value in values.items() if (part := sub_index(name, value)) is not None}

    def concentrations(self, at: datetime) -> dict[Pollutant, float]:
        """Give what the sub-indices of an hour are worked out from (µg/m³): Nowcast of particulates, means of gases."""
        hour = hour_of(at)
        found: dict[Pollutant, float] = {}
        for place, pollutant in _PARTICULATES:
            last = self._last_filled(hour, place)
            newest = [self._mean(last - back, place) for back in range(_NEWEST)]
            if sum(value is not None for value in newest) < _LEAST_OF_NEWEST:
                continue
            value = nowcast([*newest, *(self._mean(last - back, place) for back in range(_NEWEST, HOURS))])
            if value is not None:
                found[pollutant] = value
        for place, pollutant in _GASES:
            mean = self._mean(self._last_filled(hour, place), place)
            if mean is not None:
                found[pollutant] = mean
        return found

    def means(self, at: datetime, pollutant: Pollutant) -> list[tuple[int, float, int]]:
        """Give the hours (since the epoch) that count at ``at`` for a pollutant, mean and number of readings each."""
        place = HOURLY.index(pollutant)
        last = self._last_filled(hour_of(at), place)
        return [
            (hour, mean, int(sums[place + 6]))
            for hour, sums in sorted(self.hours.items())
            if last - HOURS < hour <= last and (mean := self._mean(hour, place)) is not None
        ]

    def hourly(self, at: datetime) -> int | None:
        """Give the hourly index at ``at``; None while the window does not suffice."""
        found = combine(self.hourly_parts(at))
        return None if found is None else found[0]

    def is_filled(self, at: datetime) -> bool:
        """Whether the hour that ``at`` lies in is over, or has enough readings of particulates to count."""
        hour = hour_of(at)
        return any(self._last_filled(hour, place) == hour for place, _ in _PARTICULATES)

    def last_over(self, limits: Sequence[float]) -> int:
        """Give the newest hour in which the mean of any pollutant reaches its limit (µg/m³); 0 for none."""
        return max(
            (
                hour
                for hour in self.hours
                for place, limit in enumerate(limits)
                if (mean := self._mean(hour, place)) is not None and mean >= limit
            ),
            default=0,
        )

    def _last_filled(self, hour: int, place: int) -> int:
        """Give the hour itself if it is over or filled, else the one before."""
        if hour < max(self.hours, default=hour):
            return hour
        wanted = max(self._count(hour - back, place) for back in range(1, _NEWEST + 1))
        return hour if wanted and self._count(hour, place) >= _FILLED_RATIO * wanted else hour - 1

    def _count(self, hour: int, place: int) -> float:
        sums = self.hours.get(hour)
        return 0 if sums is None else sums[place + 6]

    def _mean(self, hour: int, place: int) -> float | None:
        sums = self.hours.get(hour)
        if sums is None or not sums[place + 6]:
            return None
        return sums[place] / sums[place + 6]


def hour_of(at: datetime) -> int:
    """Give the clock hour of an instant, in hours since the epoch."""
    return int(at.timestamp()) // 3_600
