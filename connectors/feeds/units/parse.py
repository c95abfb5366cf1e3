"""Unit reports to events. A unit is named by its official five-digit code."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated

import msgspec

from connectors.feed import ParseContext
from connectors.records import RecordReader
from connectors.values import RefusedRecordError, check_instant, to_count
from ioc.domain.events import Event, Parsed
from ioc.domain.kinds import UnitReport

_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_FARTHEST_DUE = timedelta(days=366)


class WireReport(msgspec.Struct, kw_only=True, gc=False):
    """One entry of the reporting register."""

    unit: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{5}$")]
    report_on: date
    status: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z_]{0,31}$")]
    time: _Instant
    due_at: _Instant
    items: Annotated[int, msgspec.Meta(ge=0, le=100000)] | msgspec.UnsetType | None = msgspec.UNSET


READER = RecordReader({None: WireReport}, quick=WireReport)


def parse(payload: bytes, context: ParseContext) -> Parsed:
    """Parse a body of reports.

    Raises:
        MalformedPayloadError: nothing in it can be read.
    """
    return READER.parse(payload, context, to_events)


def to_events(record: WireReport, context: ParseContext) -> list[Event]:
    """Make the event of one report.

    Raises:
        RefusedRecordError: a time cannot be true.
    """
    observed_at = check_instant(record.time, context.latest_at)
    if abs(record.report_on - observed_at.date()) > _FARTHEST_DUE:
        raise RefusedRecordError("report_on: more than a year away from the time of the report")
    report = UnitReport(
        report_on=record.report_on,
        status=record.status,
        due_at=check_instant(record.due_at, context.received_at + _FARTHEST_DUE, what="due_at"),
        items_count=to_count(record.items),
    )
    event = context.make_event(
        report,
        asset_id=f"unit.{record.unit}",
        observed_at=observed_at,
        source_key=f"{record.unit}/{record.report_on.isoformat()}/{record.status}",
    )
    return [event if event.unit_code is not None else msgspec.structs.replace(event, unit_code=record.unit)]
