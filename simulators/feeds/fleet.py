"""The pretend fleet: tour boats and ferries on their routes, fishing boats on their rounds, freighters at anchor."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from random import Random

import numpy as np

from geo.catalogue import load_zones
from geo.plane import PROVINCE_PLANE
from simulators.waterways import Lane, Track, draw_water, load_lanes, make_loop, make_track, to_track

TOURS, FERRIES, FISHERS, FREIGHTERS = 359, 24, 40, 30
"""Boats at scale 1: 359 are registered at the two main ports (Sept 2024, press); the others are assumed."""

MMSI_FIRST = 574_000_001
"""574 is Viet Nam; the numbers behind it belong to nobody on purpose: they count up from 1."""

KN_M_S = 0.514444
_TRIPS_A_DAY = 0.25
"""Chance of departure by the hour, scaled so that about 200 tours sail on a usual day (196 in low season, press)."""
_SLOW_WITHIN_M = 300.0
_STEP_S = 10.0
_OFFSETS_M = (-240.0, -160.0, -80.0, 80.0, 160.0, 240.0)
_NAMES = ("HOANG HON", "BINH MINH", "SONG NGOC", "HUONG BIEN", "MAY TRANG", "SAO MAI", "HAI AU", "TRUONG GIANG")
_ROUNDS = 12
_FISHING_ZONES = ("co-to-waters", "bai-tu-long-bay", "mong-cai-waters")


class Trade(Enum):
    """What a boat is for."""

    TOUR = 60
    FERRY = 69
    FISHER = 30
    FREIGHTER = 70

    @property
    def ship_type(self) -> int:
        """The type of ship as AIS writes it."""
        return int(self.value)


@dataclass(slots=True)
class Boat:
    """One boat: its way and how far along it is, its habits, and what it does now."""

    number: int
    name: str
    trade: Trade
    track: Track
    cruise_kn: float
    random: Random
    moved_at: datetime
    leaves_at: datetime
    obeys: float
    along_m: float = 0.0
    is_moored: bool = True
    pauses: list[float] = field(default_factory=list)
    resumes_at: datetime | None = None
    reports_count: int = 0

    @property
    def mmsi(self) -> int:
        """The number that AIS knows it by."""
        return MMSI_FIRST - 1 + self.number

    @property
    def speed_kn(self) -> float:
        """Speed now: slow near berths and sights, none where it lies."""
        if self.is_moored or self.resumes_at is not None:
            return 0.0
        left_m = min([self.track.length_m, *self.pauses[:1]]) - self.along_m
        since_m = self.along_m - max([0.0, *(stop for stop in self.track.stops_m if stop <= self.along_m)])
        near_m = min(left_m, since_m)
        return self.cruise_kn * min(1.0, 0.25 + 0.75 * max(0.0, near_m) / _SLOW_WITHIN_M)

    def place(self) -> tuple[float, float, float]:
        """Give longitude, latitude and course."""
        return self.track.at(self.along_m)

    def leave(self) -> None:
        """Cast off."""
        self.is_moored, self.along_m, self.resumes_at = False, 0.0, None
        self.pauses = list(self.track.stops_m)

    def turn_back(self) -> None:
        """Break the trip off and take the shorter way to a berth."""
        if self.is_moored or self.trade in (Trade.FISHER, Trade.FREIGHTER):
            return
        self.pauses, self.resumes_at = [], None
        if self.along_m < self.track.length_m / 2:
            self.track, self.along_m = self.track.turned(), self.track.length_m - self.along_m

    def advance(
        self,
        to: datetime,
        next_leave: Callable[[Boat, datetime], datetime],
        *,
        may_leave: bool,
        step_s: float = _STEP_S,
    ) -> None:
        """Move to an instant, in steps short enough for the speed to change smoothly; longer ones for hours unseen."""
        while self.moved_at < to:
            if self.is_moored:
                if self.leaves_at > to or not may_leave or self.trade is Trade.FREIGHTER:
                    self.moved_at = to
                    return
                self.moved_at = max(self.moved_at, self.leaves_at)
                self.leave()
                continue
            if self.resumes_at is not None:
                if self.resumes_at > to:
                    self.moved_at = to
                    return
                self.moved_at, self.resumes_at = self.resumes_at, None
            passed_s = min(step_s, (to - self.moved_at).total_seconds())
            self.along_m += self.speed_kn * KN_M_S * passed_s
            self.moved_at += timedelta(seconds=passed_s)
            self._arrive(next_leave)

    def _arrive(self, next_leave: Callable[[Boat, datetime], datetime]) -> None:
        """Stop at a sight, or at the end of the way."""
        if self.pauses and self.along_m >= self.pauses[0]:
            self.along_m = self.pauses.pop(0)
            self.resumes_at = self.moved_at + timedelta(minutes=self.random.uniform(20, 50))
            return
        if self.along_m < self.track.length_m:
            return
        if self.trade is Trade.FISHER:
            self.along_m -= self.track.length_m
            return
        stops = self.track.stops_m
        self.track = self.track.turned()
        if self.trade is Trade.TOUR:
            # A tour ends where it began; the next one sails the same round the other way.
            length = self.track.length_m
            self.track = Track(self.track.points, self.track.along_m, tuple(length - stop for stop in reversed(stops)))
        self.is_moored, self.along_m = True, 0.0
        self.leaves_at = next_leave(self, self.moved_at)


class Timetable:
    """Draws when boats leave: tours in the morning and after noon, ferries all day, nobody at night."""

    def __init__(self, hour: Callable[[datetime], float], busy: float) -> None:
        self._hour, self._busy = hour, busy

    def next_leave(self, boat: Boat, after: datetime) -> datetime:
        """Draw the next departure by thinning a steady stream of chances."""
        at = after + timedelta(minutes=boat.random.uniform(10, 25))
        if boat.trade is Trade.FREIGHTER:
            return after + timedelta(days=365)
        for _ in range(4_000):
            at += timedelta(minutes=boat.random.expovariate(1 / 15))
            if boat.random.random() < self._chance(boat.trade, self._hour(at)):
                return at
        return at

    def _chance(self, trade: Trade, hour: float) -> float:
        if trade is Trade.FISHER:
            return 1.0
        if trade is Trade.FERRY:
            return 0.35 if 6 <= hour <= 16.5 else 0.0
        if not 6 <= hour <= 16.5:
            return 0.0
        peaks = math.exp(-((hour - 8.2) ** 2) / 1.5) + 0.9 * math.exp(-((hour - 12.8) ** 2) / 1.8)
        return min(1.0, 0.07 * _TRIPS_A_DAY * self._busy * (0.25 + 1.6 * peaks))


def build_fleet(seed: int, scale: float, start_at: datetime, table: Timetable) -> list[Boat]:
    """Build the boats as they lay before the day began, each with a chance of its own."""
    tours = [lane for lane in load_lanes() if lane.lane_id.startswith("tour-")]
    ferries = [lane for lane in load_lanes() if lane.lane_id.startswith("ferry-")]
    boats: list[Boat] = []
    for trade, count in (
        (Trade.TOUR, TOURS), (Trade.FERRY, FERRIES), (Trade.FISHER, FISHERS), (Trade.FREIGHTER, FREIGHTERS),
    ):  # fmt: skip
        for ordinal in range(max(1, round(count * scale))):
            number = len(boats) + 1
            random = Random(f"{seed}/boat/{number}")
            lanes = ferries if trade is Trade.FERRY else tours
            boat = Boat(
                number=number,
                name=f"{_NAMES[number % len(_NAMES)]} {number:02d}",
                trade=trade,
                track=_make_track(trade, lanes, ordinal, random, seed),
                cruise_kn={
                    Trade.TOUR: random.uniform(6.5, 9.5), Trade.FERRY: random.uniform(11.0, 21.0),
                    Trade.FISHER: random.uniform(2.5, 4.5), Trade.FREIGHTER: 0.0,
                }[trade],
                random=random,
                moved_at=start_at,
                leaves_at=start_at,
                obeys=random.random(),
            )  # fmt: skip
            if trade is Trade.FISHER:
                boat.leave()
                boat.along_m = random.random() * boat.track.length_m
            else:
                boat.leaves_at = table.next_leave(boat, start_at)
            boats.append(boat)
    return boats


def _make_track(trade: Trade, lanes: list[Lane], ordinal: int, random: Random, seed: int) -> Track:
    if trade is Trade.FISHER:
        return make_loop(_FISHING_ZONES[ordinal % len(_FISHING_ZONES)], f"{seed}/{ordinal % _ROUNDS}")
    if trade is Trade.FREIGHTER:
        areas = [
            zone for zone in load_zones() if zone.zone_id.startswith("anchorage-") and "ti-top" not in zone.zone_id
        ]
        area = PROVINCE_PLANE.to_metres(areas[ordinal % len(areas)].polygon)
        x, y = draw_water(area, random)
        return to_track(np.array([(x, y), (x + 2.0, y + 2.0)]))
    lane = lanes[ordinal % len(lanes)]
    return make_track(
        lane,
        offset_m=_OFFSETS_M[ordinal % len(_OFFSETS_M)],
        home_berth=ordinal // len(lanes),
        away_berth=ordinal // len(lanes) + (7 if lane.home == lane.away else 0),
    )
