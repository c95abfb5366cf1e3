"""Truck steps, queues, lanes and gates to events. Trips become keyed pseudonyms, plates go no further than here."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal

import msgspec

from connectors.feed import ParseContext
from connectors.pseudonym import to_pseudonym
from connectors.records import RecordReader
from connectors.values import AMBIGUOUS_MISSING, Measured, Measures, RefusedRecordError, check_instant, check_name
from ioc.domain.events import Event, Parsed
from ioc.domain.kinds import KINDS, BorderQueue, GateStatus, LaneStatus, TruckStep

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

_Lane = Annotated[str, msgspec.Meta(pattern=r"^[a-z]{0,3}[0-9]{1,2}$")]
_State = Literal["open", "closed"]
_Cause = Literal["works", "weather", "systems", "congestion", "order", "other"]
_FARTHEST_HOURS = timedelta(days=2)
"""Published hours are those of the day; a gate that opens later than tomorrow has a broken calendar."""

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


class WireLane(msgspec.Struct, kw_only=True):
    """A lane is open or closed; ``opens`` and ``closes`` are its published hours of the day."""

    type: Literal["lane"]
    gate: _Gate
    lane: _Lane
    status: _State
    time: _Instant
    colour: Literal["green", "yellow", "red"] | msgspec.UnsetType | None = msgspec.UNSET
    direction: Literal["export", "import"] | msgspec.UnsetType | None = msgspec.UNSET
    opens: _Instant | msgspec.UnsetType | None = msgspec.UNSET
    closes: _Instant | msgspec.UnsetType | None = msgspec.UNSET


class WireGate(msgspec.Struct, kw_only=True):
    """A gate is open or closed; ``reason`` is one of a few words, so that it can name nobody."""

    type: Literal["gate"]
    gate: _Gate
    status: _State
    time: _Instant
    opens: _Instant | msgspec.UnsetType | None = msgspec.UNSET
    closes: _Instant | msgspec.UnsetType | None = msgspec.UNSET
    reason: _Cause | msgspec.UnsetType | None = msgspec.UNSET


Wire = WireStep | WireQueue | WireLane | WireGate
READER: RecordReader[Wire] = RecordReader(
    {None: WireStep, "truck": WireStep, "queue": WireQueue, "lane": WireLane, "gate": WireGate}, quick=WireStep
)


def parse(payload: bytes, context: ParseContext) -> Parsed:
    """Parse a body of truck steps, queue lengths, lanes and gates.

    Raises:
        MalformedPayloadError: nothing in it can be read.
    """
    return READER.parse(payload, context, to_events)


def to_events(record: Wire, context: ParseContext) -> list[Event]:
    """Make the event of one record.

    Raises:
        RefusedRecordError: time, gate or a value cannot be true.
    """
    gate = check_name(record.gate, what="gate")
    observed_at = check_instant(record.time, context.latest_at)
    if isinstance(record, WireStep):
        return [_to_step(record, gate, observed_at, context)]
    if isinstance(record, WireQueue):
        return [context.make_event(_to_queue(record), asset_id=f"gate.{gate}", observed_at=observed_at)]
    opens_at, closes_at = _to_hours(record, context)
    if isinstance(record, WireGate):
        status = GateStatus(status=record.status, opens_at=opens_at, closes_at=closes_at, reason=record.reason or None)
        return [context.make_event(status, asset_id=f"gate.{gate}", observed_at=observed_at)]
    lane = LaneStatus(
        gate=gate,
        status=record.status,
        colour=record.colour or None,
        direction=record.direction or None,
        opens_at=opens_at,
        closes_at=closes_at,
    )
    return [
        context.make_event(
            lane, asset_id=f"lane.{gate}.{record.lane}", observed_at=observed_at, station_id=f"gate.{gate}"
        )
    ]


def _to_step(record: WireStep, gate: str, observed_at: datetime, context: ParseContext) -> Event:
    pseudonym = to_pseudonym(record.trip, context.pseudonym_key)
    truck = TruckStep(
        step=record.step,
        gate=gate,
        direction=record.direction,
        lane=record.lane or None,
        goods=record.goods or None,
        perishable=record.perishable is True,
        mass_t=_to_mass_t(record.mass_kg),
    )
    return context.make_event(
        truck,
        asset_id=f"truck.{pseudonym}",
        observed_at=observed_at,
        source_key=f"{pseudonym}/{record.step}",
        station_id=f"gate.{gate}",
    )


def _to_queue(record: WireQueue) -> BorderQueue:
    if record.perishable > record.vehicles:
        raise RefusedRecordError("perishable: more than vehicles")
    (oldest_min,), _ = _WAIT.convert((record.oldest_perishable_min,))
    return BorderQueue(
        vehicles_count=record.vehicles, perishable_count=record.perishable, perishable_oldest_min=oldest_min
    )


def _to_hours(record: WireLane | WireGate, context: ParseContext) -> tuple[datetime | None, datetime | None]:
    """Give the published hours; one without the other says nothing that could be judged."""
    if not record.opens or not record.closes:
        if record.opens or record.closes:
            raise RefusedRecordError("opens, closes: one without the other")
        return None, None
    latest_at = context.received_at + _FARTHEST_HOURS
    opens_at = check_instant(record.opens, latest_at, what="opens")
    closes_at = check_instant(record.closes, latest_at, what="closes")
    if closes_at <= opens_at:
        raise RefusedRecordError("closes: not after opens")
    return opens_at, closes_at


def _to_mass_t(mass_kg: Measured) -> float | None:
    if isinstance(mass_kg, float) and mass_kg > 0 and mass_kg != AMBIGUOUS_MISSING:
        mass_kg = mass_kg / _KG_PER_T
    (mass_t,), _ = _MASS.convert((mass_kg,))
    return mass_t
