"""When an alert begins or ends though nothing new is told.

It begins after its level's ``for``, where what was told stands until something else is. It ends after its rule's
``keep``, and while it flaps a little later.

The instants follow from the series alone, so a restart changes none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from alerts.language.rule import Level, Rule
from alerts.memory.partition import PartitionMemory
from alerts.memory.series import Policy, Series
from ioc.domain.events import Event

_AGAIN = timedelta(minutes=5)


def timed_policy(rule: Rule) -> Policy:
    """Give the policy of a rule whose alerts time ends.

    Nothing is evaluated while such an alert waits for its ``keep``: that is no pause which would begin it anew.
    """
    return Policy(rule.condition.levels, rule.keep_firing_for, max(rule.gap, rule.keep_firing_for))


def standing_policy(rule: Rule) -> Policy:
    """Give the policy of a rule for which what was told stands: that nothing is told is never a gap by itself.

    What does not stand any more is for the condition to say, with ``begin_anew``.
    """
    return Policy(rule.condition.levels, rule.keep_firing_for, timedelta.max)


def delay_of(event: Event) -> timedelta:
    """Say how long after it was so something is known: a ``for`` is not over before what was so until then can be."""
    return max(timedelta(0), event.received_at - event.observed_at)


def wake_to_begin(memory: PartitionMemory, rule: Rule, index: int, key: str, series: Series, delay: timedelta) -> None:
    """Have levels that hold looked at when their ``for`` is over."""
    for _, level, since in _waiting(rule, series):
        memory.wake_at(since + level.hold_for + delay, index, key)


def is_to_begin(rule: Rule, series: Series, at: datetime) -> bool:
    """Say whether the ``for`` of any level that holds is over at an instant."""
    return any(at - since >= level.hold_for for _, level, since in _waiting(rule, series))


def begin_anew(rule: Rule, series: Series, holds: Callable[[int], bool]) -> None:
    """Let levels begin anew that wait for their ``for`` and hold no longer; ``holds`` is asked by their place."""
    for place, _, _ in _waiting(rule, series):
        if not holds(place):
            series.active_at[place] = None


def _waiting(rule: Rule, series: Series) -> Iterator[tuple[int, Level, datetime]]:
    """Give the levels that hold and have not fired, with their places and since when they hold."""
    reached = zip(rule.condition.levels, series.active_at, series.fired, strict=False)
    for place, (level, since, has_fired) in enumerate(reached):
        if since is not None and not has_fired:
            yield place, level, since


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
