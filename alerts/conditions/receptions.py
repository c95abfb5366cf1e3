"""Vessels of one water that fall silent together: not each is lost, their signals are received no more.

One alert for the water then, none for each vessel: the last positions lie within minutes of each other, as they do
where a receiver or its line fails, and not where boats are lost one by one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from alerts.announcement import Announcer, Subject, plain_decision
from alerts.approaches import compare
from alerts.conditions.sea_state import OPEN_SEA
from alerts.conditions.together import begin_after, last_heard, read_texts, speak_of_all
from alerts.language.files import Table
from alerts.language.rule import Rule, Texts
from alerts.memory.partition import PartitionMemory
from alerts.memory.series import Series
from alerts.world import World
from ioc.domain.alerts import ChangeType, ConditionState, Severity
from ioc.domain.events import Event
from ioc.domain.grounds import Part

_PREFIX = "reception:"
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reception:
    """``least`` vessels whose last positions lie ``within`` a time of one vessel's are silent together with it."""

    least: int
    within: timedelta
    unit: str
    texts: Texts


def read_reception(table: Table) -> Reception | None:
    """Read what a rule says of vessels that fall silent together; None where it says nothing."""
    part = table.table("reception", optional=True)
    if part is None:
        return None
    facts = frozenset({"count", "minutes"})
    found = Reception(
        least=part.whole("least", least=2, most=10_000), within=part.duration("within"), unit=part.text("unit", ""),
        texts=read_texts(part, facts),
    )  # fmt: skip
    part.finish()
    return found


class ReceptionState(Series, kw_only=True, omit_defaults=True, tag_field="is", tag="reception"):
    """The series of a water; ``over_at`` is when its vessels were heard again last.

    ``started_at`` stays when that is over: the next alert begins after it.
    """

    over_at: datetime | None = None

    @property
    def is_shared(self) -> bool:
        """It is what several have in common."""
        return True


class Receptions:
    """Judges the lost vessels of each water together.

    Args:
        rule: the rule, with which the texts share their steps.
        index: its place in the rulebook.
        world: names of waters.
        limits: from how many on they are silent together.
        patience: how long after that a vessel may stay behind the others before its silence is a matter of its own.
    """

    def __init__(self, rule: Rule, index: int, world: World, limits: Reception, patience: timedelta) -> None:
        self._rule, self._index, self._limits, self._patience = rule, index, limits, patience
        self._announcer = Announcer(speak_of_all(rule, limits.texts, limits.unit), index, world)

    def find_together(self, lost: Mapping[str, Event]) -> frozenset[str]:
        """Give the keys of those that fell silent together, of the last positions of all that are lost in a water."""
        limits, times = self._limits, sorted(event.observed_at for event in lost.values())
        return frozenset(
            key
            for key, event in lost.items()
            if bisect_right(times, event.observed_at + limits.within)
            - bisect_left(times, event.observed_at - limits.within) >= limits.least
        )  # fmt: skip

    def judge(
        self, memory: PartitionMemory, scope: str, together: Mapping[str, Event], severity: Severity, told: Event
    ) -> None:
        """Begin, move or end the alert of a water by the last positions of those that are silent together.

        ``told`` is the position that changed it, where nobody is silent any more.
        """
        key = f"{_PREFIX}{scope}"
        state = memory.series[self._index].get(key)
        if not isinstance(state, ReceptionState):
            if not together:
                return
            state = memory.series[self._index][key] = ReceptionState(shape=self._rule.condition_name)
        if not together and state.last is None:
            return
        kind = ChangeType.RESOLVED
        if together:
            kind = ChangeType.UPDATED
            if state.last is None:
                kind, state.started_at = ChangeType.FIRED, begin_after(state.started_at, memory.clock)
            elif state.last.severity is not severity:
                kind = ChangeType.SEVERITY
        elif state.last is not None:
            severity = state.last.severity
        state.condition = ConditionState.FIRING if together else ConditionState.INACTIVE
        count, limit = float(len(together)), float(self._limits.least)
        subject = self._subject(memory, scope, together, told)
        if not together and state.last is not None and state.last.value is not None:
            # Of what is over is told how many they were.
            subject = replace(subject, facts={**subject.facts, "count": state.last.value})
        self._announcer.announce(memory, key, plain_decision(kind, severity, count, limit), subject)
        memory.dirty.add((self._index, key))
        if state.last is not None and state.last.value != count:
            # Mere updates come at most once a minute: the last of them are told then.
            memory.wake_at(memory.clock + _MINUTE, self._index, key)
        if not together:
            state.over_at = memory.clock
            self._wake(memory, key, state)

    def is_behind(self, memory: PartitionMemory, scope: str, lost: Event) -> bool:
        """Whether a vessel that was lost with the others is only behind them with being heard again."""
        state = memory.series[self._index].get(f"{_PREFIX}{scope}")
        over_at = state.over_at if isinstance(state, ReceptionState) else None
        return over_at is not None and lost.received_at <= over_at and memory.clock < over_at + self._patience

    def scope_of(self, memory: PartitionMemory, key: str) -> str | None:
        """Give the water that a timer is for, None where it is another's."""
        is_mine = isinstance(memory.series[self._index].get(key), ReceptionState)
        return key.removeprefix(_PREFIX) if is_mine else None

    def resume(self, memory: PartitionMemory) -> None:
        """Set the timers again of waters whose vessels were coming back."""
        for key, state in memory.series[self._index].items():
            if isinstance(state, ReceptionState):
                self._wake(memory, key, state)

    def _wake(self, memory: PartitionMemory, key: str, state: ReceptionState) -> None:
        if state.over_at is not None and (due := state.over_at + self._patience) > memory.clock:
            memory.wake_at(due, self._index, key)

    def _subject(self, memory: PartitionMemory, scope: str, together: Mapping[str, Event], told: Event) -> Subject:
        newest = last_heard(together.values(), told)
        event = newest[-1]
        minutes = float(round((memory.clock - event.observed_at) / _MINUTE)) if together else 0.0
        return Subject(
            labels=(("reception", scope),), event=event,
            zone_id=None if scope == OPEN_SEA else scope.removeprefix("zone:"),
            lon_deg=event.lon_deg, lat_deg=event.lat_deg,
            input_ids=tuple(bytes(item.event_id) for item in newest),
            facts={"count": float(len(together)), "minutes": minutes}, asked=partial(self._ask, len(together)),
        )  # fmt: skip

    def _ask(self, count: int) -> Iterator[Part]:
        yield compare("lost_count", float(count), ">=", float(self._limits.least))
