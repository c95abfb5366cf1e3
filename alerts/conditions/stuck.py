"""Stuck: a sensor that goes on reporting, and reports the same value for longer than nature keeps one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

import msgspec

from alerts.announcement import asset_subject
from alerts.approaches import compare
from alerts.conditions.leveled import LeveledEvaluator
from alerts.conditions.watched import Watched, kinds_of, names_of, read_watched, values_of
from alerts.language.files import Table
from alerts.language.rule import Level, Rule
from alerts.memory.partition import PartitionMemory
from alerts.memory.series import Series, Verdict
from alerts.world import World
from ioc.domain.events import Event
from ioc.domain.grounds import Part
from ioc.domain.kinds import Payload
from ioc.domain.quantities import Quality

_HOUR_S = 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stillness:
    """How long a quantity may stand still, give or take ``within``; values ``not_at`` may stand for ever: no rain."""

    after: timedelta
    within: float = 0.0
    not_at: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """Quantities that should move; one alert for a station, naming those that do not."""

    kinds: tuple[type[Payload], ...]
    levels: tuple[Level, ...]
    watched: Watched[Stillness]
    facts: frozenset[str] = field(default=frozenset({"what_vi", "what_en", "stands_at"}))

    def bind(self, rule: Rule, index: int, world: World) -> StuckEvaluator:
        """Make the evaluator."""
        return StuckEvaluator(rule, index, world, self)


def read_stuck(table: Table) -> Stuck:
    """Read the keys of a stuck rule."""
    watched = read_watched(table, _read_stillness)
    return Stuck(kinds=kinds_of(watched), watched=watched, levels=(Level(severity=table.severity("severity")),))


def _read_stillness(table: Table) -> Stillness:
    not_at = table.value("not_at", [])
    if not isinstance(not_at, list) or not all(isinstance(value, int | float) for value in not_at):
        table.fault("not_at: must be a list of numbers")
        not_at = []
    after = table.duration("after")
    if table.has("after") and after <= timedelta(0):
        table.fault("after: must be longer than nothing")
    return Stillness(after=after, within=table.number("within", 0.0), not_at=tuple(map(float, not_at)))


class Still(msgspec.Struct, array_like=True):
    """A value that has stood since an instant, up to its last report; epoch seconds."""

    value: float
    since: float
    until: float


class StuckState(Series, kw_only=True, omit_defaults=True):
    """The series of a station with what stands still: at most one entry per watched quantity, ``kind:quantity``."""

    still: dict[str, Still] = msgspec.field(default_factory=dict)


class StuckEvaluator(LeveledEvaluator):
    """Judges at readings only: a station that is silent stands neither still nor moves."""

    state_type = StuckState

    def __init__(self, rule: Rule, index: int, world: World, condition: Stuck) -> None:
        super().__init__(rule, index, world)
        self._watched = condition.watched
        self._gap_s = rule.gap.total_seconds()
        self._ways = {
            kind: {name: (how, f"{kind}:{name}", how.after.total_seconds()) for name, how in quantities.items()}
            for kind, quantities in condition.watched.items()
        }

    def on_event(self, memory: PartitionMemory, event: Event, zones: tuple[str, ...]) -> None:
        """Take a reading in: what moved begins anew, what stood stands longer."""
        if event.quality == Quality.BAD or event.received_at - event.observed_at > self.rule.lateness:
            return
        watched = self._watched[event.kind]
        values = values_of(event, watched)
        if not values:
            return
        mine = memory.series[self.index]
        state = mine.get(event.asset_id)
        if not isinstance(state, StuckState):
            state = mine[event.asset_id] = self.new_series()
        is_stuck = self._take(state, event.kind, values, event.observed_at.timestamp())
        memory.dirty.add((self.index, event.asset_id))
        if is_stuck or state.is_open:
            self._say(memory, event, state, [place for place in sorted(state.still) if self._is_stuck(state, place)])

    def _take(self, state: StuckState, kind: str, values: Mapping[str, float], at: float) -> bool:
        """Take values in; say whether one of them has stood for too long."""
        still, gap_s, is_stuck = state.still, self._gap_s, False
        for quantity, value in values.items():
            how, place, after_s = self._ways[kind][quantity]
            held = still.get(place)
            if value in how.not_at:
                still.pop(place, None)
            elif held is None or abs(value - held.value) > how.within or at - held.until > gap_s:
                still[place] = Still(value, at, at)
            else:
                held.until = at
                is_stuck = is_stuck or at - held.since >= after_s
        return is_stuck

    def _is_stuck(self, state: StuckState, place: str) -> bool:
        kind, _, quantity = place.partition(":")
        how, held = self._watched.get(kind, {}).get(quantity), state.still[place]
        return how is not None and held.until - held.since >= how.after.total_seconds()

    def _say(self, memory: PartitionMemory, event: Event, state: StuckState, stuck: list[str]) -> None:
        places = [(kind, quantity) for kind, _, quantity in (place.partition(":") for place in stuck)]
        what_vi, what_en = names_of(places)
        held = state.still[stuck[0]] if stuck else None
        verdict = Verdict(False, True)
        if held is not None:
            kind, quantity = places[0]
            limit_h = self._watched[kind][quantity].after.total_seconds() / _HOUR_S
            verdict = Verdict(True, False, (held.until - held.since) / _HOUR_S, limit_h)
        facts: dict[str, str | float] = {"what_vi": what_vi, "what_en": what_en}
        if held is not None:
            facts["stands_at"] = held.value
        zone_id = self.world.station_zones.get(event.asset_id)
        subject = replace(asset_subject(self.world, event, zone_id, **facts), asked=partial(self._ask, state, event))
        self.judge(memory, event.asset_id, subject, [verdict], event.observed_at)

    def _ask(self, state: StuckState, event: Event) -> Iterator[Part]:
        """Say of each value of a reading for how long it has stood."""
        for _, place, after_s in self._ways[event.kind].values():
            if (held := state.still.get(place)) is not None:
                stood_h = (held.until - held.since) / _HOUR_S
                yield compare("stood_h", stood_h, ">=", after_s / _HOUR_S, one_of="quantity")

    def new_series(self) -> StuckState:
        """Make the state of a station."""
        return StuckState(shape=self.rule.condition_name)

    def drop_if_idle(self, memory: PartitionMemory, key: str, series: Series) -> None:
        """Keep it: what stands still now may be stuck later."""
