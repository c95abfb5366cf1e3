"""A unit where many stations have fallen silent is one suspected blackout, not many alarms.

Judged where the unit's signals meet (partitions of ``signals``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

import msgspec

from alerts.announcement import Announcer, Subject, plain_decision
from alerts.approaches import Approach, compare
from alerts.conditions.together import begin_after, last_heard, speak_of_all
from alerts.language.rule import Level, Rule, Texts
from alerts.memory.partition import PartitionMemory
from alerts.memory.series import Series
from alerts.world import World
from ioc.domain.alerts import ChangeType, ConditionState, Severity
from ioc.domain.events import Event
from ioc.domain.grounds import Part
from ioc.domain.quantities import Quality

_IN = "\x1f"
_MINUTE = timedelta(minutes=1)


class Silences(Protocol):
    """What a rule says of stations that may be silent."""

    @property
    def after(self) -> Mapping[str, timedelta]:
        """How long each kind may be silent."""

    @property
    def settle(self) -> timedelta:
        """How long a silence waits for others that would make a blackout of it."""

    @property
    def levels(self) -> Sequence[Level]:
        """The severity of a single station's silence."""

    @property
    def blackout_severity(self) -> Severity:
        """That of a unit's."""

    @property
    def blackout_share(self) -> float:
        """The part of a unit's stations, from 0 to 1, that are silent in a blackout."""

    @property
    def blackout_least(self) -> int:
        """How many are at least."""

    @property
    def blackout_texts(self) -> Texts:
        """What is said of a blackout."""


class UnitState(Series, kw_only=True, omit_defaults=True):
    """What is known of a unit: stations that speak, the last reading of those that do not, and who spoke again last.

    ``started_at`` stays when a blackout has ended: the next one begins after it. ``over_at`` is that end.
    """

    speaking: dict[str, bool] = msgspec.field(default_factory=dict)
    quiet: dict[str, Event] = msgspec.field(default_factory=dict)
    returned: Event | None = None
    over_at: datetime | None = None

    @property
    def is_shared(self) -> bool:
        """It is what several have in common, where it is a unit's."""
        return bool(self.speaking or self.quiet)


class Units:
    """Judges the silent stations of each unit, one by one or together."""

    def __init__(self, rule: Rule, index: int, world: World, condition: Silences) -> None:
        self._shape, self._index, self._condition = rule.condition_name, index, condition
        self._single = Announcer(rule, index, world)
        self._whole = Announcer(speak_of_all(rule, condition.blackout_texts, "%"), index, world)
        self._severity = condition.levels[0].severity

    def take(self, memory: PartitionMemory, scope: str, event: Event) -> None:
        """Take note of a station that fell silent or speaks again, here or by now in another unit."""
        state = memory.series[self._index].get(scope)
        if not isinstance(state, UnitState):
            state = memory.series[self._index][scope] = UnitState(shape=self._shape)
        memory.dirty.add((self._index, scope))
        if event.quality == Quality.STALE:
            known = state.quiet.get(event.asset_id)
            if known is None:
                state.quiet[event.asset_id] = event
                state.speaking.pop(event.asset_id, None)
                memory.wake_at(memory.clock + self._condition.settle, self._index, scope)
            return
        if scope == scope_of(event):
            state.speaking[event.asset_id] = True
        else:
            state.speaking.pop(event.asset_id, None)
        if state.quiet.pop(event.asset_id, None) is not None:
            state.returned = event
            self._end_single(memory, scope, event)
            self.judge(memory, scope)

    def judge(self, memory: PartitionMemory, scope: str) -> None:
        """Judge the silent stations of a unit: together, and those whose silence is a matter of their own."""
        state = memory.series[self._index].get(scope)
        if not isinstance(state, UnitState):
            return
        count, total = len(state.quiet), len(state.quiet) + len(state.speaking)
        condition = self._condition
        is_blackout = count >= condition.blackout_least and count >= condition.blackout_share * total
        memory.dirty.add((self._index, scope))
        if is_blackout or state.last is not None:
            self._announce_unit(memory, scope, state, count, total, is_blackout=is_blackout)
        for event in list(state.quiet.values()):
            if is_blackout or self._settled_at(state, event) <= memory.clock:
                self._announce_single(memory, scope, event, shadow=is_blackout)

    def _settled_at(self, state: UnitState, event: Event) -> datetime:
        """Give when the silence of a station is a matter of its own.

        Stations come back one after the other: who is behind the others has as long as it may be silent anyway.
        """
        settled_at = event.received_at + self._condition.settle
        return settled_at if state.over_at is None else max(settled_at, state.over_at + self._after(event))

    def wake(self, memory: PartitionMemory, scope: str, state: UnitState) -> None:
        """Have a unit judged when silences of its stations become matters of their own."""
        for settled_at in {self._settled_at(state, event) for event in state.quiet.values()}:
            if settled_at > memory.clock:
                memory.wake_at(settled_at, self._index, scope)

    def say_nearness(self, memory: PartitionMemory, place: str, asset_id: str | None) -> Iterator[Approach]:
        """Say how much of a unit is silent."""
        state = memory.series[self._index].get(place)
        if not isinstance(state, UnitState) or _IN in place:
            return
        if asset_id is None or asset_id in state.quiet or asset_id in state.speaking:
            count, total = len(state.quiet), len(state.quiet) + len(state.speaking)
            parts = self._compare_unit(count, total)
            yield Approach(memory.clock, parts, place.removeprefix("unit:"), facts={"stations_count": float(total)})

    def _compare_unit(self, count: int, total: int) -> tuple[Part, ...]:
        share_pct, limit_pct = 100.0 * count / max(1, total), 100.0 * self._condition.blackout_share
        return (
            compare("silent_count", float(count), ">=", float(self._condition.blackout_least)),
            compare("silent_share_pct", share_pct, ">=", limit_pct),
        )

    def _announce_unit(
        self, memory: PartitionMemory, scope: str, state: UnitState, count: int, total: int, *, is_blackout: bool
    ) -> None:
        event = max(state.quiet.values(), key=lambda item: item.received_at, default=state.returned)
        if event is None:
            return
        subject = Subject(
            labels=(("blackout", scope),), event=event, unit_code=_unit_of(scope),
            lon_deg=event.lon_deg, lat_deg=event.lat_deg,
            input_ids=tuple(bytes(item.event_id) for item in last_heard(state.quiet.values(), event)),
            facts={"silent": float(count), "total": float(total), "minutes": _minutes(memory, event)},
            asked=partial(self._compare_unit, count, total),
        )  # fmt: skip
        share = 100.0 * count / max(1, total)
        limit = 100.0 * self._condition.blackout_share
        kind = ChangeType.RESOLVED
        if is_blackout:
            kind = ChangeType.FIRED if state.last is None else ChangeType.UPDATED
            if state.last is None:
                state.started_at = begin_after(state.started_at, memory.clock)
        decision = plain_decision(kind, self._condition.blackout_severity, share, limit)
        self._whole.announce(memory, scope, decision, subject)
        if not is_blackout:
            state.condition, state.over_at = ConditionState.INACTIVE, memory.clock
            self.wake(memory, scope, state)

    def _announce_single(self, memory: PartitionMemory, scope: str, event: Event, *, shadow: bool) -> None:
        key = f"{scope}{_IN}{event.asset_id}"
        series = memory.series[self._index].get(key)
        if series is None:
            if shadow:
                return  # the blackout says it; a single alert would only repeat it
            series = memory.series[self._index][key] = UnitState(shape=self._shape)
            # Not with the last reading: the same silence is told anew when its rule was away in between.
            series.started_at = memory.clock
        elif series.last is not None and series.last.shadow is shadow:
            return
        kind = ChangeType.FIRED if series.last is None else ChangeType.UPDATED
        decision = plain_decision(kind, self._severity, _minutes(memory, event), self._after(event) / _MINUTE)
        self._single.announce(memory, key, decision, self._subject(memory, scope, event), shadow=shadow)
        memory.dirty.add((self._index, key))

    def _end_single(self, memory: PartitionMemory, scope: str, event: Event) -> None:
        key = f"{scope}{_IN}{event.asset_id}"
        series = memory.series[self._index].get(key)
        if series is None:
            return
        if series.last is not None:
            decision = plain_decision(ChangeType.RESOLVED, self._severity, 0.0, self._after(event) / _MINUTE)
            self._single.announce(memory, key, decision, self._subject(memory, scope, event), shadow=series.last.shadow)
        memory.series[self._index].pop(key)
        memory.dirty.add((self._index, key))

    def _subject(self, memory: PartitionMemory, scope: str, event: Event) -> Subject:
        return Subject(
            labels=(("asset", event.asset_id),), event=event, asset_id=event.asset_id, unit_code=_unit_of(scope),
            lon_deg=event.lon_deg, lat_deg=event.lat_deg, input_ids=(bytes(event.event_id),),
            facts={"minutes": _minutes(memory, event), "silent": 1.0, "total": 1.0},
            asked=partial(self._compare_silence, event, memory.clock),
        )  # fmt: skip

    def _after(self, event: Event) -> timedelta:
        return self._condition.after[event.kind]

    def _compare_silence(self, event: Event, at: datetime) -> tuple[Part]:
        silent_min = 0.0 if event.quality != Quality.STALE else (at - event.observed_at) / _MINUTE
        return (compare("silent_min", silent_min, ">=", self._after(event) / _MINUTE),)


def scope_of(event: Event) -> str:
    """Give the scope of signals where a station's unit is judged."""
    return f"unit:{event.unit_code}" if event.unit_code else "province"


def _unit_of(scope: str) -> str | None:
    return scope.removeprefix("unit:") if scope.startswith("unit:") else None


def _minutes(memory: PartitionMemory, event: Event) -> float:
    return max(0.0, float(round((memory.clock - event.observed_at) / _MINUTE)))
