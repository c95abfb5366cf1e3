"""Power supply and public lighting."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar

from ioc.domain.kinds.payload import Payload
from ioc.domain.quantities import Quantity


class Feeder(Payload, frozen=True, kw_only=True, array_like=True, tag="energy.feeder"):
    """Load of a medium-voltage feeder."""

    KIND: ClassVar[str] = "energy.feeder"
    ASSET_CLASS: ClassVar[str] = "feeder"

    power_kw: Annotated[
        float | None, Quantity(unit="kW", vi="Công suất", en="Power", low=-1_000_000, high=1_000_000)
    ] = None
    voltage_v: Annotated[float | None, Quantity(unit="V", vi="Điện áp", en="Voltage", low=0, high=500_000)] = None
    current_a: Annotated[float | None, Quantity(unit="A", vi="Dòng điện", en="Current", low=0, high=10_000)] = None
    status: str = "on"


class Outage(Payload, frozen=True, kw_only=True, array_like=True, tag="energy.outage"):
    """How many customers of a unit are without power now, of how many. A state, so that a lost report costs nothing."""

    KIND: ClassVar[str] = "energy.outage"
    ASSET_CLASS: ClassVar[str] = "unit"

    customers_off_count: Annotated[
        int, Quantity(unit="khách", vi="Khách mất điện", en="Customers without power", low=0, high=10_000_000)
    ]
    customers_count: Annotated[
        int | None, Quantity(unit="khách", vi="Khách hàng", en="Customers", low=0, high=10_000_000)
    ] = None
    cause: str | None = None
    restore_at: datetime | None = None


class LightStatus(Payload, frozen=True, kw_only=True, array_like=True, tag="light.status"):
    """State of the lamps behind one street-light cabinet."""

    KIND: ClassVar[str] = "light.status"
    ASSET_CLASS: ClassVar[str] = "light"

    lamps_on_count: Annotated[int, Quantity(unit="đèn", vi="Đèn sáng", en="Lamps on", low=0, high=100_000)]
    lamps_count: Annotated[int | None, Quantity(unit="đèn", vi="Tổng đèn", en="Lamps", low=0, high=100_000)] = None
    faults_count: Annotated[int | None, Quantity(unit="đèn", vi="Đèn hỏng", en="Faulty lamps", low=0, high=100_000)] = (
        None
    )
    power_kw: Annotated[float | None, Quantity(unit="kW", vi="Công suất", en="Power", low=0, high=10_000)] = None
