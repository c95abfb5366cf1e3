"""Tourism: who comes, who stays, how full it is, what they say."""

from __future__ import annotations

from typing import Annotated, ClassVar

from ioc.domain.kinds.payload import Payload
from ioc.domain.quantities import Quantity


class Crowd(Payload, frozen=True, kw_only=True, array_like=True, tag="tourism.crowd"):
    """People at a site now, counted by its cameras or turnstiles."""

    KIND: ClassVar[str] = "tourism.crowd"
    ASSET_CLASS: ClassVar[str] = "site"

    people_count: Annotated[int | None, Quantity(unit="người", vi="Số người", en="People", low=0, high=500_000)] = None
    density_p_m2: Annotated[float | None, Quantity(unit="người/m²", vi="Mật độ", en="Density", low=0, high=12)] = None
    capacity_count: Annotated[int | None, Quantity(unit="người", vi="Sức chứa", en="Capacity", low=1, high=500_000)] = (
        None
    )


class GateCount(Payload, frozen=True, kw_only=True, array_like=True, tag="tourism.gate"):
    """Visitors through a site's gate since the previous count, by group."""

    KIND: ClassVar[str] = "tourism.gate"
    ASSET_CLASS: ClassVar[str] = "site"

    in_count: Annotated[int, Quantity(unit="người", vi="Vào", en="In", low=0, high=100_000)]
    out_count: Annotated[int, Quantity(unit="người", vi="Ra", en="Out", low=0, high=100_000)] = 0
    group: str = "all"


class TicketSale(Payload, frozen=True, kw_only=True, array_like=True, tag="tourism.ticket"):
    """Tickets sold for a site since the previous report, by group. Buyers are dropped at parse."""

    KIND: ClassVar[str] = "tourism.ticket"
    ASSET_CLASS: ClassVar[str] = "site"

    tickets_count: Annotated[int, Quantity(unit="vé", vi="Vé bán", en="Tickets sold", low=0, high=100_000)]
    group: str = "all"
    channel: str | None = None


class Stay(Payload, frozen=True, kw_only=True, array_like=True, tag="tourism.stay"):
    """Guests of a unit's lodgings: who came and left since the previous report, who is there, and the rooms taken."""

    KIND: ClassVar[str] = "tourism.stay"
    ASSET_CLASS: ClassVar[str] = "unit"

    guests_count: Annotated[int, Quantity(unit="người", vi="Khách lưu trú", en="Guests", low=0, high=1_000_000)]
    in_count: Annotated[int, Quantity(unit="người", vi="Nhận phòng", en="Checked in", low=0, high=1_000_000)] = 0
    out_count: Annotated[int, Quantity(unit="người", vi="Trả phòng", en="Checked out", low=0, high=1_000_000)] = 0
    rooms_taken_pct: Annotated[
        float | None, Quantity(unit="%", vi="Công suất phòng", en="Rooms taken", low=0, high=100)
    ] = None
    group: str = "all"


class Feedback(Payload, frozen=True, kw_only=True, array_like=True, tag="tourism.feedback"):
    """A visitor's rating of a site. What was written is not kept."""

    KIND: ClassVar[str] = "tourism.feedback"
    ASSET_CLASS: ClassVar[str] = "site"

    rating: Annotated[float, Quantity(unit="★", vi="Đánh giá", en="Rating", low=1, high=5)]
    category: str = "general"
    channel: str | None = None
