"""Vessels: positions, and what ports know of their trips."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar

from ioc.domain.kinds.payload import Payload
from ioc.domain.quantities import Quantity


class VesselPosition(Payload, frozen=True, kw_only=True, array_like=True, tag="vessel.position"):
    """One AIS position report (ITU-R M.1371). "Not available" codes are already None here."""

    KIND: ClassVar[str] = "vessel.position"
    ASSET_CLASS: ClassVar[str] = "vessel"

    sog_kn: Annotated[float | None, Quantity(unit="kn", vi="Tốc độ", en="Speed over ground", low=0, high=102.2)] = None
    cog_deg: Annotated[float | None, Quantity(unit="°", vi="Hướng đi", en="Course over ground", low=0, high=360)] = None
    heading_deg: Annotated[float | None, Quantity(unit="°", vi="Hướng mũi", en="Heading", low=0, high=359)] = None
    nav_status: int | None = None
    name: str | None = None
    pax_count: Annotated[int | None, Quantity(unit="người", vi="Hành khách", en="Passengers", low=0, high=10_000)] = (
        None
    )


class VesselDeparture(Payload, frozen=True, kw_only=True, array_like=True, tag="vessel.departure"):
    """A boat left a port on a trip."""

    KIND: ClassVar[str] = "vessel.departure"
    ASSET_CLASS: ClassVar[str] = "vessel"

    trip: str
    port: str
    route: str | None = None
    pax_count: Annotated[int | None, Quantity(unit="người", vi="Hành khách", en="Passengers", low=0, high=10_000)] = (
        None
    )
    crew_count: Annotated[int | None, Quantity(unit="người", vi="Thuyền viên", en="Crew", low=0, high=1_000)] = None
    due_at: datetime | None = None


class VesselArrival(Payload, frozen=True, kw_only=True, array_like=True, tag="vessel.arrival"):
    """A boat came in from a trip."""

    KIND: ClassVar[str] = "vessel.arrival"
    ASSET_CLASS: ClassVar[str] = "vessel"

    trip: str
    port: str
    pax_count: Annotated[int | None, Quantity(unit="người", vi="Hành khách", en="Passengers", low=0, high=10_000)] = (
        None
    )


class VesselManifest(Payload, frozen=True, kw_only=True, array_like=True, tag="vessel.manifest"):
    """The declared list of a trip, as numbers only: names and papers are dropped at parse."""

    KIND: ClassVar[str] = "vessel.manifest"
    ASSET_CLASS: ClassVar[str] = "vessel"

    trip: str
    port: str
    pax_count: Annotated[int, Quantity(unit="người", vi="Hành khách", en="Passengers", low=0, high=10_000)]
    crew_count: Annotated[int | None, Quantity(unit="người", vi="Thuyền viên", en="Crew", low=0, high=1_000)] = None
    children_count: Annotated[int | None, Quantity(unit="người", vi="Trẻ em", en="Children", low=0, high=10_000)] = None
    route: str | None = None


class VesselSos(Payload, frozen=True, kw_only=True, array_like=True, tag="vessel.sos"):
    """A call of distress; ``status`` is ``active``, ``resolved`` or ``false_alarm``."""

    KIND: ClassVar[str] = "vessel.sos"
    ASSET_CLASS: ClassVar[str] = "vessel"

    status: str
    cause: str | None = None
    pax_count: Annotated[int | None, Quantity(unit="người", vi="Người trên tàu", en="On board", low=0, high=10_000)] = (
        None
    )


class PortPermit(Payload, frozen=True, kw_only=True, array_like=True, tag="port.permit"):
    """A permit to leave a port; ``status`` is ``granted``, ``refused`` or ``revoked``."""

    KIND: ClassVar[str] = "port.permit"
    ASSET_CLASS: ClassVar[str] = "vessel"

    trip: str
    port: str
    status: str
    valid_from: datetime
    valid_until: datetime
    route: str | None = None
    most_pax_count: Annotated[
        int | None, Quantity(unit="người", vi="Số khách cho phép", en="Passengers allowed", low=0, high=10_000)
    ] = None
