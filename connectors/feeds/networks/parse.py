"""Links, cyber alerts and database calls to events: ms, %, counts. Whose machine or record it was goes no further."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from connectors.feed import ParseContext
from connectors.records import RecordReader
from connectors.values import Measured, Measures, RefusedRecordError, check_instant, check_name, to_count
from ioc.domain.events import Event, Parsed
from ioc.domain.kinds import KINDS, CyberAlert, DatabaseCalls, NetLink
from ioc.domain.quantities import Quality

WORD = r"[a-z][a-z0-9_-]{0,31}"
UNIT = r"[0-9]{5}"
_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_Name = Annotated[str, msgspec.Meta(max_length=64)]
_Word = Annotated[str, msgspec.Meta(pattern=f"^{WORD}$")]
_Unit = Annotated[str, msgspec.Meta(pattern=f"^{UNIT}$")]
_Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]

_LINK = Measures(KINDS[NetLink.KIND], ("latency_ms", "loss_pct", "used_pct"))
_CALLS = Measures(KINDS[DatabaseCalls.KIND], ("p95_ms", "period_s"))


class WireAlert(msgspec.Struct, kw_only=True, tag="alert"):
    """An alert of the cyber-security centre as it stands now: a summary, no machine and no person."""

    id: _Name
    time: _Instant
    severity: Literal["info", "low", "medium", "high", "critical"]
    category: _Word
    status: Literal["open", "closed"]
    opened_at: _Instant
    events: _Count | msgspec.UnsetType | None = msgspec.UNSET
    unit: _Unit | msgspec.UnsetType | None = msgspec.UNSET


class WireLink(msgspec.Struct, kw_only=True, gc=False, tag="link"):
    """State of a link: round trip in ms, lost packets and use in %."""

    link: _Name
    time: _Instant
    status: Literal["up", "down", "degraded"]
    latency_ms: Measured = msgspec.UNSET
    loss_pct: Measured = msgspec.UNSET
    used_pct: Measured = msgspec.UNSET
    unit: _Unit | msgspec.UnsetType | None = msgspec.UNSET


class WireCalls(msgspec.Struct, kw_only=True, gc=False, tag="calls"):
    """Calls to one national database over the ``period_s`` seconds before ``time``."""

    db: _Name
    time: _Instant
    calls: _Count
    errors: _Count = 0
    p95_ms: Measured = msgspec.UNSET
    period_s: Measured = msgspec.UNSET


Wire = WireAlert | WireLink | WireCalls
READER: RecordReader[Wire] = RecordReader({"alert": WireAlert, "link": WireLink, "calls": WireCalls}, quick=Wire)


def parse(payload: bytes, context: ParseContext) -> Parsed:
    """Parse a body of alerts, links and calls.

    Raises:
        MalformedPayloadError: nothing in it can be read.
    """
    return READER.parse(payload, context, to_events)


def to_events(record: Wire, context: ParseContext) -> list[Event]:
    """Make the event of one record.

    Raises:
        RefusedRecordError: time, name or a value cannot be true.
    """
    observed_at = check_instant(record.time, context.latest_at)
    if isinstance(record, WireLink):
        return [_to_link(record, context, observed_at)]
    if isinstance(record, WireCalls):
        return [_to_calls(record, context, observed_at)]
    alert = CyberAlert(
        severity=record.severity,
        category=record.category,
        status=record.status,
        opened_at=check_instant(record.opened_at, context.latest_at, what="opened_at"),
        events_count=to_count(record.events),
    )
    asset_id = f"cyber.{check_name(record.id, what='id').removeprefix('cyber.')}"
    event = context.make_event(
        alert,
        asset_id=asset_id,
        observed_at=observed_at,
        source_key=f"{asset_id}/{record.status}",
        station_id=f"unit.{record.unit}" if record.unit else None,
        is_fixed=False,
    )
    return [event]


def _to_link(record: WireLink, context: ParseContext, observed_at: datetime) -> Event:
    (latency_ms, loss_pct, used_pct), _ = _LINK.convert((record.latency_ms, record.loss_pct, record.used_pct))
    link = NetLink(status=record.status, latency_ms=latency_ms, loss_pct=loss_pct, used_pct=used_pct)
    name = check_name(record.link, what="link").removeprefix("link.")
    return context.make_event(
        link,
        asset_id=f"link.{name}",
        observed_at=observed_at,
        # A unit's link is named like the unit; others say where they end.
        station_id=f"unit.{record.unit or name}",
    )


def _to_calls(record: WireCalls, context: ParseContext, observed_at: datetime) -> Event:
    if record.errors > record.calls:
        raise RefusedRecordError("errors: more than calls")
    (p95_ms, period_s), _ = _CALLS.convert((record.p95_ms, record.period_s))
    if period_s == 0:
        raise RefusedRecordError("period_s: must be more than 0")
    calls = DatabaseCalls(
        calls_count=record.calls,
        errors_count=record.errors,
        p95_ms=p95_ms,
        period_s=60.0 if period_s is None else period_s,
    )
    asset_id = f"ndb.{check_name(record.db, what='db').removeprefix('ndb.')}"
    # Without a period it is assumed, and the event says so.
    quality = Quality.UNCERTAIN if period_s is None else None
    return context.make_event(calls, asset_id=asset_id, observed_at=observed_at, is_fixed=False, quality=quality)
