"""What the indicators were: a sample a minute, written by whichever api process comes first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from ioc.storage.pool import Database
from ioc.storage.statements import load_statements

_SQL = load_statements("indicators")
KEPT = timedelta(days=400)
"""A year can be compared with the one before."""


class Sample(NamedTuple):
    """An indicator's value in a minute."""

    indicator_id: str
    value: float | None
    quality: int
    observed_at: datetime | None


class Stretch(NamedTuple):
    """An indicator over a stretch of time: mean, lowest, highest, worst quality."""

    at: datetime
    mean: float | None
    low: float | None
    high: float | None
    quality: int


class IndicatorStore:
    """Samples of the indicators.

    Args:
        database: the open pool.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, minute: datetime, samples: Sequence[Sample]) -> None:
        """Keep the samples of a minute; those that another process kept already stay as they are."""
        ids, values, qualities, times = (list(column) for column in zip(*samples, strict=True))
        # A count is an integer, a share is not; the driver sends a list of one type.
        values = [None if value is None else float(value) for value in values]
        async with self._database.transaction() as connection:
            await connection.execute(
                _SQL["record"],
                {"minute": minute, "ids": ids, "values": values, "qualities": qualities, "times": times},
            )
            if minute.hour == 0 and minute.minute == 0:
                await connection.execute(_SQL["forget"], (minute - KEPT,))

    async def courses(self, *, until: datetime, minutes: int) -> dict[str, list[float | None]]:
        """Give the last ``minutes`` values of every indicator up to a minute; None where there was none."""
        since = until - timedelta(minutes=minutes)
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_SQL["courses"], (since, until))).fetchall()
        courses: dict[str, list[float | None]] = {}
        for indicator_id, minute, value in rows:
            course = courses.setdefault(indicator_id, [None] * minutes)
            course[round((minute - since) / timedelta(minutes=1)) - 1] = value
        return {name: _without_beginning(course) for name, course in courses.items()}

    async def history(
        self, indicator_id: str, *, start: datetime, end: datetime, bucket: timedelta, limit: int
    ) -> list[Stretch]:
        """Give an indicator's course in stretches of ``bucket``, oldest first."""
        parameters = {
            "indicator_id": indicator_id, "start": start, "end": end,
            "bucket_s": bucket.total_seconds(), "limit": limit,
        }  # fmt: skip
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_SQL["history"], parameters)).fetchall()
        return [Stretch(*row) for row in rows]


def _without_beginning(course: list[float | None]) -> list[float | None]:
    """Leave out the minutes before the first value: nobody was there to know."""
    first = next((place for place, value in enumerate(course) if value is not None), len(course))
    return course[first:]
