"""Watching one rule while the live engine runs it: what came, what was judged, and how the condition machine moved.

The rule stays as it is; its evaluator is bound through a spy that passes every call on and looks at the series after.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from alerts.announcement import Subject
from alerts.conditions.asset_limits import AssetLimits
from alerts.conditions.leveled import LeveledEvaluator, reading_key
from alerts.conditions.window import Measured
from alerts.inquiry_measures import Yardstick
from alerts.inquiry_waits import Wait, find_waits
from alerts.memory import PartitionMemory
from alerts.rule import Bindable, Level, Rule
from alerts.series import Verdict
from alerts.world import World
from ioc.domain.alerts import Severity
from ioc.domain.events import Event
from ioc.domain.kinds import Payload
from ioc.domain.quantities import Quality

MOST_HOLDS = 100


@dataclass(slots=True)
class Hold:
    """A stretch in which a level held without a break: ``needed`` is the rule's ``for``.

    ``true_since`` is when it began to hold if the pauses that restarted the ``for`` are left aside.
    """

    severity: Severity
    since: datetime
    until: datetime
    needed: timedelta
    true_since: datetime
    fired: bool = False
    value: float | None = None
    limit: float | None = None

    @property
    def lasted(self) -> timedelta:
        """How long it held."""
        return self.until - self.since


@dataclass(frozen=True, slots=True)
class Restart:
    """A pause between two readings that was longer than the rule's ``gap`` and began a ``for`` anew."""

    at: datetime
    pause: timedelta


class Trace:
    """What happened to one thing in a period, by the source's own time.

    Args:
        rule: the rule.
        asset_id: whose readings are looked at; None for a rule over a unit, a zone or the province.
        start, end: the period.
    """

    def __init__(self, rule: Rule, asset_id: str | None, start: datetime, end: datetime) -> None:
        self._rule, self._asset_id, self._start, self._end = rule, asset_id, start, end
        self.yardstick = Yardstick(rule, asset_id)
        condition = rule.condition
        self._leaves_bad_out = isinstance(condition, AssetLimits) or bool(
            isinstance(condition, Measured) and condition.windows
        )
        self.readings_count = self.late_count = self.late_over_count = self.out_of_order_count = 0
        self.bad_count = self.evaluated_count = self.judged_count = 0
        self.longest_delay = timedelta(0)
        self.last_before_at: datetime | None = None
        self.first_at: datetime | None = None
        self.last_at: datetime | None = None
        self.longest_silence = timedelta(0)
        self.kinds: Counter[str] = Counter()
        self.zones: Counter[str] = Counter()
        self.placeless_count = 0
        self.holds: list[Hold] = []
        self.restarts: list[Restart] = []
        self.wait: Wait | None = None
        self.spies: list[Spy] = []
        self._going: dict[tuple[str, int], Hold] = {}
        self._true_since: dict[tuple[str, int], datetime] = {}

    def concerns(self, at: datetime, asset_id: str | None) -> bool:
        """Whether something is of the thing and the period that are asked about."""
        return self._start <= at <= self._end and asset_id in {self._asset_id, None}

    def came(self, event: Event, zones: tuple[str, ...]) -> bool:
        """Count a reading of the asset; whether it is of the period."""
        if self._asset_id is not None and event.asset_id != self._asset_id:
            return False
        if event.observed_at < self._start:
            self.last_before_at = max(event.observed_at, self.last_before_at or event.observed_at)
        if not self._start <= event.observed_at <= self._end:
            return False
        self.readings_count += 1
        self.longest_delay = max(self.longest_delay, event.lateness)
        before = self.last_at or self.last_before_at
        if before is not None:
            self.longest_silence = max(self.longest_silence, event.observed_at - before)
        self.first_at = min(self.first_at or event.observed_at, event.observed_at)
        self.last_at = max(self.last_at or event.observed_at, event.observed_at)
        self.kinds[event.kind] += 1
        self.zones.update(zones)
        self.placeless_count += not zones
        return True

    def looked(self, memory: PartitionMemory, index: int, event: Event) -> None:
        """Take note of a reading of the period that the rule has looked at."""
        readings = memory.windows[index].get(reading_key(event))
        if event.lateness > self._rule.lateness:
            self.late_count += 1
            self.late_over_count += self.yardstick.holds(event, readings)
        elif self._leaves_bad_out and event.quality == Quality.BAD:
            self.bad_count += 1
        else:
            self.evaluated_count += 1
            self.yardstick.measure(event, readings)

    def judged(
        self, key: str, verdicts: Sequence[Verdict], at: datetime, moves: Sequence[_Move], subject: Subject
    ) -> None:
        """Take note of a judgement: values, and for every level whether it goes on to hold."""
        levels = self._rule.condition.levels
        for place, (level, verdict, move) in enumerate(zip(levels, verdicts, moves, strict=True)):
            self._follow((key, place), level, verdict, at, move)
        if self.concerns(at, subject.asset_id):
            self.judged_count += 1
            value = next((verdict.value for verdict in verdicts if verdict.value is not None), None)
            if value is not None:
                self.yardstick.take_judged(value, at)

    def _follow(self, place: tuple[str, int], level: Level, verdict: Verdict, at: datetime, move: _Move) -> None:
        if not verdict.holds or move.active_at is None:
            self._going.pop(place, None)
            self._true_since.pop(place, None)
            return
        true_since = self._true_since.setdefault(place, move.active_at)
        hold = self._going.get(place)
        if hold is not None and hold.since != move.active_at:
            hold = None
        if move.pause is not None and self._start <= at <= self._end:
            self.restarts.append(Restart(at, move.pause))
        if hold is None:
            hold = self._going[place] = Hold(level.severity, move.active_at, at, level.hold_for, true_since)
            self._keep(hold)
        if at <= self._end:
            hold.until = at
        hold.fired = hold.fired or move.fired
        hold.value, hold.limit = verdict.value, verdict.limit

    def waited(self, wait: Wait) -> None:
        """Take note of something that stood; the stretch that came nearest to what it needs is kept."""
        if (
            self._start <= wait.until
            and wait.since <= self._end
            and (self.wait is None or wait.share > self.wait.share)
        ):
            self.wait = wait

    def _keep(self, hold: Hold) -> None:
        """Remember the longest holds; a value that swings about its limit begins one after the other."""
        self.holds.append(hold)
        if len(self.holds) > 2 * MOST_HOLDS:
            self.holds = self.longest_holds()

    def longest_holds(self) -> list[Hold]:
        """Give the holds that lie in the period, the longest first."""
        inside = [hold for hold in self.holds if hold.until >= self._start and hold.since <= self._end]
        return sorted(inside, key=lambda hold: -hold.lasted)[:MOST_HOLDS]


@dataclass(frozen=True, slots=True)
class _Move:
    """How a level moved in one judgement; ``pause`` is set where a pause began its ``for`` anew."""

    active_at: datetime | None
    fired: bool
    pause: timedelta | None


@dataclass(frozen=True, slots=True)
class Watched:
    """A condition whose evaluator is watched."""

    condition: Bindable
    trace: Trace

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
        self.trace.spies.append(spy)
        return spy


class Spy:
    """Stands between the engine and an evaluator: passes calls on as they are, and notes what they did."""

    def __init__(self, inner: Any, index: int, trace: Trace) -> None:
        self._inner, self._index, self._trace = inner, index, trace
        self._judge = getattr(inner, "judge", None)
        self._memory: PartitionMemory | None = None
        if isinstance(inner, LeveledEvaluator):
            vars(inner)["judge"] = self._judged

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def on_event(self, memory: PartitionMemory, event: Event, zones: tuple[str, ...]) -> None:
        """Pass a reading on."""
        is_asked = self._trace.came(event, zones)
        self._memory = memory
        key = reading_key(event)
        self._note_waits(memory, key, event.received_at)
        look = getattr(self._inner, "on_event", None)
        if look is not None:
            look(memory, event, zones)
        self._note_waits(memory, key, event.received_at)
        if is_asked:
            self._trace.looked(memory, self._index, event)

    def on_late(self, memory: PartitionMemory, event: Event) -> None:
        """Pass a reading on that is older than one that came before it."""
        if self._trace.came(event, ()):
            self._trace.out_of_order_count += 1
        look = getattr(self._inner, "on_late", None)
        if look is not None:
            look(memory, event)

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
            moves.append(_Move(active_at, fired, at - evaluated_at if is_anew and evaluated_at is not None else None))
        self._trace.judged(key, verdicts, at, moves, subject)
