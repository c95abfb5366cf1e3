"""Roads: flows, incidents and plate readers."""

from __future__ import annotations

from typing import Annotated, ClassVar

from ioc.domain.kinds.payload import Payload
from ioc.domain.quantities import Quantity


class TrafficFlow(Payload, frozen=True, kw_only=True, array_like=True, tag="traffic.flow"):
    """Vehicles past a counter over the last ``period_s`` seconds (after Smart Data Models TrafficFlowObserved)."""

    KIND: ClassVar[str] = "traffic.flow"
    ASSET_CLASS: ClassVar[str] = "road"

    vehicles_count: Annotated[int | None, Quantity(unit="xe", vi="Số xe", en="Vehicles", low=0, high=100_000)] = None
    speed_km_h: Annotated[float | None, Quantity(unit="km/h", vi="Tốc độ", en="Speed", low=0, high=250)] = None
    occupancy_pct: Annotated[float | None, Quantity(unit="%", vi="Chiếm dụng", en="Occupancy", low=0, high=100)] = None
    period_s: Annotated[float | None, Quantity(unit="s", vi="Trong", en="Over", low=0, high=86_400)] = None
    direction: str | None = None


class TrafficIncident(Payload, frozen=True, kw_only=True, array_like=True, tag="traffic.incident"):
    """An incident on a road; ``status`` is ``open`` or ``closed``."""

    KIND: ClassVar[str] = "traffic.incident"
    ASSET_CLASS: ClassVar[str] = "incident"

    category: str
    severity: str
    status: str
    road: str | None = None
    lanes_closed_count: Annotated[
        int | None, Quantity(unit="làn", vi="Làn đóng", en="Lanes closed", low=0, high=20)
    ] = None


class PlateRead(Payload, frozen=True, kw_only=True, array_like=True, tag="traffic.anpr"):
    """A vehicle passed a plate reader. The plate is a keyed pseudonym before it gets here."""

    KIND: ClassVar[str] = "traffic.anpr"
    ASSET_CLASS: ClassVar[str] = "camera"

    plate_hash: str
    vehicle_class: str | None = None
    direction: str | None = None
    speed_km_h: Annotated[float | None, Quantity(unit="km/h", vi="Tốc độ", en="Speed", low=0, high=250)] = None


class VehiclePosition(Payload, frozen=True, kw_only=True, array_like=True, tag="vehicle.position"):
    """Where a vehicle of public transport or a service fleet is (after GTFS-realtime VehiclePosition)."""

    KIND: ClassVar[str] = "vehicle.position"
    ASSET_CLASS: ClassVar[str] = "vehicle"

    speed_km_h: Annotated[float | None, Quantity(unit="km/h", vi="Tốc độ", en="Speed", low=0, high=250)] = None
    bearing_deg: Annotated[float | None, Quantity(unit="°", vi="Hướng", en="Bearing", low=0, high=360)] = None
    route: str | None = None
    trip: str | None = None
    status: str | None = None
    occupancy_pct: Annotated[float | None, Quantity(unit="%", vi="Chỗ đã dùng", en="Occupancy", low=0, high=200)] = None
