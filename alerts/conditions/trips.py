"""What rules about trips of boats share: departures after which something should follow, until the boat arrives.

Departure, list, positions and arrival are events of one boat, so they meet where its own events are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from alerts.announcement import Subject, asset_subject
from alerts.conditions.reported import ReportedEvaluator
from alerts.language.rule import Rule
from alerts.memory.partition import PartitionMemory
from alerts.memory.series import Series, Verdict
from alerts.world import World
from ioc.domain.events import Event
from ioc.domain.grounds import Part
from ioc.domain.kinds import VesselArrival, VesselDeparture, VesselManifest

LONGEST_TRIP = timedelta(days=4)
"""Cruises last three days; a trip of which no arrival is told is forgotten after four."""
IN = "\x1f"
FACTS = frozenset({"trip", "port", "minutes", "departed", "declared"})


class TripState(Series, kw_only=True, omit_defaults=True):
    """A trip: its departure and its list, as far as they are known.

    ``arrival`` is set of one that is over, until nothing of it counts any more that is told late or twice.
    """

    departure: Event | None = None
    manifest: Event | None = None
    arrival: Event | None = None

    @property
    def told(self) -> Event | None:
        """What it is known by."""
        return self.departure or self.manifest or self.arrival

    @property
    def heard_until(self) -> datetime | None:
        """The arrival of the last that it knows of."""
        known = (self.departure, self.manifest, self.arrival)
        return max((event.received_at for event in known if event is not None), default=None)


class TripEvaluator(ReportedEvaluator):
    """Keeps trips from the first that is told of them to their arrival."""

    state_type = TripState

    def __init__(self, rule: Rule, index: int, world: World, within: timedelta) -> None:
        super().__init__(rule, index, world)
        self._within = within

    def new_series(self) -> TripState:
        """Make the state of a trip."""
        return TripState(shape=self.rule.condition_name)

    def resume(self, memory: PartitionMemory) -> None:
        """Set the timers of the trips that were under way before a restart."""
        for key, state in memory.series[self.index].items():
            if isinstance(state, TripState):
                self._wake(memory, key, state)

    def on_timer(self, memory: PartitionMemory, key: str, due: datetime) -> None:
        """Judge a trip when its time to be complete is over; forget one of which no arrival was told."""
        state = memory.series[self.index].get(key)
        if not isinstance(state, TripState) or (told := state.told) is None:
            return
        if self._forgotten_at(state, told) <= due:
            self._end(memory, key, state, told)
        elif state.departure is not None and self._is_judged_at(state, state.departure.observed_at + self._within, due):
            self._judge(memory, key, state, state.departure)

    def _is_judged_at(self, state: TripState, complete_by: datetime, due: datetime) -> bool:
        """Say whether a timer is the trip's own: the one of missing data, which every open alert has, says nothing."""
        return due == complete_by or (due > complete_by and not state.is_open)

    def _forgotten_at(self, state: TripState, told: Event) -> datetime:
        """Give when nothing counts any more of what may still be told: a departure that is late begins no trip."""
        return told.observed_at + (self.rule.lateness if told is state.arrival else LONGEST_TRIP)

    def _take_departure(self, memory: PartitionMemory, key: str, event: Event) -> TripState | None:
        """Take a departure in; None where it is too late, over, or no newer than the one that is known."""
        held = self._held(memory, key)
        if event.received_at - event.observed_at > self.rule.lateness or (
            held is not None and not _is_news(event, held.departure, held.arrival)
        ):
            return None
        state = self._trip(memory, key)
        state.departure = event
        self._wake(memory, key, state)
        return state

    def _take_list(self, memory: PartitionMemory, key: str, event: Event) -> TripState | None:
        """Take a list in; None where its trip is over, or it is no newer than the one that is known."""
        held = self._held(memory, key)
        if held is not None and not _is_news(event, held.manifest, held.arrival):
            return None
        state = self._trip(memory, key)
        state.manifest = event
        self._wake(memory, key, state)
        return state

    def _take_arrival(self, memory: PartitionMemory, key: str, event: Event) -> None:
        """End a trip, and remember for a while that it is over."""
        state = self._held(memory, key)
        if state is not None:
            if not _is_news(event, state.departure, state.arrival):
                return
            self._end(memory, key, state, event)
        if event.observed_at + self.rule.lateness > memory.clock:
            over = self._trip(memory, key)
            over.arrival = event
            self._wake(memory, key, over)

    def _held(self, memory: PartitionMemory, key: str) -> TripState | None:
        state = memory.series[self.index].get(key)
        return state if isinstance(state, TripState) else None

    def _trip(self, memory: PartitionMemory, key: str) -> TripState:
        state = self._held(memory, key)
        if state is None:
            state = memory.series[self.index][key] = self.new_series()
        memory.dirty.add((self.index, key))
        return state

    def _wake(self, memory: PartitionMemory, key: str, state: TripState) -> None:
        if state.departure is not None and (due := self._next_look_at(memory, state.departure)) > memory.clock:
            memory.wake_at(due, self.index, key)
        if (told := state.told) is not None:
            memory.wake_at(max(memory.clock, self._forgotten_at(state, told)), self.index, key)

    def _next_look_at(self, memory: PartitionMemory, departure: Event) -> datetime:
        """Give when a trip is looked at though nothing is told of it: past is never."""
        return departure.observed_at + self._within

    def _end(self, memory: PartitionMemory, key: str, state: TripState, event: Event) -> None:
        self.end_and_forget(memory, key, self._subject(memory, key, state, event))

    def _say(
        self, memory: PartitionMemory, key: str, state: TripState, event: Event, verdicts: Sequence[Verdict]
    ) -> None:
        if state.is_open or any(verdict.holds for verdict in verdicts):
            self.judge_report(memory, key, self._subject(memory, key, state, event), verdicts)

    def _judge(self, memory: PartitionMemory, key: str, state: TripState, event: Event) -> None:
        """Judge a trip that has departed."""
        raise NotImplementedError

    def _subject(self, memory: PartitionMemory, key: str, state: TripState, event: Event) -> Subject:
        facts: dict[str, str | float] = {"trip": key.partition(IN)[2] or "–"}
        if state.departure is not None and isinstance(left := state.departure.data, VesselDeparture):
            facts |= {
                "trip": left.trip,
                "port": left.port,
                "minutes": float((memory.clock - state.departure.observed_at) // timedelta(minutes=1)),
            }
            if left.pax_count is not None:
                facts["departed"] = float(left.pax_count)
        if state.manifest is not None and isinstance(declared := state.manifest.data, VesselManifest):
            facts["declared"] = float(declared.pax_count)
        return replace(asset_subject(self.world, event, None, **facts), asked=partial(self._ask, memory, state, event))

    def _ask(self, memory: PartitionMemory, state: TripState, event: Event) -> Iterator[Part]:
        """Say what the rule asks for of a trip that is under way, and what of it is met."""
        yield Part("departed", state.departure is not None)
        yield Part("arrived_not", not isinstance(event.data, VesselArrival))
        if state.departure is not None:
            yield from self._parts(memory, state, event)

    def _parts(self, memory: PartitionMemory, state: TripState, event: Event) -> Iterator[Part]:
        """Say what of the rule's own is met of a trip that has departed."""
        raise NotImplementedError


def _is_news(event: Event, *known: Event | None) -> bool:
    """Say whether something is newer than all that is known of its trip: otherwise it is a repetition, or overtaken."""
    return all(one is None or event.observed_at > one.observed_at for one in known)
