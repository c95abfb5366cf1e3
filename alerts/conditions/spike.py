"""Spike: a reading far from what its station has just reported, which no station nearby shows as well.

Where a station's own readings are (partitions of ``events``) a leap is noticed; where leaps of one quantity in one
direction meet (partitions of ``signals``) it is judged, a short while later: what neighbours show together is weather
or smoke, what one shows alone is suspect.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from alerts.announcement import Announcer, asset_subject, plain_decision
from alerts.approaches import Approach
from alerts.conditions.leaps import IN, LeapFinder, Leaping, read_scope
from alerts.conditions.watched import Watched, kinds_of, names_of, read_watched
from alerts.language.files import Table
from alerts.language.rule import Level, Rule
from alerts.memory.partition import PartitionMemory
from alerts.memory.series import Series
from alerts.world import World
from geo.distance import distance_m
from ioc.domain.alerts import ChangeType, ConditionState
from ioc.domain.events import Event
from ioc.domain.grounds import Part
from ioc.domain.kinds import Payload
from ioc.domain.quantities import Quality

_MOST_READINGS = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class Spike:
    """More than ``mads`` median absolute deviations, and more than the quantity's own least, from the median of the
    last ``of`` readings; ``enough`` of them must be there. Neighbours are stations within ``near_km``.
    """

    kinds: tuple[type[Payload], ...]
    levels: tuple[Level, ...]
    watched: Watched[float]
    mads: float
    of: int
    enough: int
    near_km: float
    settle: timedelta
    facts: frozenset[str] = field(default=frozenset({"what_vi", "what_en"}))

    def bind(self, rule: Rule, index: int, world: World) -> SpikeEvaluator:
        """Make the evaluator."""
        return SpikeEvaluator(rule, index, world, self)


def read_spike(table: Table) -> Spike:
    """Read the keys of a spike rule."""
    watched = read_watched(table, lambda how: how.number("least"))
    of, enough = int(table.number("of", 30)), int(table.number("enough", 12))
    if not 3 <= enough <= of <= _MOST_READINGS:
        table.fault(f"enough, of: 3 <= enough <= of <= {_MOST_READINGS}")
    return Spike(
        kinds=kinds_of(watched),
        watched=watched,
        levels=(Level(severity=table.severity("severity")),),
        mads=table.number("mads", 5.0),
        of=of,
        enough=enough,
        near_km=table.number("near_km"),
        settle=table.duration("settle", timedelta(minutes=10)),
    )


class Leap(Series, kw_only=True, omit_defaults=True, tag_field="is", tag="leap"):
    """Where leaps meet: what leapt or stirred, whether it was judged, the reading with which it came back."""

    event: Event | None = None
    back: Event | None = None
    clears_at: datetime | None = None
    is_judged: bool = False

    @property
    def heard_until(self) -> datetime | None:
        """The arrival of the last that it knows of."""
        return None if self.event is None else self.event.received_at


class SpikeEvaluator:
    """Notices leaps per station, judges them among neighbours."""

    uses_zones = False
    looks_back = True
    state_type = Leaping | Leap

    def __init__(self, rule: Rule, index: int, world: World, condition: Spike) -> None:
        self.rule, self._index, self._world, self._condition = rule, index, world, condition
        self._announcer = Announcer(rule, index, world)
        self._severity = condition.levels[0].severity
        self._finder = LeapFinder(
            rule, index, condition.watched, mads=condition.mads, of=condition.of, enough=condition.enough
        )

    def on_event(self, memory: PartitionMemory, event: Event, zones: tuple[str, ...]) -> None:
        """Take a reading in where the station's own are."""
        self._finder.take(memory, event)

    def restore_part(self, memory: PartitionMemory, key: str, part: int, kept: bytes) -> bool:
        """Take back a part of a station's readings; False when it is of other quantities."""
        return self._finder.restore_part(memory, key, part, kept)

    # Where leaps of one quantity in one direction meet

    def on_signal(self, memory: PartitionMemory, scope: str, event: Event) -> None:
        """Take note of a leap or of its end; what neighbours show may change with either."""
        if read_scope(scope) is None:
            return
        key = f"{scope}{IN}{event.asset_id}"
        leap = memory.series[self._index].get(key)
        newest = None if not isinstance(leap, Leap) else leap.back or leap.event
        if newest is not None and event.observed_at <= newest.observed_at:
            return
        if event.quality != Quality.GOOD:
            if not isinstance(leap, Leap):
                leap = memory.series[self._index][key] = Leap(shape=self.rule.condition_name)
            # A stir is never suspect: it only confirms.
            is_stir = event.quality == Quality.UNCERTAIN
            leap.event, leap.back, leap.clears_at, leap.is_judged = event, None, None, is_stir
            memory.wake_at(memory.clock + self._condition.settle, self._index, key)
            self._settle_neighbours(memory, key, leap)
        elif isinstance(leap, Leap):
            leap.back, leap.clears_at = event, memory.clock + max(self.rule.keep_firing_for, self._condition.settle)
            memory.wake_at(leap.clears_at, self._index, key)
        else:
            return
        memory.dirty.add((self._index, key))

    def on_timer(self, memory: PartitionMemory, key: str, due: datetime) -> None:
        """Judge a leap that neighbours have had time to show, or end one that is over."""
        leap = memory.series[self._index].get(key)
        if not isinstance(leap, Leap) or leap.event is None:
            return
        if leap.clears_at is not None and leap.clears_at <= memory.clock:
            self._end(memory, key, leap)
            return
        if leap.is_judged or leap.event.received_at + self._condition.settle > memory.clock:
            return
        leap.is_judged = True
        memory.dirty.add((self._index, key))
        if leap.last is None and not self._shown_by(memory, key, leap):
            self._announce(memory, key, leap, ChangeType.FIRED, leap.event)

    def resume(self, memory: PartitionMemory) -> None:
        """Set the timers of leaps that were being looked at before a restart."""
        for key, leap in memory.series[self._index].items():
            if isinstance(leap, Leap) and leap.event is not None:
                if not leap.is_judged:
                    memory.wake_at(leap.event.received_at + self._condition.settle, self._index, key)
                if leap.clears_at is not None:
                    memory.wake_at(leap.clears_at, self._index, key)

    def approaches(self, memory: PartitionMemory, place: str, asset_id: str | None) -> Iterator[Approach]:
        """Say how far a station's values are from those before; of a leap, who shows it too."""
        leap = memory.series[self._index].get(place)
        if not isinstance(leap, Leap):
            yield from self._finder.measure(memory, place)
        elif leap.event is not None and leap.event.quality == Quality.BAD and leap.is_judged:
            others = [
                other.event.asset_id for _, other in self._shown_by(memory, place, leap) if other.event is not None
            ]
            facts: dict[str, str | float] = {"neighbours": ", ".join(others)}
            parts = self._ask(memory, place, leap, ChangeType.FIRED)
            yield Approach(leap.event.observed_at, parts, leap.event.asset_id, leap.event.asset_id, facts)

    def _ask(self, memory: PartitionMemory, key: str, leap: Leap, change: ChangeType) -> tuple[Part, ...]:
        is_back = change is ChangeType.RESOLVED and leap.back is not None
        return Part("leapt", not is_back), Part("alone", not self._shown_by(memory, key, leap))

    def _shown_by(self, memory: PartitionMemory, key: str, leap: Leap) -> list[tuple[str, Leap]]:
        """Give the neighbours that leapt in the same direction at about the same time."""
        scope = key.partition(IN)[0] + IN
        return [
            (other_key, other)
            for other_key, other in sorted(memory.series[self._index].items())
            if other_key != key and other_key.startswith(scope)
            if isinstance(other, Leap) and self._are_near(leap.event, other.event)
        ]

    def _are_near(self, one: Event | None, other: Event | None) -> bool:
        if one is None or other is None:
            return False
        here, there = one.position, other.position
        if here is None or there is None:
            return one.unit_code is not None and one.unit_code == other.unit_code
        return distance_m(here, there) <= self._condition.near_km * 1_000

    def _settle_neighbours(self, memory: PartitionMemory, key: str, leap: Leap) -> None:
        """Take back what was said of a neighbour before this station showed the same."""
        for other_key, other in self._shown_by(memory, key, leap):
            if other.last is not None and leap.event is not None:
                self._announce(memory, other_key, other, ChangeType.RESOLVED, other.back or other.event or leap.event)
                memory.dirty.add((self._index, other_key))

    def _end(self, memory: PartitionMemory, key: str, leap: Leap) -> None:
        if leap.last is not None and leap.back is not None:
            self._announce(memory, key, leap, ChangeType.RESOLVED, leap.back)
        memory.series[self._index].pop(key, None)
        memory.dirty.add((self._index, key))

    def _announce(self, memory: PartitionMemory, key: str, leap: Leap, change: ChangeType, event: Event) -> None:
        found = read_scope(key.partition(IN)[0])
        if found is None:
            return
        kind, quantity, direction = found
        value = getattr(event.data, quantity)
        what_vi, what_en = names_of([(kind, quantity)])
        leap.started_at = leap.event.observed_at if leap.event is not None else event.observed_at
        leap.condition = ConditionState.FIRING if change is ChangeType.FIRED else ConditionState.INACTIVE
        decision = plain_decision(change, self._severity, None if value is None else float(value), None)
        subject = asset_subject(self._world, event, self._world.station_zones.get(event.asset_id))
        labels = (*subject.labels, ("direction", direction), ("quantity", f"{kind}.{quantity}"))
        facts: dict[str, str | float] = {"what_vi": what_vi, "what_en": what_en}
        told = replace(
            subject, labels=tuple(sorted(labels)), facts=facts, asked=partial(self._ask, memory, key, leap, change)
        )
        self._announcer.announce(memory, key, decision, told)
        memory.dirty.add((self._index, key))
