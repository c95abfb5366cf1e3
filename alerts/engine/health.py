"""What each rule costs and how it fares: counters since the engine was made, for people who run the system.

Evaluations are counted always. Time is taken in one step of sixteen, by a clock that is passed in, and scaled to all
evaluations: `alerts` knows no clock of its own, and asking one at every look would cost more than most rules do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alerts.engine.dispatch import ByKind, Dispatch, Lane, Way
from alerts.language.rule import Rule
from alerts.memory.partition import PartitionMemory, RuleFault
from ioc.domain.kinds import Payload

TIMED_EVERY = 16
"""One step in so many, of each partition, is timed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleHealth:
    """One rule since its engine was made.

    Attributes:
        rule_id: the rule.
        version: hash of what it means.
        evaluations_count: events and signals of its kinds, and timers, that were put to it.
        cost_s: seconds of computing that these took, estimated from the timed ones; 0 without a clock.
        faults_count: how often it could not be evaluated.
        last_fault: the newest of these faults.
        series_count: things of which it holds a state now.
        open_count: alerts that are open now.
        readings_count: readings that it looks back on now.
        readings_limit: the most that it may hold over the partitions that it runs on; None if it looks back on none.
        series_limit: the most things of which it may hold a state, over these partitions.
    """

    rule_id: str
    version: str
    evaluations_count: int
    cost_s: float
    faults_count: int
    last_fault: RuleFault | None
    series_count: int
    open_count: int
    readings_count: int
    readings_limit: int | None
    series_limit: int


class Tally:
    """Counts of one rule while the engine runs."""

    __slots__ = ("evaluations_count", "faults_count", "last_fault", "timed_count", "timed_s")

    def __init__(self) -> None:
        self.evaluations_count = 0
        self.timed_count = 0
        self.timed_s = 0.0
        self.faults_count = 0
        self.last_fault: RuleFault | None = None

    @property
    def cost_s(self) -> float:
        """Seconds of all evaluations, if those that were not timed cost as much as those that were."""
        return self.timed_s / self.timed_count * self.evaluations_count if self.timed_count else 0.0

    def count(self, evaluations: int, *, is_timed: bool) -> None:
        """Count what was put to the rule in one step."""
        self.evaluations_count += evaluations
        if is_timed:
            self.timed_count += evaluations

    def note(self, fault: RuleFault) -> None:
        """Count a fault."""
        self.faults_count += 1
        self.last_fault = fault

    def time(self, method: Callable[..., Any], clock: Callable[[], float]) -> Callable[..., Any]:
        """Give a method of the rule that takes its own time, also when it fails."""

        def timed(*arguments: Any) -> Any:
            began_s = clock()
            try:
                return method(*arguments)
            finally:
                self.timed_s += clock() - began_s

        return timed


class Meter:
    """Counts and times what an engine puts to its rules.

    Args:
        rules: in the order of the rulebook.
        evaluators: theirs, in the same order.
        clock: a clock in seconds, of any beginning; without it rules seem to cost nothing.
    """

    def __init__(self, rules: Sequence[Rule], evaluators: Sequence[Any], clock: Callable[[], float] | None) -> None:
        self._rules, self._evaluators = rules, evaluators
        self._index_of = {rule.rule_id: index for index, rule in enumerate(rules)}
        self._tallies = [Tally() for _ in rules]
        self.plain = self._timed = Dispatch(evaluators)
        if clock is not None:
            stopwatch = clock
            self._timed = Dispatch(evaluators, lambda index, method: self._tallies[index].time(method, stopwatch))
        self.calls = self.plain
        """The methods that the running step goes through."""

    def begin(self, memory: PartitionMemory) -> None:
        """Choose whether a partition's next step is timed."""
        self.calls = self._timed if memory.steps_count % TIMED_EVERY == 0 else self.plain
        memory.steps_count += 1

    def count(
        self, kinds: Counter[type[Payload]], *tables: ByKind, quantities: Mapping[str, int] | None = None
    ) -> None:
        """Count what a step puts to each rule; ``quantities`` says what its observations are of, where that matters."""
        for kind, count in kinds.items():
            for index in {index for table in tables for index, _ in table.get(kind, ())}:
                put = self.calls.count_for(index, kind, count, quantities) if quantities else count
                self._tallies[index].count(put, is_timed=self.calls is self._timed)

    def count_signals(self, counts: Mapping[Way, int], lanes: Mapping[Way, Lane]) -> None:
        """Count the signals that a step puts to each rule."""
        for way, count in counts.items():
            for index in lanes[way].indexes:
                self._tallies[index].count(count, is_timed=self.calls is self._timed)

    def count_timer(self, index: int) -> None:
        """Count a timer of the rule at a place."""
        self._tallies[index].count(1, is_timed=self.calls is self._timed)

    def note(self, faults: Iterable[RuleFault]) -> None:
        """Count faults."""
        for fault in faults:
            self._tallies[self._index_of[fault.rule_id]].note(fault)

    def report(
        self, memories: Collection[PartitionMemory], readings_limit: int, things_limit: int
    ) -> tuple[RuleHealth, ...]:
        """Say what each rule has cost so far, and what it holds on some partitions; in the rulebook's order."""
        return tuple(self._report(index, memories, readings_limit, things_limit) for index in range(len(self._rules)))

    def _report(
        self, index: int, memories: Collection[PartitionMemory], readings_limit: int, things_limit: int
    ) -> RuleHealth:
        rule, tally = self._rules[index], self._tallies[index]
        series = [memory.series[index] for memory in memories]
        windows = [memory.windows[index] for memory in memories]
        looks_back = getattr(self._evaluators[index], "looks_back", False)
        return RuleHealth(
            rule_id=rule.rule_id,
            version=rule.version,
            evaluations_count=tally.evaluations_count,
            cost_s=tally.cost_s,
            faults_count=tally.faults_count,
            last_fault=tally.last_fault,
            series_count=sum(map(len, series)),
            open_count=sum(state.last is not None for held in series for state in held.values()),
            readings_count=sum(held.readings_count for held in windows),
            readings_limit=readings_limit * max(1, sum(map(bool, windows))) if looks_back else None,
            series_limit=things_limit * max(1, sum(map(bool, series))),
        )
