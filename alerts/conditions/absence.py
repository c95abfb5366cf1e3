"""Absence: a station that has fallen silent; a unit where many have is one suspected blackout, not many alarms.

Where an asset's own readings are (partitions of ``events``) silence is noticed; where its unit's signals meet
(partitions of ``signals``) it is judged, a short while later: stations that fall silent together are judged together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

import msgspec

from alerts.announcement import Announcer, Subject, plain_decision
from alerts.approaches import Approach, compare
from alerts.language.files import Table
from alerts.language.rule import Level, Rule, Texts
from alerts.memory.partition import PartitionMemory
from alerts.memory.series import Series
from alerts.world import World
from ioc.domain.alerts import ChangeType, ConditionState, Severity
from ioc.domain.events import Event, Signal
from ioc.domain.grounds import Part
from ioc.domain.kinds import KINDS, Payload
from ioc.domain.quantities import Quality

_IN = "\x1f"
_MINUTE = timedelta(minutes=1)
_MOST_INPUTS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """Silence of stations of some kinds, each after its own time; ``share`` of a unit's stations makes a blackout."""

    kinds: tuple[type[Payload], ...]
    after: dict[str, timedelta]
    levels: tuple[Level, ...]
    blackout_severity: Severity
    blackout_share: float
    blackout_least: int
    settle: timedelta
    blackout_texts: Texts
    facts: frozenset[str] = field(default=frozenset({"minutes", "silent", "total"}))

    def bind(self, rule: Rule, index: int, world: World) -> AbsenceEvaluator:
        """Make the evaluator."""
        return AbsenceEvaluator(rule, index, world, self)


def read_absence(table: Table) -> Absence:
    """Read the keys of an absence rule."""
    after: dict[str, timedelta] = {}
    part = table.table("after")
    if part is not None:
        for name in part.names:
            if name not in KINDS:
                part.fault(f"no kind {name!r}; there are {', '.join(KINDS)}")
            after[name] = part.duration(name)
        part.finish()
    kinds = tuple(KINDS[name].payload for name in after if name in KINDS)
    severity = table.severity("severity")
    blackout = table.table("blackout")
    words = {f"{key}_{lang}": "" for key in ("title", "detail") for lang in ("vi", "en")}
    level, share, least = Severity.MAJOR, 0.3, 3
    if blackout is not None:
        level = blackout.severity("severity")
        share, least = blackout.number("share"), int(blackout.number("least"))
        for key in ("title", "detail"):
            texts = blackout.table(key)
            if texts is not None:
                words |= {f"{key}_{lang}": texts.text(lang) for lang in ("vi", "en")}
                texts.finish()
        blackout.finish()
    return Absence(
        kinds=kinds,
        after=after,
        levels=(Level(severity=severity),),
        blackout_severity=level,
        blackout_share=share,
        blackout_least=least,
        settle=table.duration("settle", timedelta(seconds=60)),
        blackout_texts=Texts(**words),
    )


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


class AbsenceEvaluator:
    """Notices silence per asset, judges it per unit."""

    uses_zones = False
    looks_up_newest = True
    state_type = UnitState

    def __init__(self, rule: Rule, index: int, world: World, condition: Absence) -> None:
        self.rule, self._index, self._condition = rule, index, condition
        self._single = Announcer(rule, index, world)
        texts = condition.blackout_texts
        self._whole = Announcer(_with_texts(rule, texts), index, world)
        self._severity = condition.levels[0].severity
        self.shortest_silence = min(condition.after.values(), default=timedelta.max)
        """It asks of readings only whether they come, and no silence shorter than this is one."""

    # Where the asset's own readings are

    def on_event(self, memory: PartitionMemory, event: Event, zones: tuple[str, ...]) -> None:
        """Note that a station speaks; tell its unit when that is news, and the one that was told of its silence.

        What is noted of a station is None while it speaks, else the scope that heard last of it.
        """
        asset_id, noted = event.asset_id, memory.noted[self._index]
        silent_in: str | None = noted.get(asset_id, "")
        if silent_in is None and asset_id in memory.armed[self._index]:
            return
        if asset_id not in memory.armed[self._index]:
            memory.armed[self._index].add(asset_id)
            memory.wake_at(event.received_at + self._after(event), self._index, asset_id)
        if silent_in is not None:
            noted[asset_id], scope = None, _scope_of(event)
            memory.signals.append(Signal(scope=scope, event=event))
            if silent_in not in {"", scope}:
                memory.signals.append(Signal(scope=silent_in, event=event))

    def resume(self, memory: PartitionMemory) -> None:
        """Watch the stations that spoke before a restart, and the units of which some had just fallen silent."""
        for scope, state in memory.series[self._index].items():
            if isinstance(state, UnitState):
                self._wake(memory, scope, state)
        for kind in self._condition.kinds:
            for event in memory.readings("", kind).values():
                memory.armed[self._index].add(event.asset_id)
                memory.wake_at(event.received_at + self._after(event), self._index, event.asset_id)
        for asset_id in memory.armed[self._index] - memory.noted[self._index].keys():
            # Whether it was silent is not known any more, only who would have been told.
            if (newest := self._newest(memory, asset_id)) is not None:
                memory.noted[self._index][asset_id] = _scope_of(newest)

    def on_timer(self, memory: PartitionMemory, key: str, due: object) -> None:
        """Look whether a station has spoken meanwhile, or judge a unit."""
        if isinstance(memory.series[self._index].get(key), UnitState):  # an asset may be called as scopes are
            self._judge(memory, key)
            return
        event = self._newest(memory, key)
        if event is None:
            memory.armed[self._index].discard(key)
            return
        if (speaks_until := memory.speaks_until(key)) is not None:
            memory.wake_at(speaks_until + self.shortest_silence, self._index, key)
            return
        heard_at = event.received_at if memory.resumed_from is None else max(event.received_at, memory.resumed_from)
        if (late_at := heard_at + self._after(event)) > memory.clock:
            memory.wake_at(late_at, self._index, key)
            return
        memory.armed[self._index].discard(key)
        memory.noted[self._index][key] = scope = _scope_of(event)
        silent = msgspec.structs.replace(event, quality=Quality.STALE, received_at=memory.clock)
        memory.signals.append(Signal(scope=scope, event=silent))

    def _newest(self, memory: PartitionMemory, asset_id: str) -> Event | None:
        newest, own = None, memory.seen.get("", {})
        for kind in self._condition.kinds:
            event = own[kind].get(asset_id) if kind in own else None
            if event is not None and (newest is None or event.received_at > newest.received_at):
                newest = event
        return newest

    def _after(self, event: Event) -> timedelta:
        return self._condition.after[event.kind]

    # Where the unit's signals meet

    def on_signal(self, memory: PartitionMemory, scope: str, event: Event) -> None:
        """Take note of a station that fell silent or speaks again, here or by now in another unit."""
        if not scope.startswith(("unit:", "province")):
            return
        state = memory.series[self._index].get(scope)
        if not isinstance(state, UnitState):
            state = memory.series[self._index][scope] = UnitState(shape=self.rule.condition_name)
        memory.dirty.add((self._index, scope))
        if event.quality == Quality.STALE:
            known = state.quiet.get(event.asset_id)
            if known is None:
                state.quiet[event.asset_id] = event
                state.speaking.pop(event.asset_id, None)
                memory.wake_at(memory.clock + self._condition.settle, self._index, scope)
            return
        if scope == _scope_of(event):
            state.speaking[event.asset_id] = True
        else:
            state.speaking.pop(event.asset_id, None)
        if state.quiet.pop(event.asset_id, None) is not None:
            state.returned = event
            self._end_single(memory, scope, event)
            self._judge(memory, scope)

    def _judge(self, memory: PartitionMemory, scope: str) -> None:
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

    def _wake(self, memory: PartitionMemory, scope: str, state: UnitState) -> None:
        for settled_at in {self._settled_at(state, event) for event in state.quiet.values()}:
            if settled_at > memory.clock:
                memory.wake_at(settled_at, self._index, scope)

    def approaches(self, memory: PartitionMemory, place: str, asset_id: str | None) -> Iterator[Approach]:
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
            lon_deg=event.lon_deg, lat_deg=event.lat_deg, input_ids=_inputs_of(state, event),
            facts={"silent": float(count), "total": float(total), "minutes": _minutes(memory, event)},
            asked=partial(self._compare_unit, count, total),
        )  # fmt: skip
        share = 100.0 * count / max(1, total)
        limit = 100.0 * self._condition.blackout_share
        kind = ChangeType.RESOLVED
        if is_blackout:
            kind = ChangeType.FIRED if state.last is None else ChangeType.UPDATED
            if state.last is None:
                state.started_at = _begin_after(state.started_at, memory.clock)
        decision = plain_decision(kind, self._condition.blackout_severity, share, limit)
        self._whole.announce(memory, scope, decision, subject)
        if not is_blackout:
            state.condition, state.over_at = ConditionState.INACTIVE, memory.clock
            self._wake(memory, scope, state)

    def _announce_single(self, memory: PartitionMemory, scope: str, event: Event, *, shadow: bool) -> None:
        key = f"{scope}{_IN}{event.asset_id}"
        series = memory.series[self._index].get(key)
        if series is None:
            if shadow:
                return  # the blackout says it; a single alert would only repeat it
            series = memory.series[self._index][key] = UnitState(shape=self.rule.condition_name)
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

    def _compare_silence(self, event: Event, at: datetime) -> tuple[Part]:
        silent_min = 0.0 if event.quality != Quality.STALE else (at - event.observed_at) / _MINUTE
        return (compare("silent_min", silent_min, ">=", self._after(event) / _MINUTE),)


def _with_texts(rule: Rule, texts: Texts) -> Rule:
    """Give the rule as it speaks of a blackout."""
    spoken = replace(texts, runbook_vi=rule.texts.runbook_vi, runbook_en=rule.texts.runbook_en)
    return replace(rule, texts=spoken, quantity_unit="%")


def _scope_of(event: Event) -> str:
    return f"unit:{event.unit_code}" if event.unit_code else "province"


def _unit_of(scope: str) -> str | None:
    return scope.removeprefix("unit:") if scope.startswith("unit:") else None


def _inputs_of(state: UnitState, event: Event) -> tuple[bytes, ...]:
    """Give the last readings of the stations that fell silent last; of a blackout that is over, what ended it."""
    quiet = sorted(state.quiet.values(), key=lambda item: (item.received_at, item.asset_id))[-_MOST_INPUTS:]
    return tuple(bytes(item.event_id) for item in quiet or [event])


def _begin_after(before: datetime | None, at: datetime) -> datetime:
    """Say when a blackout begins that is decided at an instant; ``before`` is when the last one began.

    Not with the oldest silence: a station that did not speak in between would give both one beginning, and one id.
    """
    return at if before is None else max(at, before + timedelta(microseconds=1))


def _minutes(memory: PartitionMemory, event: Event) -> float:
    return max(0.0, float(round((memory.clock - event.observed_at) / _MINUTE)))
