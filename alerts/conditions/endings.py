"""When an alert ends though nothing new is told: after its rule's ``keep``, and while it flaps a little later.

The instants follow from the series alone, so a restart changes none of them.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from alerts.language.rule import Rule
from alerts.memory.partition import PartitionMemory
from alerts.memory.series import Policy, Series

_AGAIN = timedelta(minutes=5)


def timed_policy(rule: Rule) -> Policy:
    """Give the policy of a rule whose alerts time ends.

    Nothing is evaluated while such an alert waits for its ``keep``: that is no pause which would begin it anew.
    """
    return Policy(rule.condition.levels, rule.keep_firing_for, max(rule.gap, rule.keep_firing_for))


def wake_to_end(memory: PartitionMemory, rule: Rule, index: int, key: str, series: Series) -> None:
    """Have an alert that recovers looked at when its time is over."""
    if series.last is None or series.keep_since is None:
        return
    # Time that passes without an item is not kept: what was evaluated tells how far it had come.
    due, passed_at = series.keep_since + rule.keep_firing_for, max(memory.clock, series.evaluated_at or memory.clock)
    if due <= passed_at:
        due += ((passed_at - due) // _AGAIN + 1) * _AGAIN
    memory.wake_at(due, index, key)


def is_to_end(rule: Rule, series: Series, due: datetime) -> bool:
    """Say whether an instant is one of those; timers of an earlier recovery are not."""
    if series.last is None or series.keep_since is None:
        return False
    passed = due - series.keep_since - rule.keep_firing_for
    return passed >= timedelta(0) and not passed % _AGAIN
