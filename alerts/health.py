"""What each rule costs and how it fares: counters since the engine was made, for people who run the system.

Evaluations are counted always. Time is taken in one step of sixteen, by a clock that is passed in, and scaled to all
evaluations: `alerts` knows no clock of its own, and asking one at every look would cost more than most rules do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from alerts.memory import RuleFault

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
