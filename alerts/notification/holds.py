"""What keeps an alert from being told: silences and maintenance windows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from alerts.notification.labels import Labels
from alerts.notification.matchers import Matchers

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Somebody keeps alerts quiet for a time, and says why. ``ends_at`` is no longer part of it."""

    silence_id: UUID
    matchers: Matchers
    starts_at: datetime
    ends_at: datetime
    author: str
    comment: str

    def covers(self, labels: Labels, at: datetime) -> bool:
        """Whether an alert with these labels is quiet at an instant."""
        return self.starts_at <= at < self.ends_at and self.matchers.matches(labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceWindow:
    """Work that comes every week at the same local time, such as ``sun 22:00`` to ``02:00``.

    A window that ends at or before the hour at which it begins ends on the day after.
    """

    window_id: str
    matchers: Matchers
    zone: ZoneInfo
    days: frozenset[int]
    begins: time
    ends: time
    text_vi: str
    text_en: str

    def until(self, at: datetime) -> datetime | None:
        """Give when the window that is open at an instant closes; None while it is closed.

        A window over hours that a clock change leaves out or repeats is as long as its local hours. One that would
        begin within hours that are left out begins by the clock as it was (RFC 5545, 3.3.5), and is as long as on
        other days; what is repeated counts the first time.
        """
        today = at.astimezone(self.zone).date()
        for day in (today, today - timedelta(days=1)):
            if day.weekday() not in self.days:
                continue
            last = day if self.begins < self.ends else day + timedelta(days=1)
            start = datetime.combine(day, self.begins, self.zone).astimezone(UTC)
            end = datetime.combine(last, self.ends, self.zone).astimezone(UTC)
            if start.astimezone(self.zone).time() != self.begins:  # no such time on this day
                end = start + (datetime.combine(last, self.ends) - datetime.combine(day, self.begins))
            if start <= at < end:
                return end
        return None
