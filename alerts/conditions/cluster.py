"""Cluster: several stations near each other over a limit together, while the wind is too weak to clear it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import msgspec

from alerts.announcement import asset_subject
from alerts.approaches import Approach, compare
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
from alerts.conditions.winds import Sent, is_news, nearest_wind, send_wind, wind_of
from alerts.language.files import Table
from alerts.language.rule import OPERATORS, PROVINCE_TIME, Comparison, Level, Limit, Rule
from alerts.memory.partition import PartitionMemory
from alerts.memory.series import Series, Verdict
from alerts.world import World
from geo.distance import distance_m
from ioc.domain.events import Event, Signal
from ioc.domain.grounds import Part
from ioc.domain.kinds import KINDS, Payload, WeatherObservation
from ioc.domain.quantities import Quality

_GOOD_FOR = timedelta(minutes=40)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """``when`` holds at ``stations`` of them within ``near_km`` of one of these, with the mean wind at the nearest
    weather station within ``wind_near_km`` below ``wind_below_m_s``. One alert for the province, naming them.
    """

    kinds: tuple[type[Payload], ...]
    levels: tuple[Level, ...]
    when: Comparison
    stations: int
    near_km: float
    wind_below_m_s: float
    wind_near_km: float
    facts: frozenset[str] = field(default=frozenset({"stations_vi", "stations_en", "count", "wind"}))

    def bind(self, rule: Rule, index: int, world: World) -> ClusterEvaluator:
        """Make the evaluator."""
        return ClusterEvaluator(rule, index, world, self)


def read_cluster(table: Table) -> Cluster:
    """Read the keys of a cluster rule."""
    kind = table.kind("on")
    when = table.comparisons("when", KINDS[kind.KIND].quantities)
    if len(when) != 1:
        table.fault("when: one comparison")
    return Cluster(
        kinds=(kind, WeatherObservation),
        levels=(Level(severity=table.severity("severity"), hold_for=table.duration("for", timedelta(0))),),
        when=when[0] if when else Comparison(quantity="", operator=next(iter(OPERATORS)), limit=Limit(values=(0.0,))),
        stations=int(table.number("stations")),
        near_km=table.number("near_km"),
        wind_below_m_s=table.number("wind_below_m_s"),
        wind_near_km=table.number("wind_near_km"),
    )


class ClusterState(Series, kw_only=True, omit_defaults=True, tag_field="is", tag="cluster"):
    """The stations that are over the limit and the winds that were told of, by asset."""

    over: dict[str, Event] = msgspec.field(default_factory=dict)
    winds: dict[str, Event] = msgspec.field(default_factory=dict)

    @property
    def is_shared(self) -> bool:
        """It is what several have in common."""
        return True


class ClusterEvaluator(LeveledEvaluator):
    """Sends stations that are over and calms to one place, and looks for neighbours there."""

    state_type: Any = ClusterState | Sent

    def __init__(self, rule: Rule, index: int, world: World, condition: Cluster) -> None:
        super().__init__(rule, index, world)
        self._policy = standing_policy(rule)
        self._condition = condition
        self._scope = f"cluster:{rule.rule_id}"

    # Where each station's own readings are

    def on_event(self, memory: PartitionMemory, event: Event, zones: tuple[str, ...]) -> None:
        """Send a station on when it comes over or below the limit, and every ten minutes while it is over."""
        if isinstance(event.data, WeatherObservation):
            calm = self._condition.wind_below_m_s
            send_wind(memory, self.rule, self.index, self._scope, event, lambda wind: wind < calm, gusts=False)
            return
        value, key = getattr(event.data, self._condition.when.quantity), f"{event.asset_id}\x1fsent"
        if value is None or (not self._may_be_over(value) and key not in memory.series[self.index]):
            return
        is_over = self._is_over(event)
        if is_over is None or event.quality == Quality.BAD or event.position is None:
            return
        if event.received_at - event.observed_at > self.rule.lateness:
            return
        known = memory.series[self.index].get(key)
        was_over = isinstance(known, Sent) and known.does
        if (is_over or was_over) and is_news(memory, self.rule, self.index, event, is_over):
            memory.signals.append(Signal(scope=self._scope, event=event))

    def _may_be_over(self, value: float) -> bool:
        """Say whether any limit that was ever in force is passed; nearly always none is."""
        return any(self._condition.when.is_over(value, limit) for limit in self._condition.when.limit.numbers)

    def _is_over(self, event: Event) -> bool | None:
        when = self._condition.when
        value = getattr(event.data, when.quantity, None)
        limit = when.limit.on(event.observed_at.astimezone(PROVINCE_TIME).date())
        return None if value is None or limit is None else when.is_over(float(value), limit)

    def resume(self, memory: PartitionMemory) -> None:
        """Set the timers of alerts that were about to begin or to end."""
        super().resume(memory)
        for key, state in memory.series[self.index].items():
            wake_to_end(memory, self.rule, self.index, key, state)
            if isinstance(state, ClusterState):
                self._wake_to_begin(memory, state)

    # Where they meet

    def on_signal(self, memory: PartitionMemory, scope: str, event: Event) -> None:
        """Take a station or a wind in and look for a cluster."""
        if scope != self._scope:
            return
        state = memory.series[self.index].get(scope)
        if not isinstance(state, ClusterState):
            state = memory.series[self.index][scope] = self.new_series()
        held = state.winds if isinstance(event.data, WeatherObservation) else state.over
        known = held.get(event.asset_id)
        if known is not None and event.observed_at <= known.observed_at:
            return
        at = max(item.observed_at for item in (event, *state.over.values(), *state.winds.values()))
        self._let_begin_anew(state, at)
        held[event.asset_id] = event
        memory.dirty.add((self.index, scope))
        self._judge(memory, state, event, at)
        if held is state.over and not self._is_over(event):
            del state.over[event.asset_id]
        self._wake_to_begin(memory, state)

    def _judge(self, memory: PartitionMemory, state: ClusterState, event: Event, at: datetime) -> None:
        over = [item for _, item in sorted(state.over.items()) if self._is_over(item)]
        together = self._find(over, at, fresh_only=True, state=state)
        # Stations of which nothing more is heard begin nothing, and end nothing either.
        is_over = not together and not self._find(over, at, fresh_only=False, state=state)
        if not together and not state.is_open:
            self._settle(state)
            return
        worst = max(together, key=self._value, default=event)
        wind = self._wind_at(state, worst, at)
        limit = self._condition.when.limit.on(worst.observed_at.astimezone(PROVINCE_TIME).date())
        verdict = Verdict(bool(together), is_over, self._value(worst), limit)
        facts: dict[str, str | float] = {"count": float(len(together))}
        for number, language in enumerate(("vi", "en")):
            facts[f"stations_{language}"] = ", ".join(self.world.name_of(item.asset_id)[number] for item in together)
        if wind is not None:
            facts["wind"] = wind
        subject = replace(
            asset_subject(self.world, worst, None, **facts),
            labels=(("scope", "province"),),
            asset_id=None,
            input_ids=tuple(bytes(item.event_id) for item in together) or (bytes(event.event_id),),
            asked=partial(self._ask, state, worst, len(together or over), at),
        )
        self.judge(memory, self._scope, subject, [verdict], at)
        if state.keep_since == at:
            wake_to_end(memory, self.rule, self.index, self._scope, state)

    def on_timer(self, memory: PartitionMemory, key: str, due: datetime) -> None:
        """Begin or end an alert whose time has come: stations are told of again every ten minutes, or not at all."""
        state = memory.series[self.index].get(key)
        newest = self._find_newest(state) if isinstance(state, ClusterState) else None
        if not isinstance(state, ClusterState) or newest is None:
            super().on_timer(memory, key, due)
        elif is_to_begin(self.rule, state, known_at := due - delay_of(newest)):
            self._judge(memory, state, newest, known_at)
            memory.dirty.add((self.index, key))
        elif is_to_end(self.rule, state, due):
            self._judge(memory, state, newest, due)
            wake_to_end(memory, self.rule, self.index, key, state)
        else:
            super().on_timer(memory, key, due)

    def _wake_to_begin(self, memory: PartitionMemory, state: ClusterState) -> None:
        newest = self._find_newest(state)
        if newest is not None:
            wake_to_begin(memory, self.rule, self.index, self._scope, state, delay_of(newest))

    def _find_newest(self, state: ClusterState) -> Event | None:
        told = (*state.over.values(), *state.winds.values())
        return max(told, key=lambda event: event.observed_at, default=None)

    def _let_begin_anew(self, state: ClusterState, at: datetime) -> None:
        """Let a ``for`` begin anew where stations or winds have not been heard of for too long: nothing has stood."""
        over = [item for item in state.over.values() if self._is_over(item)]
        begin_anew(self.rule, state, lambda _: bool(self._find(over, at, fresh_only=True, state=state)))

    def _settle(self, state: ClusterState) -> None:
        """Let a waiting that came to nothing begin anew next time."""
        state.active_at = [None] * len(state.active_at)

    def _find(self, over: list[Event], at: datetime, *, fresh_only: bool, state: ClusterState) -> list[Event]:
        """Give the stations of the largest cluster: one with its neighbours, in weak wind."""
        if fresh_only:
            over = [item for item in over if at - item.observed_at <= _GOOD_FOR]
        best: list[Event] = []
        for item in over:
            wind = self._wind_at(state, item, at)
            if (wind is None and fresh_only) or (wind is not None and wind >= self._condition.wind_below_m_s):
                continue
            near = [other for other in over if self._are_near(item, other)]
            best = max(best, near, key=len)
        return best if len(best) >= self._condition.stations else []

    def _are_near(self, one: Event, other: Event) -> bool:
        here, there = one.position, other.position
        return here is not None and there is not None and distance_m(here, there) <= self._condition.near_km * 1_000

    def _wind_at(self, state: ClusterState, station: Event, at: datetime) -> float | None:
        if station.position is None:
            return None
        found = nearest_wind(state.winds.values(), station.position, at, self._condition.wind_near_km)
        return None if found is None else wind_of(found, gusts=False)

    def _value(self, event: Event) -> float:
        return float(getattr(event.data, self._condition.when.quantity, None) or 0.0)

    def approaches(self, memory: PartitionMemory, place: str, asset_id: str | None) -> Iterator[Approach]:
        """Say of a station how near its value is; of one that is over, how many are near it, and in what wind."""
        if place != self._scope:
            own = memory.readings("", self._condition.kinds[0]).get(place)
            if own is not None and (part := self._compare(own)) is not None and not part.is_met:
                yield Approach(own.observed_at, (part,), place, place)
            return
        state = memory.series[self.index].get(place)
        if not isinstance(state, ClusterState) or not state.over:
            return
        at = max(item.observed_at for item in (*state.over.values(), *state.winds.values()))
        over = [item for item in state.over.values() if self._is_over(item) and at - item.observed_at <= _GOOD_FOR]
        for station in over:
            if asset_id in {None, station.asset_id}:
                near = [other for other in over if self._are_near(station, other)]
                parts = tuple(self._ask(state, station, len(near), at))
                yield Approach(at, parts, station.asset_id, station.asset_id)

    def _ask(self, state: ClusterState, station: Event, near_count: int, at: datetime) -> Iterator[Part]:
        """Say of a station what its value is, how many are over the limit near it, and in what wind."""
        if (value := self._compare(station)) is not None:
            yield value
        yield compare("stations_near_count", float(near_count), ">=", float(self._condition.stations))
        yield self._compare_wind(state, station, at)

    def _compare(self, event: Event) -> Part | None:
        when = self._condition.when
        value = getattr(event.data, when.quantity, None)
        limit = when.limit.on(event.observed_at.astimezone(PROVINCE_TIME).date())
        return None if value is None or limit is None else compare(when.quantity, float(value), when.operator, limit)

    def _compare_wind(self, state: ClusterState, station: Event, at: datetime) -> Part:
        wind = self._wind_at(state, station, at)
        return (
            Part("wind_known", False)
            if wind is None
            else compare("wind_m_s", wind, "<", self._condition.wind_below_m_s)
        )

    def new_series(self) -> ClusterState:
        """Make the state of the province."""
        return ClusterState(shape=self.rule.condition_name)

    def drop_if_idle(self, memory: PartitionMemory, key: str, series: Series) -> None:
        """Keep it: what each told is needed later."""
