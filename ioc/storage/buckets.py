"""Widths of the roll-ups and where their buckets begin."""

from __future__ import annotations

import enum
from datetime import UTC, datetime, timedelta, timezone

PROVINCE_TIME = timezone(timedelta(hours=7), "Asia/Ho_Chi_Minh")
"""Time of the province; it has had no daylight saving time since 1975."""


class Bucket(enum.StrEnum):
    """Widths of the roll-ups. A day is a day of the province (Asia/Ho_Chi_Minh)."""

    MINUTE = "1m"
    QUARTER = "15m"
    HOUR = "1h"
    DAY = "1d"

    @property
    def width(self) -> timedelta:
        """How long one bucket is."""
        return _WIDTHS[self]

    @property
    def source(self) -> Bucket | None:
        """The finer roll-up that this one is made of; None for minutes, which are made of readings."""
        return _SOURCES[self]

    @property
    def origin(self) -> datetime:
        """An instant at which a bucket begins."""
        return datetime(2000, 1, 1, tzinfo=PROVINCE_TIME if self is Bucket.DAY else UTC).astimezone(UTC)


_WIDTHS = {
    Bucket.MINUTE: timedelta(minutes=1),
    Bucket.QUARTER: timedelta(minutes=15),
    Bucket.HOUR: timedelta(hours=1),
    Bucket.DAY: timedelta(days=1),
}
_SOURCES = {Bucket.MINUTE: None, Bucket.QUARTER: Bucket.MINUTE, Bucket.HOUR: Bucket.QUARTER, Bucket.DAY: Bucket.HOUR}


def floor_to_bucket(instant: datetime, bucket: Bucket) -> datetime:
    """Give the start of the bucket that an instant lies in."""
    return instant - (instant - bucket.origin) % bucket.width
