"""What rules about things that people report share: these do not swing by themselves, and are over when people say so.

Nothing may follow that report: an alert that then waited for the rule's ``keep``, or for its flapping to come to
rest, would stand for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from alerts.announcement import Subject
from alerts.conditions.leveled import LeveledEvaluator
from alerts.language.rule import Rule
from alerts.memory.partition import PartitionMemory
from alerts.memory.series import Series, Verdict, rest
from alerts.world import World


class ReportedEvaluator(LeveledEvaluator):
    """Base of evaluators of what people report: their alerts neither flap nor wait for ``keep``."""

    def __init__(self, rule: Rule, index: int, world: World) -> None:
        super().__init__(rule, index, world)
        self._policy = self._policy._replace(keep=timedelta(0))

    def drop_if_idle(self, memory: PartitionMemory, key: str, series: Series) -> None:
        """Keep it until it is over."""

    def judge_report(self, memory: PartitionMemory, key: str, subject: Subject, verdicts: Sequence[Verdict]) -> None:
        """Evaluate a series at this instant of log time."""
        if (series := memory.series[self.index].get(key)) is not None:
            rest(series)
        self.judge(memory, key, subject, verdicts, memory.clock)

    def end_and_forget(self, memory: PartitionMemory, key: str, subject: Subject) -> None:
        """End the alert of a thing that is over, and forget the thing: the only way out for what may be open."""
        series = memory.series[self.index].get(key)
        if series is not None and series.is_open:
            self.judge_report(memory, key, subject, [Verdict(False, True)] * len(self.rule.condition.levels))
        memory.series[self.index].pop(key, None)
        memory.dirty.add((self.index, key))
