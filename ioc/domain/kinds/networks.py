"""The province's network, its cyber-security centre, and the national databases."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar

from ioc.domain.kinds.payload import Payload
from ioc.domain.quantities import Quantity


class CyberAlert(Payload, frozen=True, kw_only=True, array_like=True, tag="cyber.alert"):
    """An alert of the cyber-security centre as a summary; ``status`` is ``open`` or ``closed``."""

    KIND: ClassVar[str] = "cyber.alert"
    ASSET_CLASS: ClassVar[str] = "cyber"

    severity: str
    category: str
    status: str
    opened_at: datetime
    events_count: Annotated[
        int | None, Quantity(unit="sự kiện", vi="Sự kiện", en="Events", low=0, high=1_000_000_000)
    ] = None


class NetLink(Payload, frozen=True, kw_only=True, array_like=True, tag="net.link"):
    """State of a link of the province's network; ``status`` is ``up``, ``down`` or ``degraded``."""

    KIND: ClassVar[str] = "net.link"
    ASSET_CLASS: ClassVar[str] = "link"

    status: str
    latency_ms: Annotated[float | None, Quantity(unit="ms", vi="Độ trễ", en="Latency", low=0, high=60_000)] = None
    loss_pct: Annotated[float | None, Quantity(unit="%", vi="Mất gói", en="Packet loss", low=0, high=100)] = None
    used_pct: Annotated[float | None, Quantity(unit="%", vi="Tải", en="Utilisation", low=0, high=100)] = None


class DatabaseCalls(Payload, frozen=True, kw_only=True, array_like=True, tag="ndb.call.summary"):
    """Calls to one national database over the last ``period_s`` seconds. Health only, never records."""

    KIND: ClassVar[str] = "ndb.call.summary"
    ASSET_CLASS: ClassVar[str] = "ndb"

    calls_count: Annotated[int, Quantity(unit="lượt", vi="Lượt gọi", en="Calls", low=0, high=1_000_000_000)]
    errors_count: Annotated[int, Quantity(unit="lỗi", vi="Lỗi", en="Errors", low=0, high=1_000_000_000)] = 0
    p95_ms: Annotated[float | None, Quantity(unit="ms", vi="P95", en="P95", low=0, high=600_000)] = None
    period_s: Annotated[float, Quantity(unit="s", vi="Trong", en="Over", low=0, high=86_400)] = 60.0
