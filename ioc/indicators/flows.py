"""Indicators over a time: how long trucks took, how many cases were in time, how many hours the air was bad."""

from __future__ import annotations

import math
from collections import deque
from datetime import datetime, timedelta

from alerts.vn_aqi import HOURS_KEPT
from ioc.domain.events import Event
from ioc.domain.kinds import AirReading, CaseStep, TruckStep
from ioc.domain.quantities import Quality
from ioc.indicators.air import AirIndex
from ioc.indicators.indicator import PROVINCE_TIME, Definition, Figure, Indicator
from ioc.indicators.newest import FreshSum

_DAY = timedelta(hours=24)
_WEEK = timedelta(days=7)
_HOUR = timedelta(hours=1)
_LONGEST_STAY = timedelta(hours=72)
_BEGIN, _ENDS = "arrive_yard", frozenset({"cross", "exit"})
BAD_AIR = 150


class Clearance(Indicator):
    """How long trucks took from the yard to the crossing: a share of them took at most this long."""

    kinds = (TruckStep,)
    looks_back = _DAY + _LONGEST_STAY

    def __init__(self, definition: Definition, share: float) -> None:
        self.definition, self._share = definition, share
        self._arrived: dict[str, datetime] = {}
        self._cleared: dict[str, tuple[datetime, float]] = {}

    def take(self, event: Event) -> None:
        """Note an arrival or a crossing; steps may come in any order."""
        if not isinstance(event.data, TruckStep):
            return
        trip = event.asset_id
        if event.data.step == _BEGIN:
            self._arrived.setdefault(trip, event.observed_at)
        elif event.data.step in _ENDS and trip in self._arrived:
            hours = (event.observed_at - self._arrived[trip]) / timedelta(hours=1)
            # The crossing counts, not the exit behind it.
            known = self._cleared.get(trip)
            if hours >= 0 and (known is None or event.observed_at < known[0]):
                self._cleared[trip] = (event.observed_at, hours)

    def figure(self, now: datetime) -> Figure:
        """Give the percentile of what was cleared in 24 hours."""
        for trip in [trip for trip, (at, _) in self._cleared.items() if at < now - _DAY]:
            del self._cleared[trip]
            self._arrived.pop(trip, None)
        for trip in [trip for trip, at in self._arrived.items() if at < now - self.looks_back]:
            del self._arrived[trip]
        if not self._cleared:
            return Figure(None, None)
        hours = sorted(hours for _, hours in self._cleared.values())
        value = hours[max(0, math.ceil(self._share * len(hours)) - 1)]
        newest_at = max(at for at, _ in self._cleared.values())
        return Figure(round(value, 2), newest_at, limit=self.definition.limit)


CLEARANCES = (
    (
        Definition(
            indicator_id="kpi.clearance_p50_h", place=10, name_vi="Thông quan: trung vị", name_en="Clearance, median",
            unit="h", limit=4, method_vi="Trung vị thời gian từ vào bãi đến qua biên giới của các xe qua trong 24 giờ.",
            method_en="Median time from the yard to the crossing, of trucks that crossed within 24 hours.",
        ),
        0.5,
    ),
    (
        Definition(
            indicator_id="kpi.clearance_p90_h", place=11, name_vi="Thông quan: 90 % xe", name_en="Clearance, P90",
            unit="h", limit=6, method_vi="Thời gian mà 90 % số xe qua biên giới trong 24 giờ không vượt quá.",
            method_en="Time within which 90 % of the trucks that crossed within 24 hours got through.",
        ),
        0.9,
    ),
)  # fmt: skip


class CasesOnTime(Indicator):
    """Administrative cases that were done by their day."""

    kinds = (CaseStep,)
    looks_back = _WEEK
    definition = Definition(
        indicator_id="kpi.cases_on_time_pct", place=12, name_vi="Hồ sơ đúng hạn", name_en="Cases done in time",
        unit="%", limit=95, is_floor=True, method_vi="Tỷ lệ hồ sơ hoàn thành trong 7 ngày qua không quá hạn trả.",
        method_en="Share of the cases done within 7 days that were done by their due time.",
    )  # fmt: skip

    def __init__(self) -> None:
        self._done = RollingShare(_WEEK)

    def take(self, event: Event) -> None:
        """Take the end of a case in."""
        case = event.data
        if isinstance(case, CaseStep) and case.done_at is not None:
            self._done.put(event.asset_id, case.done_at, counts=case.done_at <= case.due_at)

    def figure(self, now: datetime) -> Figure:
        """Give the share."""
        return Figure(self._done.share_pct(now), self._done.newest_at, limit=95)


class CasesOnline(Indicator):
    """Administrative cases that were filed online."""

    kinds = (CaseStep,)
    looks_back = _WEEK
    definition = Definition(
        indicator_id="kpi.cases_online_pct", place=13, name_vi="Hồ sơ trực tuyến", name_en="Cases filed online",
        unit="%", is_floor=True, method_vi="Tỷ lệ hồ sơ nộp trực tuyến trong các hồ sơ nộp 7 ngày qua.",
        method_en="Share of the cases filed within 7 days that were filed online.",
    )  # fmt: skip

    def __init__(self) -> None:
        self._filed = RollingShare(_WEEK)

    def take(self, event: Event) -> None:
        """Take a case in, once."""
        if isinstance(event.data, CaseStep):
            self._filed.put(event.asset_id, event.data.filed_at, counts=event.data.is_online)

    def figure(self, now: datetime) -> Figure:
        """Give the share."""
        return Figure(self._filed.share_pct(now), self._filed.newest_at)


class RollingShare:
    """The share of things of the last while that count, each once."""

    def __init__(self, span: timedelta) -> None:
        self._span = span
        self._known: dict[str, tuple[datetime, bool]] = {}
        self._queue: deque[tuple[datetime, str]] = deque()
        self._late: list[tuple[datetime, str]] = []
        self._counting = 0
        self.newest_at: datetime | None = None

    def put(self, key: str, at: datetime, *, counts: bool) -> None:
        """Note a thing; the first word on it stands."""
        if key in self._known:
            return
        self._known[key] = (at, counts)
        self._counting += counts
        (self._queue if not self._queue or self._queue[-1][0] <= at else self._late).append((at, key))
        self.newest_at = at if self.newest_at is None else max(self.newest_at, at)

    def share_pct(self, now: datetime) -> float | None:
        """Give the share in per cent; None when there was nothing."""
        before = now - self._span
        while self._queue and self._queue[0][0] <= before:
            self._forget(self._queue.popleft()[1])
        if any(at <= before for at, _ in self._late):
            for _, key in [item for item in self._late if item[0] <= before]:
                self._forget(key)
            self._late = [item for item in self._late if item[0] > before]
        return round(100 * self._counting / len(self._known), 1) if self._known else None

    def _forget(self, key: str) -> None:
        self._counting -= self._known.pop(key)[1]


class AirMax(Indicator):
    """The worst air index of all stations now."""

    kinds = (AirReading,)
    looks_back = timedelta(hours=HOURS_KEPT)
    definition = Definition(
        indicator_id="kpi.aqi_max", place=8, name_vi="VN_AQI cao nhất", name_en="Highest VN_AQI", unit="",
        limit=BAD_AIR, method_vi="VN_AQI giờ cao nhất trong các trạm đang gửi số liệu (QĐ 1459/QĐ-TCMT).",
        method_en="Highest hourly VN_AQI among the stations that report now (Decision 1459/QĐ-TCMT).",
    )  # fmt: skip

    def __init__(self, stale_after: timedelta | None) -> None:
        self._index, self._now = AirIndex(), FreshSum(stale_after)

    def take(self, event: Event) -> None:
        """Take a reading in."""
        if isinstance(event.data, AirReading):
            self._index.add(event.asset_id, event.observed_at, event.data)
            aqi = self._index.find(event.asset_id, event.observed_at)
            self._now.put(event.asset_id, event.observed_at, None if aqi is None else float(aqi))

    def figure(self, now: datetime) -> Figure:
        """Give the highest."""
        quality = self._now.settle(now)
        values = self._now.values()
        worst = Quality.STALE if not values and len(self._now) else min(quality, Quality.UNCERTAIN)
        return Figure(max(values) if values else None, self._now.newest_at, worst, BAD_AIR)


class BadAirHours(Indicator):
    """Hours of today in which a station's air was bad, over all stations."""

    kinds = (AirReading,)
    looks_back = _DAY + timedelta(hours=HOURS_KEPT)
    definition = Definition(
        indicator_id="kpi.air_hours_over_150", place=15, name_vi="Giờ trạm VN_AQI > 150",
        name_en="Hours above VN_AQI 150",
        unit="h", limit=0, method_vi="Tổng số giờ hôm nay, cộng qua các trạm, có VN_AQI giờ trên 150.",
        method_en="Hours of today, summed over the stations, whose hourly VN_AQI was above 150.",
    )  # fmt: skip

    def __init__(self) -> None:
        self._index = AirIndex()
        self._bad: dict[tuple[str, datetime], bool] = {}
        self._newest_at: datetime | None = None

    def take(self, event: Event) -> None:
        """Take a reading in: it settles its hour anew, and the one before."""
        if isinstance(event.data, AirReading):
            at = event.observed_at
            self._index.add(event.asset_id, at, event.data)
            # With the first reading of an hour the one before it is over, and has its index at last.
            for hour in (_hour_of(at - _HOUR), _hour_of(at)):
                aqi = self._index.find(event.asset_id, hour)
                if aqi is not None and self._index.is_filled(event.asset_id, hour):
                    self._bad[event.asset_id, hour] = aqi > BAD_AIR
            self._newest_at = at if self._newest_at is None else max(self._newest_at, at)

    def figure(self, now: datetime) -> Figure:
        """Count the hours since midnight."""
        midnight = now.astimezone(PROVINCE_TIME).replace(hour=0, minute=0, second=0, microsecond=0)
        for place in [place for place in self._bad if place[1] < midnight - _DAY]:
            del self._bad[place]
        if self._newest_at is None:
            return Figure(None, None)
        return Figure(sum(bad for (_, at), bad in self._bad.items() if at >= midnight), self._newest_at, limit=0)


def _hour_of(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)
