"""The engine: steps over the log's slices in order and says what changed. Pure: no I/O, no clock of its own.

Its time is log time: before an event is looked at, timers that fell due up to its arrival are fired. So decisions of a
partition are a function of that partition's items, however they were cut into batches and whenever the process was
restarted in between.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

from alerts.conditions.leveled import reading_key
from alerts.engine.handover import Handover
from alerts.engine.health import Meter, RuleHealth
from alerts.engine.placing import Placing
from alerts.engine.rounds import Move, Round, Rounds
from alerts.memory.crowding import MOST_THINGS, thin
from alerts.memory.lookback import MOST_OF_RULE
from alerts.memory.partition import PartitionMemory, RuleFault, Stretch
from alerts.rulebook.book import Rulebook
from alerts.world import World
from ioc.domain.alerts import AlertChange, StateKey
from ioc.domain.events import Event, Signal
from ioc.domain.kinds import Observation, Payload

JUMP = timedelta(minutes=2)
"""Nothing at all on a partition for longer, then something: the silence was ours, not the sensors'."""

_data_of = attrgetter("data")


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
        clock: a clock in seconds, of any beginning, to tell what rules cost; without it they seem to cost nothing.
        readings_limit: the most readings that a rule looks back on, of all things on one partition.
        things_limit: the most things that a rule remembers on one partition.
        keeps_state: steps say what must be kept to go on after a restart; a backtest keeps nothing.
        is_behind: these are known not to be the newest rules. What is kept of rules that are not among them is then
            left for those who have them: it ends no alert.
    """

    def __init__(
        self,
        rulebook: Rulebook,
        world: World,
        *,
        clock: Callable[[], float] | None = None,
        readings_limit: int = MOST_OF_RULE,
        things_limit: int = MOST_THINGS,
        keeps_state: bool = True,
        is_behind: bool = False,
    ) -> None:
        self._readings_limit, self._keeps_state = readings_limit, keeps_state
        self._things_limit = things_limit
        self._rules = rulebook.rules
        self._evaluators: list[Any] = [
            rule.condition.bind(rule, index, world) for index, rule in enumerate(self._rules)
        ]
        self._handover = Handover(self._rules, self._evaluators, is_behind=is_behind)
        self._meter = Meter(self._rules, self._evaluators, clock)
        self._rounds = Rounds(self._rules, self._meter)
        self._placing = Placing(world, self._evaluators)
        self._memories: dict[object, PartitionMemory] = {}

    def restore(self, partition: object, state: Mapping[StateKey, bytes], last_seen: Iterable[Event]) -> None:
        """Take a partition over with the state that was kept of it and the newest reading of each of its assets."""
        memory = self._memories[partition] = PartitionMemory(len(self._rules), self._readings_limit)
        for event in last_seen:
            if type(event.data) in self._meter.plain.kinds:
                memory.readings("", type(event.data))[reading_key(event)] = event
            memory.clock = max(memory.clock, event.received_at)
        self._handover.restore(memory, state)
        self._handover.resume(memory)

    def inherit(self, partition: object, state: Mapping[StateKey, bytes], before: Engine) -> None:
        """Take a partition over from an engine of this process that had other rules, between two steps.

        What no rule owns (newest readings, log time) goes on as it is, so that nothing looks like a silence. What a
        rule sent goes on where the rule means the same; another one sends what it must anew.
        """
        old = before._memory(partition)
        memory = self._memories[partition] = PartitionMemory(len(self._rules), self._readings_limit)
        memory.seen, memory.clock = old.seen, old.clock
        self._handover.restore(memory, state, before._rules)
        memory.clock, memory.resumed_from = old.clock, old.resumed_from
        self._handover.carry_sent_over(memory, old, before._rules)
        self._handover.resume(memory)

    def forget(self, partition: object) -> None:
        """Give a partition up."""
        self._memories.pop(partition, None)

    def heard_kinds(self) -> dict[type[Payload], timedelta]:
        """Name the kinds of which all rules only ask whether anything comes, each with the shortest silence noticed."""
        return self._meter.plain.heard_kinds()

    def assure(self, partition: object, speaking: Mapping[str, Sequence[Stretch]]) -> None:
        """Tell in which stretches assets spoke of which not every reading is put to ``step``, until told again.

        Of each stretch the first reading and the last must be; of kinds other than ``heard_kinds`` all.
        """
        self._memory(partition).speaking = speaking

    def step(self, partition: object, items: Sequence[Event | Signal]) -> Step:
        """Look at items in the order of their offsets."""
        memory = self._begin(partition)
        events = [item for item in items if isinstance(item, Event)]
        if events:
            self._take_events(memory, events)
        if len(events) < len(items):
            self._take_signals(memory, [item for item in items if isinstance(item, Signal)])
        return self._finish(memory, has_heard=bool(items))

    def advance(self, partition: object, now: datetime) -> Step:
        """Let log time reach ``now`` on a partition that is read to its end."""
        memory = self._begin(partition)
        if now > memory.clock:
            self._pass_time(memory, now)
        return self._finish(memory, has_heard=False)

    def health(self) -> tuple[RuleHealth, ...]:
        """Say what each rule has cost since the engine was made, and what it holds now; in the rulebook's order."""
        return self._meter.report(self._memories.values(), self._readings_limit, self._things_limit)

    def _begin(self, partition: object) -> PartitionMemory:
        """Give a partition's memory for a step."""
        memory = self._memory(partition)
        self._meter.begin(memory)
        return memory

    def _memory(self, partition: object) -> PartitionMemory:
        memory = self._memories.get(partition)
        if memory is None:
            memory = self._memories[partition] = PartitionMemory(len(self._rules), self._readings_limit)
        return memory

    def _take_events(self, memory: PartitionMemory, events: Sequence[Event]) -> None:
        """Put events to the rules, each when log time has reached it.

        What no rule looks at only moves log time on. A long silence is noticed at once.
        """
        kinds = list(map(type, map(_data_of, events)))
        calls = self._meter.calls
        counts = Counter(kinds)
        quantities = calls.quantities_of(events) if Observation in counts else {}
        self._meter.count(counts, calls.on_event, calls.forward, quantities=quantities)
        looked_up = calls.find_looked_up(counts.keys())
        lanes = {
            kind: calls.lane_of(kind, memory.readings("", kind), is_looked_up=kind in looked_up)
            if kind in calls.kinds
            else None
            for kind in counts
        }
        used = [part for lane in lanes.values() if lane is not None for part in (lane, *lane.parts.values())]
        reached = memory.clock
        surely_heard_until, round_ = reached + JUMP, Round(reached)
        for event, kind, zones in zip(events, kinds, self._placing.find(events, kinds), strict=True):
            now = event.received_at
            if now > reached:
                if now > surely_heard_until:
                    if now - reached > JUMP:
                        self._rounds.run(memory, round_, used, reached, is_pause=True)
                        memory.resumed_from, round_ = now, Round(reached)
                    surely_heard_until = now + JUMP
                reached = now
            lane = lanes[kind]
            if lane is None:
                continue
            newest, key_of = lane.newest, lane.key_of
            if key_of is None:
                key = event.asset_id
            else:
                key, lane = key_of(event), lane.of(event)
            known = newest.get(key)
            if known is None or event.observed_at > known.observed_at:
                place = len(round_.reached)
                round_.reached.append(reached)
                lane.items.append((place, event, zones))
                if lane.is_looked_up:
                    round_.moves.setdefault(kind, []).append(Move(place, newest, key, known, event))
                newest[key] = event
            elif lane.takes_late:
                lane.items.append((len(round_.reached), event, None))
                round_.reached.append(reached)
        self._rounds.run(memory, round_, used, reached, is_pause=False)

    def _take_signals(self, memory: PartitionMemory, signals: Sequence[Signal]) -> None:
        events = [signal.event for signal in signals]
        kinds = list(map(type, map(_data_of, events)))
        calls = self._meter.calls
        ways = [(kind, signal.to_rule) for kind, signal in zip(kinds, signals, strict=True)]
        lanes = {way: calls.signal_lane_of(*way) for way in dict.fromkeys(ways)}
        memory.located = {
            id(event): zones
            for event, kind, zones in zip(events, kinds, self._placing.find(events, kinds), strict=True)
            if kind in self._placing.kinds
        }
        self._meter.count_signals(Counter(ways), lanes)
        used, reached = list(lanes.values()), memory.clock
        round_ = Round(reached)
        for signal, event, way in zip(signals, events, ways, strict=True):
            now = event.received_at
            if now > reached:
                if now - reached > JUMP:
                    self._rounds.run(memory, round_, used, reached, is_pause=False, are_signals=True)
                    memory.resumed_from, round_ = now, Round(reached)
                reached = now
            lanes[way].items.append((len(round_.reached), event, signal.scope))
            round_.reached.append(reached)
        self._rounds.run(memory, round_, used, reached, is_pause=False, are_signals=True)
        memory.located = {}

    def _pass_time(self, memory: PartitionMemory, now: datetime) -> None:
        """Let log time reach the next arrival."""
        if now - memory.clock > JUMP:
            memory.resumed_from = now
        self._fire_timers(memory, now)

    def _fire_timers(self, memory: PartitionMemory, now: datetime) -> None:
        """Let log time reach an instant up to which something arrived all the while."""
        if now >= memory.next_due:
            self._rounds.run(memory, Round(memory.clock), (), now, is_pause=True)
        memory.clock = now

    def _finish(self, memory: PartitionMemory, *, has_heard: bool) -> Step:
        thin(memory, self._rules, self._things_limit)
        state = self._handover.keep(memory, has_heard=has_heard) if self._keeps_state else {}
        self._meter.note(memory.faults)
        step = Step(changes=memory.changes, signals=memory.signals, state=state, rule_errors=memory.faults)
        memory.changes, memory.signals, memory.faults = [], [], []
        memory.dirty, memory.dirty_parts, memory.kept = set(), set(), {}
        return step
