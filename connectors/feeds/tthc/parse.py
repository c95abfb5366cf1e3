"""Cases, fees and ratings to events. A case's number becomes a keyed pseudonym here; its applicant goes no further."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec

from connectors.feed import ParseContext
from connectors.pseudonym import to_pseudonym
from connectors.records import RecordReader
from connectors.values import Measured, Measures, RefusedRecordError, check_instant
from ioc.domain.events import Event, Parsed
from ioc.domain.kinds import KINDS, CasePayment, CaseRating, CaseStep

PROCEDURE = r"[0-9](\.[0-9]{1,6}){1,4}(\.H[0-9]{2})?"
UNIT = r"[0-9]{5}"
CHANNEL = r"[a-z][a-z0-9_-]{0,31}"
_FARTHEST_DUE = timedelta(days=2 * 366)
_CLOSING = frozenset({"done", "returned", "refused"})
_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_Number = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
_Procedure = Annotated[str, msgspec.Meta(pattern=f"^{PROCEDURE}$")]
_Unit = Annotated[str, msgspec.Meta(pattern=f"^{UNIT}$")]
_Channel = Annotated[str, msgspec.Meta(pattern=f"^{CHANNEL}$")]
Status = Literal["received", "processing", "supplement", "paused", "done", "returned", "refused"]

_AMOUNT = Measures(KINDS[CasePayment.KIND], ("amount_vnd",))
_RATING = Measures(KINDS[CaseRating.KIND], ("rating",))


class WireCase(msgspec.Struct, kw_only=True, tag="case"):
    """A case reached a state. The applicant's keys are listed so that they are known, and dropped."""

    case: _Number
    unit: _Unit
    procedure: _Procedure
    status: Status
    time: _Instant
    filed_at: _Instant
    due_at: _Instant
    done_at: _Instant | msgspec.UnsetType | None = msgspec.UNSET
    online: bool | msgspec.UnsetType = msgspec.UNSET
    applicant: Any = msgspec.UNSET
    id_number: Any = msgspec.UNSET
    phone: Any = msgspec.UNSET
    address: Any = msgspec.UNSET


class WirePayment(msgspec.Struct, kw_only=True, tag="payment"):
    """A fee of a case in ₫; 0 where it was waived. Who paid is dropped."""

    case: _Number
    unit: _Unit
    time: _Instant
    amount: Measured
    channel: _Channel | msgspec.UnsetType = msgspec.UNSET
    payer: Any = msgspec.UNSET


class WireRating(msgspec.Struct, kw_only=True, tag="rating"):
    """1 to 5 stars for the handling of a case. What was written beside them is dropped."""

    case: _Number
    unit: _Unit
    time: _Instant
    rating: Measured
    comment: Any = msgspec.UNSET


Wire = WireCase | WirePayment | WireRating
READER: RecordReader[Wire] = RecordReader({"case": WireCase, "payment": WirePayment, "rating": WireRating}, quick=Wire)


def parse(payload: bytes, context: ParseContext) -> Parsed:
    """Parse a body of cases, fees and ratings.

    Raises:
        MalformedPayloadError: nothing in it can be read.
    """
    return READER.parse(payload, context, to_events)


def to_events(record: Wire, context: ParseContext) -> list[Event]:
    """Make the event of one record.

    Raises:
        RefusedRecordError: a time or a value cannot be true.
    """
    observed_at = check_instant(record.time, context.latest_at)
    pseudonym = to_pseudonym(record.case, context.pseudonym_key)
    data: CaseStep | CasePayment | CaseRating
    source_key = pseudonym
    if isinstance(record, WireCase):
        data = _to_step(record, context, observed_at)
        source_key = f"{pseudonym}/{record.status}"
    elif isinstance(record, WirePayment):
        data = CasePayment(amount_vnd=_to_number(_AMOUNT, record.amount, "amount"), channel=record.channel or "online")
    else:
        data = CaseRating(rating=_to_number(_RATING, record.rating, "rating"))
    event = context.make_event(
        data,
        asset_id=f"case.{pseudonym}",
        observed_at=observed_at,
        source_key=source_key,
        station_id=f"unit.{record.unit}",
    )
    return [event]


def _to_step(record: WireCase, context: ParseContext, observed_at: datetime) -> CaseStep:
    filed_at = check_instant(record.filed_at, context.latest_at, what="filed_at")
    due_at = check_instant(record.due_at, context.received_at + _FARTHEST_DUE, what="due_at")
    if due_at < filed_at:
        raise RefusedRecordError("due_at: before filed_at")
    done_at = check_instant(record.done_at, context.latest_at, what="done_at") if record.done_at else None
    if record.status in _CLOSING:
        # A closed case without its instant was closed when its record was made.
        done_at = done_at or observed_at
        if done_at < filed_at:
            raise RefusedRecordError("done_at: before filed_at")
    elif done_at is not None:
        raise RefusedRecordError("done_at: of a case that is not closed")
    return CaseStep(
        procedure=record.procedure,
        status=record.status,
        due_at=due_at,
        filed_at=filed_at,
        done_at=done_at,
        is_online=record.online is True,
    )


def _to_number(measure: Measures, value: Measured, what: str) -> float:
    (number,), _ = measure.convert((value,))
    if number is None:
        raise RefusedRecordError(f"{what}: none")
    return number
