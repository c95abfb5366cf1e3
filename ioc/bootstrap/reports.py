"""Reports from the deployment's store, for the command line."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from alerts.performance.figures import Performance
from ioc.bootstrap.foundations import open_database
from ioc.settings import Settings
from ioc.storage.alerts import PostgresAlertStore
from ioc.storage.reports import Shift, read_performance, read_shift


async def report_shift(settings: Settings, start: datetime, end: datetime) -> Shift:
    """Report a shift.

    Raises:
        InvalidRequestError: the span is empty or longer than a week.
    """
    async with _alerts(settings) as alerts:
        return await read_shift(alerts, start, end)


async def report_performance(
    settings: Settings, start: datetime, end: datetime, *, unit_code: str | None
) -> Performance:
    """Give the alarm performance of a period.

    Raises:
        InvalidRequestError: the span is empty or longer than 31 days.
    """
    async with _alerts(settings) as alerts:
        return await read_performance(alerts, start, end, unit_code=unit_code)


@asynccontextmanager
async def _alerts(settings: Settings) -> AsyncIterator[PostgresAlertStore]:
    async with open_database(settings) as database:
        yield PostgresAlertStore(database)
