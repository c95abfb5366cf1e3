"""The border gates: goods, lanes and people."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar

from ioc.domain.kinds.payload import Payload
from ioc.domain.quantities import Quantity


class TruckStep(Payload, frozen=True, kw_only=True, array_like=True, tag="border.truck"):
    """A truck trip reached one step of the border process. The trip is a keyed pseudonym, the plate never gets here."""

    KIND: ClassVar[str] = "border.truck"
    ASSET_CLASS: ClassVar[str] = "truck"

    step: str
    gate: str
    direction: str
    lane: str | None = None
    goods: str | None = None
    perishable: bool = False
    mass_t: Annotated[float | None, Quantity(unit="t", vi="Khối lượng", en="Mass", low=0, high=120)] = None


class BorderQueue(Payload, frozen=True, kw_only=True, array_like=True, tag="border.queue"):
    """How many vehicles wait at a gate now."""

    KIND: ClassVar[str] = "border.queue"
    ASSET_CLASS: ClassVar[str] = "gate"

    vehicles_count: Annotated[int, Quantity(unit="xe", vi="Xe chờ", en="Vehicles waiting", low=0, high=10_000)]
    perishable_count: Annotated[int, Quantity(unit="xe", vi="Xe hàng tươi", en="Perishables", low=0, high=10_000)] = 0
    perishable_oldest_min: Annotated[
        float | None,
        Quantity(unit="min", vi="Hàng tươi chờ lâu nhất", en="Longest perishable wait", low=0, high=100_000),
    ] = None


class LaneStatus(Payload, frozen=True, kw_only=True, array_like=True, tag="border.lane"):
    """State of one lane of a gate; ``status`` is ``open`` or ``closed``, ``colour`` the customs channel."""

    KIND: ClassVar[str] = "border.lane"
    ASSET_CLASS: ClassVar[str] = "lane"

    gate: str
    status: str
    colour: str | None = None
    direction: str | None = None
    opens_at: datetime | None = None
    closes_at: datetime | None = None


class GateStatus(Payload, frozen=True, kw_only=True, array_like=True, tag="border.gate"):
    """State of a gate and its published hours of the day."""

    KIND: ClassVar[str] = "border.gate"
    ASSET_CLASS: ClassVar[str] = "gate"

    status: str
    opens_at: datetime | None = None
    closes_at: datetime | None = None
    reason: str | None = None


class PassengerCount(Payload, frozen=True, kw_only=True, array_like=True, tag="border.pax.count"):
    """People through a gate since the previous count, by group."""

    KIND: ClassVar[str] = "border.pax.count"
    ASSET_CLASS: ClassVar[str] = "gate"

    in_count: Annotated[int, Quantity(unit="người", vi="Nhập cảnh", en="Entries", low=0, high=100_000)]
    out_count: Annotated[int, Quantity(unit="người", vi="Xuất cảnh", en="Exits", low=0, high=100_000)] = 0
    group: str = "all"


class EgateCount(Payload, frozen=True, kw_only=True, array_like=True, tag="border.egate"):
    """Passages through the automatic gates since the previous report, and the seconds that they took."""

    KIND: ClassVar[str] = "border.egate"
    ASSET_CLASS: ClassVar[str] = "gate"

    passes_count: Annotated[int, Quantity(unit="lượt", vi="Qua cổng", en="Passages", low=0, high=100_000)]
    refused_count: Annotated[int, Quantity(unit="lượt", vi="Từ chối", en="Refused", low=0, high=100_000)] = 0
    seconds_p50: Annotated[
        float | None, Quantity(unit="s", vi="Thời gian P50", en="Seconds P50", low=0, high=3_600)
    ] = None
    seconds_p95: Annotated[
        float | None, Quantity(unit="s", vi="Thời gian P95", en="Seconds P95", low=0, high=3_600)
    ] = None
