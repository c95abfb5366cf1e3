"""The offices' working time: 7:30–11:30 and 13:30–17:00 from Monday to Friday, in the world's own day."""

from __future__ import annotations

from datetime import datetime, timedelta

from simulators.province import PROVINCE_TIME, World

MORNING_H, NOON_H, AFTERNOON_H, EVENING_H = 7.5, 11.5, 13.5, 17.0
DAY_H = (NOON_H - MORNING_H) + (EVENING_H - AFTERNOON_H)
"""Working hours of a day."""
_SATURDAY = 5


class WorkingTime:
    """Counts in working hours; a scenario that begins at an hour of its own has its offices open by that hour."""

    def __init__(self, world: World) -> None:
        self._world = world

    def is_open(self, at: datetime) -> bool:
        """Say whether the offices work."""
        hour = self._world.hour(at)
        is_working_hour = MORNING_H <= hour < NOON_H or AFTERNOON_H <= hour < EVENING_H
        return is_working_hour and self._weekday(at, hour) < _SATURDAY

    def add(self, at: datetime, hours: float) -> datetime:
        """Give the instant at which so many working hours have passed; it is always one at which offices work."""
        hour = self._world.hour(at)
        weekday = self._weekday(at, hour)
        worked_h = min(max(hour - MORNING_H, 0), NOON_H - MORNING_H) + min(
            max(hour - AFTERNOON_H, 0), EVENING_H - AFTERNOON_H
        )
        if weekday >= _SATURDAY:
            worked_h = 0.0
        days, rest_h = divmod(worked_h + hours, DAY_H)
        passed_days = 0
        while weekday % 7 >= _SATURDAY or days > 0:
            days -= weekday % 7 < _SATURDAY
            weekday, passed_days = weekday + 1, passed_days + 1
        morning_h = NOON_H - MORNING_H
        until_h = MORNING_H + rest_h if rest_h < morning_h else AFTERNOON_H + rest_h - morning_h
        return at + timedelta(days=passed_days, hours=until_h - hour)

    def _weekday(self, at: datetime, hour: float) -> int:
        """Give the weekday of the world's day, whose midnight may be another than the province's."""
        return (at - timedelta(hours=hour - 12)).astimezone(PROVINCE_TIME).weekday()
