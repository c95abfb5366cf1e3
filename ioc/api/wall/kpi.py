"""Key figures of the province, computed from the picture once a tick: value, unit, limit, time, quality, last hour."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from ioc.api.views import to_ms
from ioc.api.wall.channels import Row
from ioc.api.wall.picture import Picture
from ioc.domain.kinds import Crowd, TruckStep, UnitReport, VesselPosition
from ioc.domain.quantities import Quality

FIELDS = ("id", "value", "unit", "limit", "at", "q", "spark")
PROVINCE_TIME = ZoneInfo("Asia/Ho_Chi_Minh")
UNITS_COUNT = 54
_SPARK_MINUTES = 60
_REPORTED = frozenset({"submitted", "accepted"})


class Figure(NamedTuple):
    """One figure now; ``at`` is the time of the newest data in it."""

    value: float | None
    unit: str
    limit: float | None
    at: datetime | None
    quality: int = Quality.GOOD


class KeyFigures:
    """Computes the figures and keeps a value a minute of the last hour."""

    def __init__(self, picture: Picture) -> None:
        self._picture = picture
        self._sparks: dict[str, deque[float | None]] = {}
        self._minute: datetime | None = None

    def rows(self, now: datetime, *, feeds: Sequence[Mapping[str, Any]], open_alert_count: int) -> list[Row]:
        """Give the rows of ``kpi:province``."""
        figures = {
            "kpi.alerts_open": Figure(open_alert_count, "", None, now),
            "kpi.feeds_fresh_pct": self._feeds_fresh(feeds, now),
            "kpi.units_reporting": self._units_reporting(now),
            **self._vessels(now),
            "kpi.visitors_now": self._visitors(now),
            "kpi.trucks_in_yard": self._trucks(),
            "kpi.aqi_max": self._aqi(),
        }
        minute = now.replace(second=0, microsecond=0)
        is_new_minute, self._minute = minute != self._minute, minute
        rows: list[Row] = []
        for name, figure in figures.items():
            spark = self._sparks.setdefault(name, deque(maxlen=_SPARK_MINUTES))
            if is_new_minute or not spark:
                spark.append(figure.value)
            else:
                spark[-1] = figure.value
            rows.append(
                [name, figure.value, figure.unit, figure.limit, to_ms(figure.at), int(figure.quality), list(spark)]
            )
        return rows

    @staticmethod
    def _feeds_fresh(feeds: Sequence[Mapping[str, Any]], now: datetime) -> Figure:
        if not feeds:
            return Figure(None, "%", 95, None)
        live = sum(feed["state"] == "live" for feed in feeds)
        return Figure(round(100 * live / len(feeds), 1), "%", 95, now)

    def _units_reporting(self, now: datetime) -> Figure:
        today = now.astimezone(PROVINCE_TIME).date()
        count = sum(
            event.data.report_on == today and event.data.status in _REPORTED
            for event in self._picture.newest(UnitReport)
            if isinstance(event.data, UnitReport)
        )
        newest = self._picture.newest_at(UnitReport)
        return Figure(None if newest is None else count, f"/{UNITS_COUNT}", UNITS_COUNT, newest)

    def _vessels(self, now: datetime) -> dict[str, Figure]:
        newest = self._picture.newest_at(VesselPosition)
        quality = self._picture.quality_at(VesselPosition, now)
        return {
            "kpi.vessels_moving": Figure(self._count("moving", newest), "", None, newest, quality),
            "kpi.vessels_silent": Figure(self._count("silent", newest), "", 0, newest, quality),
        }

    def _count(self, doing: str, newest: datetime | None) -> int | None:
        """Give a count, None while nothing was ever heard: no data is not zero."""
        return None if newest is None else self._picture.tally.counts[doing]

    def _visitors(self, now: datetime) -> Figure:
        crowds = [event for event in self._picture.newest(Crowd) if isinstance(event.data, Crowd)]
        fresh = [event for event in crowds if self._picture.quality_of(event, now) < Quality.STALE]
        people = sum(event.data.people_count or 0 for event in fresh if isinstance(event.data, Crowd))
        capacity = sum(event.data.capacity_count or 0 for event in crowds if isinstance(event.data, Crowd))
        quality = Quality.GOOD if len(fresh) == len(crowds) else Quality.UNCERTAIN if fresh else Quality.STALE
        return Figure(people if fresh else None, "", capacity or None, self._picture.newest_at(Crowd), quality)

    def _trucks(self) -> Figure:
        newest = self._picture.newest_at(TruckStep)
        return Figure(self._count("in_yard", newest), "", None, newest)

    def _aqi(self) -> Figure:
        values = self._picture.aqi_values()
        if not values:
            return Figure(None, "", 150, None)
        return Figure(max(value for value, _ in values), "", 150, max(at for _, at in values))
