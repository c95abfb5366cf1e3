"""Reports read from the journal: page by page, so that a month takes no more memory than a shift."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.performance.figures import Performance
from alerts.performance.meter import LEAD, PerformanceMeter
from alerts.shift import ShiftReport, is_of_shift, make_shift_report
from ioc.errors import InvalidRequestError
from ioc.storage.alerts import PostgresAlertStore

LONGEST_SHIFT = timedelta(days=7)
LONGEST_PERIOD = timedelta(days=31)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """A shift with the performance of the alarm system in it."""

    report: ShiftReport
    performance: Performance


async def read_shift(alerts: PostgresAlertStore, start: datetime, end: datetime) -> Shift:
    """Report a shift.

    Raises:
        InvalidRequestError: the span is empty or longer than ``LONGEST_SHIFT``.
    """
    _check_span(start, end, LONGEST_SHIFT)
    meter = PerformanceMeter(await alerts.open_at(start - LEAD), start=start, end=end)
    entries = []
    async for page in alerts.events_between(start - LEAD, end):
        meter.take(page)
        entries += [entry for entry in page if is_of_shift(entry, start)]
    standing = await alerts.open_at(end)
    return Shift(report=make_shift_report(entries, standing, start=start, end=end), performance=meter.finish(standing))


async def read_performance(
    alerts: PostgresAlertStore, start: datetime, end: datetime, *, unit_code: str | None = None
) -> Performance:
    """Give the alarm performance of a period, of one unit or of all.

    Raises:
        InvalidRequestError: the span is empty or longer than ``LONGEST_PERIOD``.
    """
    _check_span(start, end, LONGEST_PERIOD)
    meter = PerformanceMeter(await alerts.open_at(start - LEAD), start=start, end=end, unit_code=unit_code)
    async for page in alerts.events_between(start - LEAD, end):
        meter.take(page)
    return meter.finish(await alerts.open_at(end))


def _check_span(start: datetime, end: datetime, longest: timedelta) -> None:
    if not timedelta(0) < end - start <= longest:
        raise InvalidRequestError("bad_range", f"`from` must be before `to` and now, by at most {longest.days} days")
