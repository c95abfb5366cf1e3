"""Truck steps and queues to events. Trips become keyed pseudonyms here, plates go no further than this module."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from connectors.feed import ParseContext
from connectors.pseudonym import to_pseudonym
from connectors.records import RecordReader
from connectors.values import AMBIGUOUS_MISSING, Measured, Measures, RefusedRecordError, check_instant, check_name
from ioc.domain.events import Event, Parsed
from ioc.domain.kinds import KINDS, BorderQueue, TruckStep

_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_Gate = Annotated[str, msgspec.Meta(max_length=64)]
_Word = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
_Vehicles = Annotated[int, msgspec.Meta(ge=0, le=10_000)]
Step = Literal[
    "declare",
    "slot",
    "arrive_yard",
    "anpr_gate",
    "weigh",
    "quarantine",
    "customs_lane",
    "scan",
    "handover",
    "cross",
    "exit",
]

_MASS = Measures(KINDS[TruckStep.KIND], ("mass_t",))
_WAIT = Measures(KINDS[BorderQueue.KIND], ("perishable_oldest_min",))
_KG_PER_T = 1_000.0


class WireStep(msgspec.Struct, kw_only=True, gc=False):
    """A trip reached a step. ``plate`` is listed so that it is known, and dropped."""

    trip: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    gate: _Gate
    direction: Literal["export", "import"]
    step: Step
    time: _Instant
    type: Literal["truck"] | msgspec.UnsetType = msgspec.UNSET
    plate: str | msgspec.UnsetType | None = msgspec.UNSET
    lane: Literal["green", "yellow", "red"] | msgspec.UnsetType | None = msgspec.UNSET
    goods: _Word | msgspec.UnsetType | None = msgspec.UNSET
    perishable: bool | msgspec.UnsetType = msgspec.UNSET
    mass_kg: Measured = msgspec.UNSET


class WireQueue(msgspec.Struct, kw_only=True):
    """How many wait before a gate."""

    type: Literal["queue"]
    gate: _Gate
    vehicles: _Vehicles
    time: _Instant
    perishable: _Vehicles = 0
    oldest_perishable_min: Measured = msgspec.UNSET


WIRE_KEYS = frozenset(WireStep.__struct_fields__) | frozenset(WireQueue.__struct_fields__)
READER: RecordReader[WireStep | WireQueue] = RecordReader(
    {None: WireStep, "truck": WireStep, "queue": WireQueue}, quick=WireStep
)


def parse(payload: bytes, context: ParseContext) -> Parsed:
    """Parse a body of truck steps and queue lengths.

    Raises:
        MalformedPayloadError: nothing in it can be read.
    """
    return READER.parse(payload, context, to_events)


def to_events(record: WireStep | WireQueue, context: ParseContext) -> list[Event]:
    """Make the event of one record.

    Raises:
        RefusedRecordError: time, gate or a value cannot be true.
    """
    gate = check_name(record.gate, what="gate")
    observed_at = check_instant(record.time, context.latest_at)
    if isinstance(record, WireQueue):
        if record.perishable > record.vehicles:
            raise RefusedRecordError("perishable: more than vehicles")
        (oldest_min,), _ = _WAIT.convert((record.oldest_perishable_min,))
        queue = BorderQueue(
            vehicles_count=record.vehicles, perishable_count=record.perishable, perishable_oldest_min=oldest_min
        )
        return [context.make_event(queue, asset_id=f"gate.{gate}", observed_at=observed_at)]
    truck = TruckStep(
        step=record.step,
        gate=gate,
        direction=record.direction,
        lane=record.lane or None,
        goods=record.goods or None,
        perishable=record.perishable is True,
        mass_t=_to_mass_t(record.mass_kg),
    )
    pseudonym = to_pseudonym(record.trip, context.pseudonym_key)
    return [
        context.make_event(
            truck,
            asset_id=f"truck.{pseudonym}",
            observed_at=observed_at,
            source_key=f"{pseudonym}/{record.step}",
            station_id=f"gate.{gate}",
        )
    ]


def _to_mass_t(mass_kg: Measured) -> float | None:
    if isinstance(mass_kg, float) and mass_kg > 0 and mass_kg != AMBIGUOUS_MISSING:
        mass_kg = mass_kg / _KG_PER_T
    (mass_t,), _ = _MASS.convert((mass_kg,))
    return mass_t
