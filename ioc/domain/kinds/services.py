"""Administrative procedures (TTHC) and reports of citizens."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar

from ioc.domain.kinds.payload import Payload
from ioc.domain.quantities import Quantity


class CaseStep(Payload, frozen=True, kw_only=True, array_like=True, tag="tthc.case"):
    """A case reached a state; the asset is a keyed pseudonym.

    ``status`` is ``received``, ``processing``, ``supplement``, ``paused``, ``done``, ``returned`` or ``refused``;
    ``filed_at`` is when the applicant handed it in.
    """

    KIND: ClassVar[str] = "tthc.case"
    ASSET_CLASS: ClassVar[str] = "case"

    procedure: str
    status: str
    due_at: datetime
    filed_at: datetime
    done_at: datetime | None = None
    is_online: bool = False


class CasePayment(Payload, frozen=True, kw_only=True, array_like=True, tag="tthc.payment"):
    """A fee of a case was paid."""

    KIND: ClassVar[str] = "tthc.payment"
    ASSET_CLASS: ClassVar[str] = "case"

    amount_vnd: Annotated[float, Quantity(unit="₫", vi="Số tiền", en="Amount", low=0, high=1_000_000_000_000)]
    channel: str = "online"


class CaseRating(Payload, frozen=True, kw_only=True, array_like=True, tag="tthc.rating"):
    """A citizen rated the handling of a case."""

    KIND: ClassVar[str] = "tthc.rating"
    ASSET_CLASS: ClassVar[str] = "case"

    rating: Annotated[float, Quantity(unit="★", vi="Đánh giá", en="Rating", low=1, high=5)]


class CitizenReport(Payload, frozen=True, kw_only=True, array_like=True, tag="citizen.report"):
    """A report of a citizen reached a state: ``new``, ``assigned``, ``processing``, ``answered`` or ``closed``."""

    KIND: ClassVar[str] = "citizen.report"
    ASSET_CLASS: ClassVar[str] = "report"

    category: str
    status: str
    due_at: datetime | None = None
    channel: str | None = None
    repeats_count: Annotated[
        int | None, Quantity(unit="lượt", vi="Phản ánh trùng", en="Repeats", low=0, high=1_000_000)
    ] = None
