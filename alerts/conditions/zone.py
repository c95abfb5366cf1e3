"""Zone: something that moves enters a zone, leaves it or stays in it; or so many are in it at once.

Positions jitter. A thing is in a zone when a position is; it has left when one is further than ``edge_m`` outside.
Whether a thing is in is known where its own positions are; how many are in is judged where the zone's signals meet.
A count stands between two signals: who was not heard of is still in, for as long as ``good_for`` says.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial

import msgspec
import shapely
from shapely.geometry.base import BaseGeometry

from alerts.announcement import asset_subject
from alerts.approaches import Approach, compare_to_levels
from alerts.conditions.endings import (
    begin_anew,
    delay_of,
    is_to_begin,
    is_to_end,
    standing_policy,
    wake_to_begin,
    wake_to_end,
)
from alerts.conditions.leveled import LeveledEvaluator
from alerts.conditions.sea_state import zones_of
from alerts.conditions.window import compare_levels
from alerts.language.documents import suggest
from alerts.language.files import Table, note_others
from alerts.language.rule import PROVINCE_TIME, Level, Rule
from alerts.memory.partition import PartitionMemory
from alerts.memory.series import Series, Verdict
from alerts.world import World
from geo.plane import PROVINCE_PLANE
from geo.zones import ZoneKind
from ioc.domain.alerts import ConditionState
from ioc.domain.events import Event, Signal
from ioc.domain.grounds import Part
from ioc.domain.kinds import Payload
from ioc.domain.quantities import Quality

INSIDE = "inside_count"
_MOST_ASSETS = 4_096


class Happening(enum.StrEnum):
    """What a rule asks of a zone. A dwell is to be inside for as long as the level's ``for`` says."""

    INSIDE = "inside"
    LEFT = "left"
    COUNT = "count"


@dataclass(frozen=True, slots=True, kw_only=True)
class InZone:
    """Things of one kind in zones that are named, or of some kinds of zones.

    ``good_for`` is how long a thing that is silent is taken to be where it was.
    """

    kinds: tuple[type[Payload], ...]
    levels: tuple[Level, ...]
    happening: Happening
    zones: tuple[str, ...]
    zone_kinds: tuple[str, ...]
    edge_m: float
    good_for: timedelta
    facts: frozenset[str] = field(default=frozenset({"count"}))

    def find_unknown(self, world: World) -> list[str]:
        """Say which of its zones a world does not have, each with the nearest name that it has."""
        known = world.zones.zones
        return [f"zones: no zone {name!r}{suggest(name, known)}" for name in self.zones if name not in known]

    def bind(self, rule: Rule, index: int, world: World) -> ZoneEvaluator:
        """Make the evaluator."""
        return ZoneEvaluator(rule, index, world, self)


def read_zone(table: Table) -> InZone:
    """Read the keys of a zone rule."""
    kind = table.kind("on")
    happening = Happening(table.choice("when", tuple(Happening)))
    zones, zone_kinds = table.words("zones", default=()), table.choices("zone_kinds", tuple(ZoneKind), default=())
    if not zones and not zone_kinds:
        table.fault("zones: name them, or give zone_kinds")
    if happening is Happening.COUNT:
        levels = table.levels("levels", kind, [INSIDE])
        note_others(table, levels, INSIDE)
    else:
        levels = _read_levels(table)
    edge_m = table.number("edge_m", 50.0)
    if edge_m < 0:
        table.fault("edge_m: 0 or more, how far outside a thing has left", table.node_of("edge_m"), can_run=True)
    return InZone(
        kinds=(kind,),
        levels=levels,
        happening=happening,
        zones=zones,
        zone_kinds=zone_kinds,
        edge_m=edge_m,
        good_for=table.span("good_for", timedelta(minutes=30)),
    )


def _read_levels(table: Table) -> tuple[Level, ...]:
    levels = []
    for part in table.tables("levels"):
        levels.append(Level(severity=part.severity("severity"), hold_for=part.duration("for", timedelta(0))))
        part.finish()
    if not levels:
        table.fault("levels: at least one")
    return tuple(levels)


class ZoneState(Series, kw_only=True, omit_defaults=True):
    """Of a thing: the zone that it is in or was in last. Of a zone: who was in it when, in epoch seconds, and the
    position that was told of last.
    """

    zone: str = ""
    is_inside: bool = False
    told_at: datetime | None = None
    inside: dict[str, float] = msgspec.field(default_factory=dict)
    event: Event | None = None

    @property
    def is_shared(self) -> bool:
        """It is what several have in common, where it is a zone's."""
        return bool(self.inside)


class ZoneEvaluator(LeveledEvaluator):
    """Follows things that are in a zone or were; all others cost a look at their zones."""

    uses_zones = True
    state_type = ZoneState

    def __init__(self, rule: Rule, index: int, world: World, condition: InZone) -> None:
        super().__init__(rule, index, world)
        self._condition = condition
        self._watched = frozenset(condition.zones) | world.zone_ids(frozenset(condition.zone_kinds))
        self._outlines: dict[str, BaseGeometry] = {}
        self._scope = f"zone_count:{rule.rule_id}:"
        self.counts_others = condition.happening is Happening.COUNT
        if self.counts_others:
            self._policy = standing_policy(rule)

    def on_event(self, memory: PartitionMemory, event: Event, zones: tuple[str, ...]) -> None:
        """Follow one position."""
        if event.position is None or event.quality == Quality.BAD:
            return
        state = memory.series[self.index].get(event.asset_id)
        here = next((zone for zone in zones if zone in self._watched), None)
        if (here is None and state is None) or event.received_at - event.observed_at > self.rule.lateness:
            return
        if not isinstance(state, ZoneState):
            state = memory.series[self.index][event.asset_id] = self.new_series()
        was_inside, zone = state.is_inside, state.zone
        if here is not None:
            # Whoever is still in the zone that he was in has not gone to another that overlaps it.
            state.zone, state.is_inside = (zone if was_inside and zone in zones else here), True
        elif was_inside and self._distance_m(event, zone) > self._condition.edge_m:
            state.is_inside = False
        memory.dirty.add((self.index, event.asset_id))
        if self._condition.happening is Happening.COUNT:
            self._tell(memory, event, state, zone if was_inside else "")
        else:
            self._judge_thing(memory, event, state)

    def _judge_thing(self, memory: PartitionMemory, event: Event, state: ZoneState) -> None:
        holds = state.is_inside is (self._condition.happening is Happening.INSIDE)
        subject = replace(asset_subject(self.world, event, state.zone), asked=partial(self._ask, state.is_inside))
        verdicts = [Verdict(holds, not holds)] * len(self._condition.levels)
        self.judge(memory, event.asset_id, subject, verdicts, event.observed_at)

    def _tell(self, memory: PartitionMemory, event: Event, state: ZoneState, was_in: str) -> None:
        """Tell a zone that a thing came or went; that it is still there, now and then."""
        now_in = state.zone if state.is_inside else ""
        is_due = state.told_at is None or event.observed_at - state.told_at >= self._condition.good_for / 3
        if was_in and was_in != now_in:
            gone = msgspec.structs.replace(event, quality=Quality.STALE)
            memory.signals.append(Signal(scope=f"{self._scope}{was_in}", event=gone))
        if now_in and (was_in != now_in or is_due):
            state.told_at = event.observed_at
            memory.signals.append(Signal(scope=f"{self._scope}{now_in}", event=event))
        if not now_in:
            memory.series[self.index].pop(event.asset_id, None)

    def on_signal(self, memory: PartitionMemory, scope: str, event: Event) -> None:
        """Count who is in a zone."""
        if not scope.startswith(self._scope):
            return
        state = memory.series[self.index].get(scope)
        if not isinstance(state, ZoneState):
            state = memory.series[self.index][scope] = self.new_series()
        at_s = event.observed_at.timestamp()
        newest_s = max([at_s, *state.inside.values()])
        at = datetime.fromtimestamp(newest_s, UTC)
        self._let_begin_anew(state, at)
        if event.quality == Quality.STALE:
            state.inside.pop(event.asset_id, None)
        else:
            state.inside[event.asset_id] = max(at_s, state.inside.get(event.asset_id, at_s))
        oldest_s = newest_s - self._condition.good_for.total_seconds()
        kept = sorted(((seen, name) for name, seen in state.inside.items() if seen >= oldest_s), reverse=True)
        state.inside = {name: seen for seen, name in kept[:_MOST_ASSETS]}
        state.event = event
        memory.dirty.add((self.index, scope))
        self._judge_zone(memory, scope, state, event, at)

    def _judge_zone(self, memory: PartitionMemory, scope: str, state: ZoneState, event: Event, at: datetime) -> None:
        verdicts = self._compare(state, at)
        is_idle = not state.is_open and state.condition is ConditionState.INACTIVE
        if verdicts is None or (is_idle and not any(item.holds for item in verdicts)):
            return
        count, zone = self._count(state, at), scope.removeprefix(self._scope)
        subject = asset_subject(self.world, event, zone, count=count)
        asked = partial(compare_to_levels, self._condition.levels, {INSIDE: count}, at)
        whole = replace(subject, labels=(("zone", zone),), asset_id=None, asked=asked)
        self.judge(memory, scope, whole, verdicts, at)
        wake_to_begin(memory, self.rule, self.index, scope, state, delay_of(event))
        if state.keep_since == at:
            wake_to_end(memory, self.rule, self.index, scope, state)

    def _count(self, state: ZoneState, at: datetime) -> float:
        """Count who is in a zone at an instant, as far as it is known."""
        oldest_s = at.timestamp() - self._condition.good_for.total_seconds()
        return float(sum(seen >= oldest_s for seen in state.inside.values()))

    def _compare(self, state: ZoneState, at: datetime) -> list[Verdict] | None:
        day = at.astimezone(PROVINCE_TIME).date()
        return compare_levels(self._condition.levels, {INSIDE: self._count(state, at)}, day)

    def _let_begin_anew(self, state: ZoneState, at: datetime) -> None:
        """Let a ``for`` begin anew where too many have not been heard of for too long: the count has not stood."""
        verdicts = self._compare(state, at)
        begin_anew(self.rule, state, lambda place: verdicts is not None and verdicts[place].holds)

    def on_timer(self, memory: PartitionMemory, key: str, due: datetime) -> None:
        """Let a count that stands fire and end in its time; note a zone of which nothing is heard."""
        state = memory.series[self.index].get(key)
        if not isinstance(state, ZoneState) or state.event is None:
            super().on_timer(memory, key, due)
        elif is_to_begin(self.rule, state, known_at := due - delay_of(state.event)):
            self._let_begin_anew(state, known_at)
            memory.dirty.add((self.index, key))
            if is_to_begin(self.rule, state, known_at):
                self._judge_zone(memory, key, state, state.event, known_at)
        elif is_to_end(self.rule, state, due):
            self._judge_zone(memory, key, state, state.event, due)
            wake_to_end(memory, self.rule, self.index, key, state)
        else:
            super().on_timer(memory, key, due)

    def resume(self, memory: PartitionMemory) -> None:
        """Set the timers of counts that stood before a restart, and of alerts."""
        super().resume(memory)
        for key, state in memory.series[self.index].items():
            if isinstance(state, ZoneState) and state.event is not None:
                wake_to_begin(memory, self.rule, self.index, key, state, delay_of(state.event))
                wake_to_end(memory, self.rule, self.index, key, state)

    def _ask(self, is_inside: bool) -> Iterator[Part]:
        """Say of a thing that is followed, since it was inside, whether it is where the rule asks for."""
        if self._condition.happening is Happening.INSIDE:
            yield Part("inside_zone", is_inside)
        else:
            yield Part("was_inside_zone", True)
            yield Part("left_zone", not is_inside)

    def approaches(self, memory: PartitionMemory, place: str, asset_id: str | None) -> Iterator[Approach]:
        """Say how many are in a zone; where the rule is about things, whether one is where it asks for."""
        state = memory.series[self.index].get(place)
        if place.startswith(self._scope):
            if isinstance(state, ZoneState) and state.inside and asset_id in {None, *state.inside}:
                at = datetime.fromtimestamp(max(state.inside.values()), UTC)
                parts = compare_to_levels(self._condition.levels, {INSIDE: float(len(state.inside))}, at)
                yield Approach(at, tuple(parts), place.removeprefix(self._scope))
            return
        own = memory.readings("", self._condition.kinds[0]).get(place)
        if own is None or self._condition.happening is Happening.COUNT:
            return
        zones = zones_of(memory, self.world, own)
        here = next((zone for zone in zones if zone in self._watched), "")
        known = state.zone if isinstance(state, ZoneState) else ""
        if self._condition.happening is Happening.INSIDE:
            yield Approach(own.observed_at, (Part("inside_zone", bool(here)),), here or known, place)
        else:
            parts = (Part("was_inside_zone", bool(known)), Part("left_zone", bool(known) and not here))
            yield Approach(own.observed_at, parts, here or known, place)

    def _distance_m(self, event: Event, zone: str) -> float:
        outline = self._outlines.get(zone)
        if outline is None:
            known = self.world.zones.zones.get(zone)
            polygon: BaseGeometry = shapely.Polygon() if known is None else known.polygon
            outline = self._outlines[zone] = PROVINCE_PLANE.to_metres(polygon)
        east, north = PROVINCE_PLANE.metres_per_degree
        place = shapely.Point((event.lon_deg or 0.0) * east, (event.lat_deg or 0.0) * north)
        return float("inf") if outline.is_empty else float(outline.distance(place))

    def new_series(self) -> ZoneState:
        """Make the state of a thing or a zone."""
        return ZoneState(shape=self.rule.condition_name)

    def drop_if_idle(self, memory: PartitionMemory, key: str, series: Series) -> None:
        """Keep who is in, and what a zone counts; forget a thing that is out and has nothing open or pending."""
        is_out = isinstance(series, ZoneState) and not series.is_inside and not key.startswith(self._scope)
        if is_out and not series.is_open and not self._is_active(series):
            memory.series[self.index].pop(key, None)
