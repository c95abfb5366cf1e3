"""The registry of event kinds: the one place to add a kind.

A kind is a payload class in the module of its family, listed in ``PAYLOADS``. Codec, tables, binary COPY, history API
and its schemas all follow from the class: field order is the order on the log and of the columns, ``Quantity``
annotations give unit, range and names. New fields go to the end with a default, so that old records stay readable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, Union

from ioc.domain.kinds.border import BorderQueue, EgateCount, GateStatus, LaneStatus, PassengerCount, TruckStep
from ioc.domain.kinds.cameras import CameraEvent, CameraStatus
from ioc.domain.kinds.energy import Feeder, LightStatus, Outage
from ioc.domain.kinds.environment import AirReading, Rain, StationStatus, Tide, WaterLevel
from ioc.domain.kinds.general import Observation
from ioc.domain.kinds.networks import CyberAlert, DatabaseCalls, NetLink
from ioc.domain.kinds.payload import Field, Kind, Payload
from ioc.domain.kinds.registers import Directive, IndicatorValue, Milestone, TrainingSession, UnitReport
from ioc.domain.kinds.services import CasePayment, CaseRating, CaseStep, CitizenReport
from ioc.domain.kinds.tourism import Crowd, Feedback, GateCount, Stay, TicketSale
from ioc.domain.kinds.traffic import PlateRead, TrafficFlow, TrafficIncident, VehiclePosition
from ioc.domain.kinds.vessels import (
    PortPermit,
    VesselArrival,
    VesselDeparture,
    VesselManifest,
    VesselPosition,
    VesselSos,
)
from ioc.domain.kinds.weather import NowcastCell, WeatherObservation, WeatherWarning

PAYLOADS: tuple[type[Payload], ...] = (
    AirReading,
    StationStatus,
    WaterLevel,
    Rain,
    Tide,
    WeatherObservation,
    WeatherWarning,
    NowcastCell,
    TrafficFlow,
    TrafficIncident,
    PlateRead,
    VehiclePosition,
    Feeder,
    Outage,
    LightStatus,
    VesselPosition,
    VesselDeparture,
    VesselArrival,
    VesselManifest,
    VesselSos,
    PortPermit,
    Crowd,
    GateCount,
    TicketSale,
    Stay,
    Feedback,
    TruckStep,
    BorderQueue,
    LaneStatus,
    GateStatus,
    PassengerCount,
    EgateCount,
    CaseStep,
    CasePayment,
    CaseRating,
    CitizenReport,
    CameraEvent,
    CameraStatus,
    CyberAlert,
    NetLink,
    DatabaseCalls,
    UnitReport,
    Directive,
    IndicatorValue,
    TrainingSession,
    Milestone,
    Observation,
)

if TYPE_CHECKING:
    AnyPayload: TypeAlias = Payload
else:
    AnyPayload = Union[PAYLOADS]  # noqa: UP007  made from the list, so that it cannot differ from it
    """The tagged union of all payloads, which msgspec decodes in one step."""

KINDS: dict[str, Kind] = {payload.KIND: Kind(payload) for payload in PAYLOADS}
"""Every kind by name, in the order of ``PAYLOADS``."""

__all__ = [
    "KINDS",
    "PAYLOADS",
    "AirReading",
    "AnyPayload",
    "BorderQueue",
    "CameraEvent",
    "CameraStatus",
    "CasePayment",
    "CaseRating",
    "CaseStep",
    "CitizenReport",
    "Crowd",
    "CyberAlert",
    "DatabaseCalls",
    "Directive",
    "EgateCount",
    "Feedback",
    "Feeder",
    "Field",
    "GateCount",
    "GateStatus",
    "IndicatorValue",
    "Kind",
    "LaneStatus",
    "LightStatus",
    "Milestone",
    "NetLink",
    "NowcastCell",
    "Observation",
    "Outage",
    "PassengerCount",
    "Payload",
    "PlateRead",
    "PortPermit",
    "Rain",
    "StationStatus",
    "Stay",
    "TicketSale",
    "Tide",
    "TrafficFlow",
    "TrafficIncident",
    "TrainingSession",
    "TruckStep",
    "UnitReport",
    "VehiclePosition",
    "VesselArrival",
    "VesselDeparture",
    "VesselManifest",
    "VesselPosition",
    "VesselSos",
    "WaterLevel",
    "WeatherObservation",
    "WeatherWarning",
]
