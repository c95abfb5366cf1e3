"""The engine: steps over the log's slices in order and says what changed. Pure: no I/O, no clock of its own.

Its time is log time: before an event is looked at, timers that fell due up to its arrival are fired. So decisions of a
partition are a function of that partition's items, however they were cut into batches and whenever the process was
restarted in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec
import numpy as np

from alerts.announcement import close_deleted
from alerts.conditions.leveled import reading_key
from alerts.memory import PartitionMemory, RuleFault
from alerts.readings import read_part_key, to_part_key
from alerts.rulebook import Rulebook
from alerts.series import Series, carry_over
from alerts.world import World
from ioc.domain.alerts import AlertChange, StateKey
from ioc.domain.events import Event, Signal
from ioc.domain.kinds import Payload

JUMP = timedelta(minutes=2)
"""Nothing at all on a partition for longer, then something: the silence was ours, not the sensors'."""

RULE_ERRORS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What a rule may trip over; it becomes a fault of that rule and harms no other."""

CLOCK = StateKey("", "clock")
"""Where a partition's log time is kept: with it, a restart is no different from none."""

_encode = msgspec.msgpack.Encoder().encode
NO_ZONES: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Step:
    """What a step made: changes to announce, signals to send, state to keep (None deletes), rules that failed."""

    changes: list[AlertChange] = field(default_factory=list)
    signals: list[Signal] = field(default_factory=list)
    state: dict[StateKey, bytes | None] = field(default_factory=dict)
    rule_errors: list[RuleFault] = field(default_factory=list)

    def merge(self, later: Step) -> Step:
        """Give both steps as one; of state the later counts."""
        return Step(
            changes=self.changes + later.changes,
            signals=self.signals + later.signals,
            state={**self.state, **later.state},
            rule_errors=self.rule_errors + later.rule_errors,
        )


class Engine:
    """Runs a rulebook over partitions. Partitions of ``events`` run rules about single assets and make signals; those
    of ``signals`` run rules that look past one asset.

    Args:
        rulebook: the rules.
        world: zones, names, and which station stands for which zone.
        is_behind: these are known not to be the newest rules. What is kept of rules that are not among them is then
            left for those who have them: it ends no alert.
    """

    def __init__(self, rulebook: Rulebook, world: World, *, is_behind: bool = False) -> None:
        self._rules, self._world, self._is_behind = rulebook.rules, world, is_behind
        self._index_of = {rule.rule_id: index for index, rule in enumerate(self._rules)}
        self._evaluators: list[Any] = [
            rule.condition.bind(rule, index, world) for index, rule in enumerate(self._rules)
        ]
        self._on_event = self._sort_by_kind("on_event")
        self._on_late = self._sort_by_kind("on_late")
        self._forwarders = self._sort_by_kind("forward")
        self._on_signal = self._sort_by_kind("on_signal")
        self._placed_kinds = {
            kind for evaluator in self._evaluators if evaluator.uses_zones for kind in evaluator.rule.condition.kinds
        }
        self._memories: dict[object, PartitionMemory] = {}

    def restore(self, partition: object, state: Mapping[StateKey, bytes], last_seen: Iterable[Event]) -> None:
        """Take a partition over with the state that was kept of it and the newest reading of each of its assets."""
        memory = self._memories[partition] = PartitionMemory(len(self._rules))
        for event in last_seen:
            memory.readings("", type(event.data))[reading_key(event)] = event
            memory.clock = max(memory.clock, event.received_at)
        self._restore_rules(memory, state)
        if (kept_clock := state.get(CLOCK)) is not None:
            memory.clock, memory.resumed_from = msgspec.msgpack.decode(
                kept_clock, type=tuple[datetime, datetime | None]
            )
        for evaluator in self._evaluators:
            evaluator.resume(memory)

    def inherit(self, partition: object, state: Mapping[StateKey, bytes], before: Engine) -> None:
        """Take a partition over from an engine of this process that had other rules, between two steps.

        What no rule owns (newest readings, log time) goes on as it is, so that nothing looks like a silence. What a
        rule sent goes on where the rule means the same; another one sends what it must anew.
        """
        old = before._memory(partition)
        memory = self._memories[partition] = PartitionMemory(len(self._rules))
        memory.seen, memory.clock = old.seen, old.clock
        self._restore_rules(memory, state)
        memory.clock, memory.resumed_from = old.clock, old.resumed_from
        same = {
            old_index: index
            for old_index, rule in enumerate(before._rules)
            if (index := self._index_of.get(rule.rule_id)) is not None and self._rules[index].version == rule.version
        }
        memory.forwarded = {(same[index], key): sent for (index, key), sent in old.forwarded.items() if index in same}
        self._carry_levels_over(memory, before)
        for evaluator in self._evaluators:
            evaluator.resume(memory)

    def _carry_levels_over(self, memory: PartitionMemory, before: Engine) -> None:
        for rule in before._rules:
            index = self._index_of.get(rule.rule_id)
            if index is None or self._rules[index].condition_name != rule.condition_name:
                continue
            old, new = rule.condition.levels, self._rules[index].condition.levels
            if [level.severity for level in old] != [level.severity for level in new]:
                for key, series in memory.series[index].items():
                    carry_over(series, old, new)
                    memory.dirty.add((index, key))

    def _restore_rules(self, memory: PartitionMemory, state: Mapping[StateKey, bytes]) -> None:
        for key, kept in state.items():
            if (part := read_part_key(key.key)) is not None:
                self._restore_part(memory, key, part, kept)
            elif key != CLOCK:
                self._restore_series(memory, key, kept)

    def _restore_series(self, memory: PartitionMemory, key: StateKey, kept: bytes) -> None:
        index = self._index_of.get(key.rule_id)
        if index is not None:
            evaluator = self._evaluators[index]
            try:
                series = msgspec.msgpack.decode(kept, type=evaluator.state_type)
            except msgspec.ValidationError:
                series = None
            if series is not None and series.shape == self._rules[index].condition_name:
                memory.series[index][key.key] = series
                memory.clock = max(memory.clock, series.heard_at or memory.clock)
                return
        if self._is_behind:
            return
        memory.kept[key.rule_id, key.key] = None
        old = msgspec.msgpack.decode(kept, type=Series)
        if old.last is not None:
            memory.changes.append(close_deleted(old.last, max(memory.clock, old.last.decided_at)))

    def _restore_part(self, memory: PartitionMemory, key: StateKey, part: tuple[str, int], kept: bytes) -> None:
        """Give a rule its part of what it looked back on; a rule that does not look back any more has it deleted."""
        index = self._index_of.get(key.rule_id)
        restore = None if index is None else getattr(self._evaluators[index], "restore_part", None)
        is_kept = restore is not None and restore(memory, *part, kept)
        if not is_kept and not self._is_behind:
            memory.kept[key.rule_id, key.key] = None

    def forget(self, partition: object) -> None:
        """Give a partition up."""
        self._memories.pop(partition, None)

    def step(self, partition: object, items: Sequence[Event | Signal]) -> Step:
        """Look at items in the order of their offsets."""
        memory = self._memory(partition)
        events = [item for item in items if isinstance(item, Event)]
        if events:
            for event, zones in zip(events, self._locate(events), strict=True):
                self._take_event(memory, event, zones)
        for item in items:
            if isinstance(item, Signal):
                self._take_signal(memory, item)
        if items:
            memory.kept[CLOCK] = _encode((memory.clock, memory.resumed_from))
        return self._finish(memory)

    def advance(self, partition: object, now: datetime) -> Step:
        """Let log time reach ``now`` on a partition that is read to its end."""
        memory = self._memory(partition)
        if now > memory.clock:
            self._pass_time(memory, now)
        return self._finish(memory)

    def _memory(self, partition: object) -> PartitionMemory:
        memory = self._memories.get(partition)
        if memory is None:
            memory = self._memories[partition] = PartitionMemory(len(self._rules))
        return memory

    def _take_event(self, memory: PartitionMemory, event: Event, zones: tuple[str, ...]) -> None:
        now = event.received_at
        if now > memory.clock:
            self._pass_time(memory, now)
        kind = type(event.data)
        readings = memory.readings("", kind)
        key = reading_key(event)
        known = readings.get(key)
        if known is not None and event.observed_at <= known.observed_at:
            for evaluator in self._on_late.get(kind, ()):
                evaluator.on_late(memory, event)
            return
        readings[key] = event
        for evaluator in self._on_event.get(kind, ()):
            try:
                evaluator.on_event(memory, event, zones)
            except RULE_ERRORS as error:
                memory.add_fault(evaluator.rule.rule_id, event.asset_id, f"{type(error).__name__}: {error}")
        forwarders = self._forwarders.get(kind)
        if forwarders is not None:
            # Two rules may want the same event in the same scope: it is sent once.
            scopes = {scope for evaluator in forwarders for scope in evaluator.forward(memory, event, zones)}
            memory.signals.extend(Signal(scope=scope, event=event) for scope in sorted(scopes))

    def _take_signal(self, memory: PartitionMemory, signal: Signal) -> None:
        event = signal.event
        if event.received_at > memory.clock:
            self._pass_time(memory, event.received_at)
        for evaluator in self._on_signal.get(type(event.data), ()):
            try:
                evaluator.on_signal(memory, signal.scope, event)
            except RULE_ERRORS as error:
                memory.add_fault(evaluator.rule.rule_id, event.asset_id, f"{type(error).__name__}: {error}")

    def _pass_time(self, memory: PartitionMemory, now: datetime) -> None:
        if now - memory.clock > JUMP:
            memory.resumed_from = now
        if now >= memory.next_due:
            while (timer := memory.take_due(now)) is not None:
                due, index, key = timer
                evaluator = self._evaluators[index]
                try:
                    evaluator.on_timer(memory, key, due)
                except RULE_ERRORS as error:
                    memory.add_fault(evaluator.rule.rule_id, key, f"{type(error).__name__}: {error}")
        memory.clock = now

    def _locate(self, events: Sequence[Event]) -> list[tuple[str, ...]]:
        """Find the zones of all positions that some rule asks about, at once."""
        found = [NO_ZONES] * len(events)
        places = [
            place
            for place, event in enumerate(events)
            if type(event.data) in self._placed_kinds and event.lon_deg is not None and event.lat_deg is not None
        ]
        if places:
            lon_deg = np.array([events[place].lon_deg for place in places], dtype=np.float64)
            lat_deg = np.array([events[place].lat_deg for place in places], dtype=np.float64)
            for place, zones in zip(places, self._world.zones.locate(lon_deg, lat_deg), strict=True):
                found[place] = zones
        return found

    def _finish(self, memory: PartitionMemory) -> Step:
        state: dict[StateKey, bytes | None] = {StateKey(*key): kept for key, kept in memory.kept.items()}
        for index, key in memory.dirty:
            series = memory.series[index].get(key)
            kept = None if series is None else _encode(series)
            state[StateKey(self._rules[index].rule_id, key)] = kept
        for index, key, part in memory.dirty_parts:
            kept = memory.windows[index][key].pack(part)
            state[StateKey(self._rules[index].rule_id, to_part_key(key, part))] = kept
        step = Step(changes=memory.changes, signals=memory.signals, state=state, rule_errors=memory.faults)
        memory.changes, memory.signals, memory.faults = [], [], []
        memory.dirty, memory.dirty_parts, memory.kept = set(), set(), {}
        return step

    def _sort_by_kind(self, method: str) -> dict[type[Payload], list[Any]]:
        by_kind: dict[type[Payload], list[Any]] = {}
        for evaluator in self._evaluators:
            if hasattr(evaluator, method):
                for kind in evaluator.rule.condition.kinds:
                    by_kind.setdefault(kind, []).append(evaluator)
        return by_kind
