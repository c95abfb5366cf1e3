"""Watching one rule while the live engine runs it: what came, what was judged, and how the condition machine moved.

The rule stays as it is; its evaluator is bound through a spy that passes every call on and looks at the series after.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.announcement import Subject
from alerts.approaches import Approach
from alerts.conditions.asset_limits import AssetLimits
from alerts.conditions.leveled import reading_key
from alerts.conditions.window import Measured
from alerts.inquiry.measures import Yardstick
from alerts.inquiry.nearness import Nearness
from alerts.inquiry.waits import Wait
from alerts.language.rule import Level, Rule
from alerts.memory.partition import PartitionMemory
from alerts.memory.series import Verdict
from ioc.domain.alerts import Severity
from ioc.domain.events import Event
from ioc.domain.kinds import KINDS
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
        self._rule, self._start, self._end = rule, start, end
        self.yardstick, self.nearness = Yardstick(rule, asset_id), Nearness()
        self.asset_id, self.tells_nearness = asset_id, False
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
        self.units: set[str] = set()
        self.placeless_count = 0
        self.holds: list[Hold] = []
        self.restarts: list[Restart] = []
        self.wait: Wait | None = None
        self._going: dict[tuple[str, int], Hold] = {}
        self._true_since: dict[tuple[str, int], datetime] = {}

    def concerns(self, at: datetime, asset_id: str | None) -> bool:
        """Whether something is of the thing and the period that are asked about; without a thing all are."""
        return self._start <= at <= self._end and (self.asset_id is None or asset_id in {self.asset_id, None})

    def is_elsewhere(self, labels: Sequence[tuple[str, str]]) -> bool:
        """Whether an alert is about a unit or a water that the asset is not in: a blackout there is another matter."""
        if self.asset_id is None:
            return False
        units = {value.removeprefix("unit:") for name, value in labels if name in {"blackout", "unit"}}
        waters = {value.removeprefix("zone:") for name, value in labels if name == "reception"}
        is_in_none = bool(waters) and bool(self.zones) and not waters & self.zones.keys()
        return is_in_none or (bool(units) and bool(self.units) and not units & self.units)

    @property
    def is_about_a_place(self) -> bool:
        """Whether what is asked about reports nothing itself: a gate, which the rule knows by those that leave it."""
        own = None if self.asset_id is None else self.asset_id.partition(".")[0]
        classes = {KINDS[kind.KIND].asset_class for kind in self._rule.condition.kinds}
        return own is not None and own not in classes and self.nearness.asked_count > 0

    def came(self, event: Event, zones: tuple[str, ...]) -> bool:
        """Count a reading of the asset; whether it is of the period."""
        if self.asset_id is not None and event.asset_id != self.asset_id:
            return False
        self.units |= {event.unit_code} if event.unit_code else set()
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

    def witnessed(self, event: Event) -> None:
        """Count a reading of the period that came too late for this version of the rule."""
        if self.came(event, ()):
            self.late_count += event.lateness > self._rule.lateness

    def looked(
        self, memory: PartitionMemory, index: int, event: Event,
        value_of: Callable[[PartitionMemory, Event], float | None] | None = None,
    ) -> None:  # fmt: skip
        """Take note of a reading of the period that the rule has looked at.

        ``value_of`` gives what a rule that makes its own value has made of it, also where that is far from any limit.
        """
        readings = memory.windows[index].get(reading_key(event))
        if event.lateness > self._rule.lateness:
            self.late_count += 1
            self.late_over_count += self.yardstick.holds(event, readings)
        elif self._leaves_bad_out and event.quality == Quality.BAD:
            self.bad_count += 1
        else:
            self.evaluated_count += 1
            self.yardstick.measure(event, readings)
            if value_of is not None:
                self.yardstick.take_made(value_of(memory, event), event.observed_at)

    def judged(
        self, key: str, verdicts: Sequence[Verdict], at: datetime, moves: Sequence[Move], subject: Subject
    ) -> None:
        """Take note of a judgement: values, and for every level whether it goes on to hold."""
        levels = self._rule.condition.levels
        for place, (level, verdict, move) in enumerate(zip(levels, verdicts, moves, strict=True)):
            self._follow((key, place), level, verdict, at, move)
        if self.concerns(at, subject.asset_id):
            self.judged_count += 1
            value = next((verdict.value for verdict in verdicts if verdict.value is not None), None)
            if value is not None and not self.tells_nearness:
                self.yardstick.take_judged(value, at)

    def approached(self, approach: Approach) -> None:
        """Take note of how near the rule came at an instant of the period; values against levels are measured too."""
        if not self.concerns(approach.at, approach.asset_id):
            return
        self.nearness.take(approach)
        for part in approach.parts:
            if part.what in self.yardstick.judged_quantities and part.value is not None:
                self.yardstick.take_judged(part.value, approach.at, approach.place)

    def _follow(self, place: tuple[str, int], level: Level, verdict: Verdict, at: datetime, move: Move) -> None:
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
class Move:
    """How a level moved in one judgement; ``pause`` is set where a pause began its ``for`` anew."""

    active_at: datetime | None
    fired: bool
    pause: timedelta | None
