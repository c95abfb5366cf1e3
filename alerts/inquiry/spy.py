"""Standing between the engine and the evaluator of one rule, so that what they do is seen and stays as it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from alerts.announcement import Subject
from alerts.approaches import Approach
from alerts.conditions.leveled import LeveledEvaluator, reading_key
from alerts.inquiry.trace import Move, Trace
from alerts.inquiry.waits import find_waits
from alerts.language.rule import Bindable, Level, Rule
from alerts.memory.partition import PartitionMemory
from alerts.memory.series import Verdict
from alerts.world import World
from ioc.domain.events import Event
from ioc.domain.kinds import Payload


@dataclass(frozen=True, slots=True)
class Watched:
    """A condition whose evaluator is watched."""

    condition: Bindable
    trace: Trace
    spies: list[Spy] = field(default_factory=list, compare=False)

    @property
    def kinds(self) -> tuple[type[Payload], ...]:
        """Kinds of events that it looks at."""
        return self.condition.kinds

    @property
    def levels(self) -> tuple[Level, ...]:
        """Its severities."""
        return self.condition.levels

    def bind(self, rule: Rule, index: int, world: World) -> Spy:
        """Make the rule's own evaluator, and the spy that stands before it."""
        own = replace(rule, condition=self.condition)
        spy = Spy(self.condition.bind(own, index, world), index, self.trace)
        self.spies.append(spy)
        return spy


class Spy:
    """Stands between the engine and an evaluator: passes calls on as they are, and notes what they did."""

    looks_up_newest = True
    looks_up_at = None

    def __init__(self, inner: Any, index: int, trace: Trace) -> None:
        self._inner, self._index, self._trace = inner, index, trace
        self._judge = getattr(inner, "judge", None)
        self._approaches = getattr(inner, "approaches", None)
        self._value_of = getattr(inner, "value_of", None)
        self._trace.tells_nearness = self._approaches is not None or self._value_of is not None
        self._memory: PartitionMemory | None = None
        self._memories: list[PartitionMemory] = []
        if isinstance(inner, LeveledEvaluator):
            vars(inner)["judge"] = self._judged

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def resume(self, memory: PartitionMemory) -> None:
        """Let the evaluator go on with what another engine held."""
        self._remember(memory)
        self._inner.resume(memory)

    def on_event(self, memory: PartitionMemory, event: Event, zones: tuple[str, ...]) -> None:
        """Pass a reading on."""
        is_asked = self._trace.came(event, zones)
        self._memory = memory
        key = reading_key(event)
        if is_asked:
            memory.located[id(event)] = zones  # looked up with its whole batch already
            self._ask(memory, event.asset_id, event.asset_id)
            del memory.located[id(event)]
        self._note_waits(memory, key, event.received_at)
        look = getattr(self._inner, "on_event", None)
        if look is not None:
            look(memory, event, zones)
        self._note_waits(memory, key, event.received_at)
        if is_asked:
            self._trace.looked(memory, self._index, event, self._value_of)

    def on_late(self, memory: PartitionMemory, event: Event) -> None:
        """Pass a reading on that is older than one that came before it."""
        if self._trace.came(event, ()):
            self._trace.out_of_order_count += 1
        look = getattr(self._inner, "on_late", None)
        if look is not None:
            look(memory, event)

    def on_signal(self, memory: PartitionMemory, scope: str, event: Event) -> None:
        """Pass a signal on, and ask how near that came."""
        self._inner.on_signal(memory, scope, event)
        own = event.asset_id if isinstance(event.data, self._inner.rule.condition.kinds[0]) else None
        self._ask(memory, scope, self._trace.asset_id or own)

    def on_timer(self, memory: PartitionMemory, key: str, due: datetime) -> None:
        """Pass a timer on, and ask how near that came."""
        self._inner.on_timer(memory, key, due)
        self._ask(memory, key, self._trace.asset_id)

    def ask_everywhere(self) -> None:
        """Ask how near it is at every place that is known: also what does not move may be what was lacking."""
        for memory in self._memories:
            things = (key for kind in self._inner.rule.condition.kinds for key in memory.readings("", kind))
            for place in sorted({*memory.series[self._index], *memory.windows[self._index], *things}):
                self._ask(memory, place, self._trace.asset_id)

    def _ask(self, memory: PartitionMemory, place: str, asset_id: str | None) -> None:
        if self._approaches is not None:
            self._remember(memory)
            found: Iterable[Approach] = self._approaches(memory, place, asset_id)
            for approach in found:
                self._trace.approached(approach)

    def _remember(self, memory: PartitionMemory) -> None:
        if not any(known is memory for known in self._memories):
            self._memories.append(memory)

    def look_at_end(self, end: datetime) -> None:
        """Take note of what still stands at the end of the period."""
        if self._memory is not None:
            for key in list(self._memory.series[self._index]):
                self._note_waits(self._memory, key, end)

    def _note_waits(self, memory: PartitionMemory, key: str, now: datetime) -> None:
        for wait in find_waits(self._inner, memory.series[self._index].get(key), now):
            self._trace.waited(wait)

    def _judged(
        self, memory: PartitionMemory, key: str, subject: Subject, verdicts: Sequence[Verdict], at: datetime
    ) -> None:
        before = memory.series[self._index].get(key)
        was_active = list(before.active_at) if before is not None else []
        evaluated_at = None if before is None else before.evaluated_at
        if self._judge is not None:
            self._judge(memory, key, subject, verdicts, at)
        after = memory.series[self._index].get(key)
        moves = []
        for place in range(len(verdicts)):
            active_at = after.active_at[place] if after is not None and after.active_at else None
            fired = bool(after is not None and after.fired and after.fired[place])
            held = was_active[place] if place < len(was_active) else None
            is_anew = held is not None and active_at == at != held and evaluated_at is not None
            moves.append(Move(active_at, fired, at - evaluated_at if is_anew and evaluated_at is not None else None))
        self._trace.judged(key, verdicts, at, moves, subject)
