"""A trip's declared list: it is there soon after the departure, and gives as many people as the port counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta

from alerts.announcement import Subject
from alerts.approaches import Approach, compare
from alerts.conditions.trips import FACTS, IN, TripEvaluator, TripState
from alerts.language.files import Table
from alerts.language.rule import Level, Rule
from alerts.memory.partition import PartitionMemory
from alerts.memory.series import Verdict
from alerts.world import World
from ioc.domain.events import Event
from ioc.domain.grounds import Part
from ioc.domain.kinds import Payload, VesselArrival, VesselDeparture, VesselManifest


@dataclass(frozen=True, slots=True, kw_only=True)
class TripManifest:
    """The first level when no list is there ``within`` a time of the departure, the second when its number of people is
    not that of the departure.
    """

    levels: tuple[Level, ...]
    within: timedelta
    kinds: tuple[type[Payload], ...] = (VesselDeparture, VesselManifest, VesselArrival)
    facts: frozenset[str] = field(default=FACTS)

    def bind(self, rule: Rule, index: int, world: World) -> ManifestEvaluator:
        """Make the evaluator."""
        return ManifestEvaluator(rule, index, world, self.within)


def read_trip_manifest(table: Table) -> TripManifest:
    """Read the keys of a manifest rule."""
    severities = (table.severity("severity"), table.severity("severity_of_mismatch"))
    levels = tuple(Level(severity=severity) for severity in severities)
    return TripManifest(levels=levels, within=table.duration("within"))


class ManifestEvaluator(TripEvaluator):
    """Judges a trip when something is told of it, and when the time for its list is over."""

    def on_event(self, memory: PartitionMemory, event: Event, zones: tuple[str, ...]) -> None:
        """Take a departure, a list or an arrival in."""
        data = event.data
        if not isinstance(data, VesselDeparture | VesselManifest | VesselArrival):
            return
        key = f"{event.asset_id}{IN}{data.trip}"
        if isinstance(data, VesselArrival):
            self._take_arrival(memory, key, event)
            return
        take = self._take_departure if isinstance(data, VesselDeparture) else self._take_list
        state = take(memory, key, event)
        if state is not None and state.departure is not None:
            self._judge(memory, key, state, event)

    def on_late(self, memory: PartitionMemory, event: Event) -> None:
        """Take in what another trip of the boat overtook, or shares its instant with: each trip knows its own order."""
        self.on_event(memory, event, ())

    def _judge(self, memory: PartitionMemory, key: str, state: TripState, event: Event) -> None:
        left = state.departure.data if state.departure is not None else None
        declared = state.manifest.data if state.manifest is not None else None
        if state.departure is None or not isinstance(left, VesselDeparture):
            return
        is_missing = declared is None and memory.clock >= state.departure.observed_at + self._within
        count = float(declared.pax_count) if isinstance(declared, VesselManifest) else None
        people = None if left.pax_count is None else float(left.pax_count)
        is_other = count is not None and people is not None and count != people
        verdicts = [
            Verdict(is_missing, not is_missing, people, None),
            Verdict(is_other, not is_other, people, count),
        ]
        self._say(memory, key, state, event, verdicts)

    def _subject(self, memory: PartitionMemory, key: str, state: TripState, event: Event) -> Subject:
        subject = super()._subject(memory, key, state, event)
        inputs = tuple(bytes(told.event_id) for told in (state.departure, state.manifest) if told is not None)
        return replace(
            subject,
            labels=(("asset", event.asset_id), ("trip", key.partition(IN)[2])),
            input_ids=inputs or subject.input_ids,
        )

    def approaches(self, memory: PartitionMemory, place: str, asset_id: str | None) -> Iterator[Approach]:
        """Say of a boat's trips for how long the list was missing, or whom it declares beside those that left."""
        name, _, _ = place.partition(IN)
        held = {
            key: state for key, state in memory.series[self.index].items() if f"{key}{IN}".startswith(f"{place}{IN}")
        }
        trips = [state for state in held.values() if isinstance(state, TripState) and state.departure is not None]
        if not trips:
            yield Approach(memory.clock, (Part("departed", False),), name, name)
        for trip in trips:
            yield Approach(memory.clock, (Part("departed", True), *self._compare(memory, trip)), name, name)

    def _parts(self, memory: PartitionMemory, state: TripState, event: Event) -> Iterator[Part]:
        return self._compare(memory, state)

    def _compare(self, memory: PartitionMemory, trip: TripState) -> Iterator[Part]:
        left = trip.departure.data if trip.departure is not None else None
        declared = trip.manifest.data if trip.manifest is not None else None
        if declared is None and trip.departure is not None:
            missing, minute = memory.clock - trip.departure.observed_at, timedelta(minutes=1)
            yield compare("list_missing_min", missing / minute, ">=", self._within / minute)
        elif isinstance(left, VesselDeparture) and isinstance(declared, VesselManifest):
            if left.pax_count is None:
                yield Part("people_counted", False)
            else:
                is_other = declared.pax_count != left.pax_count
                yield Part("declared_count", is_other, float(declared.pax_count), float(left.pax_count), "!=")
