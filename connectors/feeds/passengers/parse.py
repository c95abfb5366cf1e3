"""Counts of passengers and of automatic gates to events: people, passages, seconds."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from connectors.feed import ParseContext
from connectors.records import RecordReader
from connectors.values import Measured, Measures, check_instant
from ioc.domain.events import Event, Parsed
from ioc.domain.kinds import KINDS, EgateCount, PassengerCount

_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_Gate = Annotated[str, msgspec.Meta(pattern=r"^(gate\.)?[a-z][a-z0-9-]{0,31}$")]
_Group = Annotated[str, msgspec.Meta(pattern=r"^(all|vietnamese|chinese|other)$")]
_People = Annotated[int, msgspec.Meta(ge=0, le=100_000)]

_EGATE = Measures(KINDS[EgateCount.KIND], ("seconds_p50", "seconds_p95"))


class WireCount(msgspec.Struct, kw_only=True, gc=False, tag="count", rename={"in_count": "in", "out_count": "out"}):
    """People through a gate since the previous count. Passports, names and nationalities are not listened to."""

    gate: _Gate
    time: _Instant
    in_count: _People
    out_count: _People = 0
    group: _Group = "all"


class WireEgate(msgspec.Struct, kw_only=True, gc=False, tag="egate"):
    """Passages through the automatic gates since the previous report, and the seconds that they took."""

    gate: _Gate
    time: _Instant
    passes: _People
    refused: _People = 0
    seconds_p50: Measured = msgspec.UNSET
    seconds_p95: Measured = msgspec.UNSET


Wire = WireCount | WireEgate
READER: RecordReader[Wire] = RecordReader({"count": WireCount, "egate": WireEgate}, quick=Wire)


def parse(payload: bytes, context: ParseContext) -> Parsed:
    """Parse a body of counts.

    Raises:
        MalformedPayloadError: nothing in it can be read.
    """
    return READER.parse(payload, context, to_events)


def to_events(record: Wire, context: ParseContext) -> list[Event]:
    """Make the event of one record.

    Raises:
        RefusedRecordError: time or a value cannot be true.
    """
    observed_at = check_instant(record.time, context.latest_at)
    asset_id = f"gate.{record.gate.removeprefix('gate.')}"
    if isinstance(record, WireEgate):
        (seconds_p50, seconds_p95), _ = _EGATE.convert((record.seconds_p50, record.seconds_p95))
        egate = EgateCount(
            passes_count=record.passes, refused_count=record.refused, seconds_p50=seconds_p50, seconds_p95=seconds_p95
        )
        return [context.make_event(egate, asset_id=asset_id, observed_at=observed_at)]
    count = PassengerCount(in_count=record.in_count, out_count=record.out_count, group=record.group)
    source_key = f"{asset_id}/{record.group}"
    return [context.make_event(count, asset_id=asset_id, observed_at=observed_at, source_key=source_key)]
