"""The registry of event kinds: the one place to add a kind.

A kind is a payload class here, listed in ``PAYLOADS``. Codec, tables, binary COPY, history API and its schemas all
follow from the class: field order is the order on the log and of the columns, ``Quantity`` annotations give unit,
range and names. New fields go to the end with a default, so that old records stay readable.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from types import NoneType, UnionType
from typing import Annotated, ClassVar, Union, get_args, get_origin, get_type_hints

import msgspec

from ioc.domain.quantities import Quantity


class Payload(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The measured or reported part of an event; its envelope is ``ioc.domain.events.Event``."""

    KIND: ClassVar[str] = ""
    ASSET_CLASS: ClassVar[str] = ""


class AirReading(Payload, frozen=True, kw_only=True, array_like=True, tag="env.air.reading"):
    """One reading of an automatic air station; concentrations as means over the station's own period."""

    KIND: ClassVar[str] = "env.air.reading"
    ASSET_CLASS: ClassVar[str] = "sensor"

    pm25_ug_m3: Annotated[float | None, Quantity(unit="µg/m³", vi="Bụi PM2,5", en="PM2.5", low=0, high=2_000)] = None
    pm10_ug_m3: Annotated[float | None, Quantity(unit="µg/m³", vi="Bụi PM10", en="PM10", low=0, high=5_000)] = None
    so2_ug_m3: Annotated[float | None, Quantity(unit="µg/m³", vi="SO₂", en="SO₂", low=0, high=10_000)] = None
    no2_ug_m3: Annotated[float | None, Quantity(unit="µg/m³", vi="NO₂", en="NO₂", low=0, high=10_000)] = None
    o3_ug_m3: Annotated[float | None, Quantity(unit="µg/m³", vi="O₃", en="O₃", low=0, high=5_000)] = None
    co_ug_m3: Annotated[float | None, Quantity(unit="µg/m³", vi="CO", en="CO", low=0, high=200_000)] = None
    temp_celsius: Annotated[float | None, Quantity(unit="°C", vi="Nhiệt độ", en="Temperature", low=-40, high=60)] = None
    rh_pct: Annotated[float | None, Quantity(unit="%", vi="Độ ẩm", en="Relative humidity", low=0, high=100)] = None


class WeatherObservation(Payload, frozen=True, kw_only=True, array_like=True, tag="met.obs"):
    """One observation of a weather station (WMO surface observation)."""

    KIND: ClassVar[str] = "met.obs"
    ASSET_CLASS: ClassVar[str] = "sensor"

    wind_m_s: Annotated[float | None, Quantity(unit="m/s", vi="Gió", en="Wind", low=0, high=120)] = None
    gust_m_s: Annotated[float | None, Quantity(unit="m/s", vi="Gió giật", en="Gust", low=0, high=150)] = None
    wind_dir_deg: Annotated[float | None, Quantity(unit="°", vi="Hướng gió", en="Wind direction", low=0, high=360)] = (
        None
    )
    visibility_m: Annotated[float | None, Quantity(unit="m", vi="Tầm nhìn", en="Visibility", low=0, high=160_000)] = (
        None
    )
    temp_celsius: Annotated[float | None, Quantity(unit="°C", vi="Nhiệt độ", en="Temperature", low=-40, high=60)] = None
    rh_pct: Annotated[float | None, Quantity(unit="%", vi="Độ ẩm", en="Relative humidity", low=0, high=100)] = None
    pressure_hpa: Annotated[float | None, Quantity(unit="hPa", vi="Khí áp", en="Pressure", low=800, high=1_100)] = None
    rain_1h_mm: Annotated[float | None, Quantity(unit="mm", vi="Mưa 1 giờ", en="Rain 1 h", low=0, high=500)] = None


class WeatherWarning(Payload, frozen=True, kw_only=True, array_like=True, tag="met.warning"):
    """A warning of the meteorological service for one area (fields after CAP 1.2 ``info``).

    The asset is the area (``area.<zone id>``); ``status`` is ``actual`` or ``cancel``.
    """

    KIND: ClassVar[str] = "met.warning"
    ASSET_CLASS: ClassVar[str] = "warning"

    warning_key: str
    hazard: str
    severity: str
    zone_id: str
    status: str
    onset_at: datetime
    expires_at: datetime
    headline_vi: str = ""
    headline_en: str = ""


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


class UnitReport(Payload, frozen=True, kw_only=True, array_like=True, tag="unit.report"):
    """The daily report of a commune-level unit: a register entry, due at 17:00 province time."""

    KIND: ClassVar[str] = "unit.report"
    ASSET_CLASS: ClassVar[str] = "unit"

    report_on: date
    status: str
    due_at: datetime
    items_count: Annotated[int | None, Quantity(unit="mục", vi="Số mục", en="Items", low=0, high=100_000)] = None


class Observation(Payload, frozen=True, kw_only=True, array_like=True, tag="observation"):
    """A reading of a quantity that has no kind of its own (OGC Observations: observed property and result)."""

    KIND: ClassVar[str] = "observation"
    ASSET_CLASS: ClassVar[str] = "sensor"

    quantity: str
    value: float


PAYLOADS: tuple[type[Payload], ...] = (
    AirReading,
    WeatherObservation,
    WeatherWarning,
    VesselPosition,
    TruckStep,
    BorderQueue,
    Crowd,
    GateCount,
    UnitReport,
    Observation,
)
AnyPayload = Union[  # noqa: UP007  a tagged union that msgspec decodes in one step; must list what PAYLOADS lists
    AirReading,
    WeatherObservation,
    WeatherWarning,
    VesselPosition,
    TruckStep,
    BorderQueue,
    Crowd,
    GateCount,
    UnitReport,
    Observation,
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a kind: its Python type, whether it may be missing, and its quantity when it is a measurement."""

    name: str
    type: type
    optional: bool
    quantity: Quantity | None


class Kind:
    """A kind of event with everything that codec, store and API need to know about it."""

    def __init__(self, payload: type[Payload]) -> None:
        self.payload = payload
        self.name = payload.KIND
        self.table = payload.KIND.replace(".", "_")
        self.asset_class = payload.ASSET_CLASS

    def __repr__(self) -> str:
        return f"Kind({self.name!r})"

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """All fields in column order."""
        hints = get_type_hints(self.payload, include_extras=True)
        return tuple(_describe_field(name, hints[name]) for name in self.payload.__struct_fields__)

    @cached_property
    def quantities(self) -> dict[str, Quantity]:
        """The measured fields by name: what history, rollups and rules may ask for."""
        return {field.name: field.quantity for field in self.fields if field.quantity is not None}

    def find_fault(self, payload: Payload) -> str | None:
        """Say which value is not finite or out of its instrument's range, or None when all are sound."""
        for name, quantity in self.quantities.items():
            value = getattr(payload, name)
            if value is not None and (fault := quantity.find_fault(value)) is not None:
                return f"{name}: {fault}"
        return None


def _describe_field(name: str, hint: object) -> Field:
    quantity = None
    if get_origin(hint) is Annotated:
        hint, *notes = get_args(hint)
        quantity = next((note for note in notes if isinstance(note, Quantity)), None)
    optional = False
    if isinstance(hint, UnionType):
        members = [member for member in get_args(hint) if member is not NoneType]
        optional, hint = len(members) < len(get_args(hint)), members[0]
    if not isinstance(hint, type):
        raise TypeError(f"field {name} has a type that no column can hold: {hint!r}")
    return Field(name=name, type=hint, optional=optional, quantity=quantity)


KINDS: dict[str, Kind] = {payload.KIND: Kind(payload) for payload in PAYLOADS}
"""Every kind by name, in the order of ``PAYLOADS``."""
