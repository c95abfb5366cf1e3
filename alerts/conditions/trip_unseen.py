"""A boat that has left and shows no position: its transponder is off, or it is not where it is thought to be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from alerts.approaches import Approach, compare
from alerts.conditions.trips import FACTS, LONGEST_TRIP, TripEvaluator, TripState
from alerts.language.files import Table
from alerts.language.rule import Level, Rule
from alerts.memory.partition import BEGINNING, PartitionMemory
from alerts.memory.series import Verdict
from alerts.world import World
from ioc.domain.events import Event
from ioc.domain.grounds import Part
from ioc.domain.kinds import Payload, VesselArrival, VesselDeparture, VesselPosition


@dataclass(frozen=True, slots=True, kw_only=True)
class TripUnseen:
    """No position of the boat ``within`` a time of its departure, while others are heard."""

    levels: tuple[Level, ...]
    within: timedelta
    kinds: tuple[type[Payload], ...] = (VesselDeparture, VesselPosition, VesselArrival)
    facts: frozenset[str] = field(default=FACTS)

    def bind(self, rule: Rule, index: int, world: World) -> UnseenEvaluator:
        """Make the evaluator."""
        return UnseenEvaluator(rule, index, world, self.within)


def read_trip_unseen(table: Table) -> TripUnseen:
    """Read the keys of a rule about departures without a position."""
    return TripUnseen(levels=(Level(severity=table.severity("severity")),), within=table.duration("within"))


_HEARD = "heard"
"""When any boat at all was heard last."""


class UnseenEvaluator(TripEvaluator):
    """Keeps a departure until the boat shows itself or arrives: the many positions of others cost a look-up each."""

    looks_up_newest = True
    looks_up_at = frozenset({VesselDeparture})

    def on_event(self, memory: PartitionMemory, event: Event, zones: tuple[str, ...]) -> None:
        """Take a departure in; let it go at the boat's first position after it."""
        key = event.asset_id
        if isinstance(event.data, VesselPosition):
            memory.noted[self.index][_HEARD] = event.received_at
        if isinstance(event.data, VesselPosition | VesselArrival):
            state = memory.series[self.index].get(key)
            # The arrival of an earlier trip may be told behind a departure.
            if isinstance(state, TripState) and self._is_seen(state, event):
                self._end(memory, key, state, event)
            return
        known = memory.readings("", VesselPosition).get(key)
        state = self._take_departure(memory, key, event)
        if state is not None and known is not None and self._is_seen(state, known):
            self._end(memory, key, state, known)

    def resume(self, memory: PartitionMemory) -> None:
        """Set the timers again, and remember when the receiver was heard last."""
        super().resume(memory)
        heard = [event.received_at for event in memory.readings("", VesselPosition).values()]
        if heard:
            memory.noted[self.index][_HEARD] = max(heard)

    def on_timer(self, memory: PartitionMemory, key: str, due: datetime) -> None:
        """Judge a departure, unless no boat at all is heard: then the receiver is silent, and later is soon enough."""
        state = memory.series[self.index].get(key)
        if isinstance(state, TripState) and state.departure is not None and not state.is_open:
            passed = due - state.departure.observed_at
            if passed % self._within and passed < LONGEST_TRIP:
                return  # the timer of a departure that was told again with another time
            if memory.noted[self.index].get(_HEARD, BEGINNING) < due - self._within:
                memory.wake_at(due + self._within, self.index, key)
                return
        super().on_timer(memory, key, due)

    def _next_look_at(self, memory: PartitionMemory, departure: Event) -> datetime:
        """Give the next of the instants that lie every so often behind a departure, also of one that was told late.

        They are the same with a restart and without.
        """
        turns = max(0, (memory.clock - departure.observed_at) // self._within) + 1
        return departure.observed_at + turns * self._within

    def _is_seen(self, state: TripState, position: Event) -> bool:
        return state.departure is not None and position.observed_at >= state.departure.observed_at

    def _judge(self, memory: PartitionMemory, key: str, state: TripState, event: Event) -> None:
        minutes = (memory.clock - event.observed_at) / timedelta(minutes=1)
        limit = self._within / timedelta(minutes=1)
        self._say(memory, key, state, event, [Verdict(True, False, minutes, limit)])

    def approaches(self, memory: PartitionMemory, place: str, asset_id: str | None) -> Iterator[Approach]:
        """Say of a boat that has left for how long it has shown no position."""
        state = memory.series[self.index].get(place)
        departure = state.departure if isinstance(state, TripState) else None
        if departure is None:
            yield Approach(memory.clock, (Part("departed", False),), place, place)
        elif asset_id in {None, place}:
            parts = (Part("departed", True), self._compare(departure, memory.clock))
            yield Approach(memory.clock, parts, place, place)

    def _parts(self, memory: PartitionMemory, state: TripState, event: Event) -> Iterator[Part]:
        yield Part("unseen", not isinstance(event.data, VesselPosition))
        if state.departure is not None:
            yield self._compare(state.departure, memory.clock)

    def _compare(self, departure: Event, at: datetime) -> Part:
        minute = timedelta(minutes=1)
        return compare("unseen_min", (at - departure.observed_at) / minute, ">=", self._within / minute)
