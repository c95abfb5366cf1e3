"""Baseline: what is usual at this hour. A clock hour's count, mean or maximum against the same hours of the last weeks.

The running hour is judged only upwards: a sum that is over its limit at twenty past stays over it, one that is not may
yet come there. Whether an hour was below is said when it is over and its lateness has passed. The province's hours are
those of UTC shifted by whole hours, and it has no summer time: the same hour is a whole number of days before.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple

import msgspec

from alerts.announcement import asset_subject
from alerts.approaches import Approach, compare
from alerts.conditions.leveled import LeveledEvaluator, reading_key
from alerts.language.files import Table
from alerts.language.rule import PROVINCE_TIME, Comparison, Level, Limit, Rule
from alerts.memory.hours import DAY_HOURS, HOUR_S, Hours, HourValue
from alerts.memory.partition import PartitionMemory
from alerts.memory.series import Series, Verdict
from alerts.world import World
from ioc.domain.events import Event
from ioc.domain.grounds import Part
from ioc.domain.kinds import KINDS, Payload
from ioc.domain.quantities import Quality

MOST_WEEKS = 12
LONGEST_OPEN = timedelta(hours=48)
_STEPS = {"hour_of_day": (DAY_HOURS, 7), "hour_of_week": (7 * DAY_HOURS, 1)}
"""Hours from one to the next of the same kind, and how many of them a week has."""
_SCALE = 1.4826
"""Makes the median absolute deviation comparable with a standard deviation (Rousseeuw and Croux, 1993)."""
_WAYS = {"times": "times_usual", "score": "robust_z", "above": "value"}


class Reach(NamedTuple):
    """How a level is reached: ``times`` the median, a robust z-``score``, or a value ``above`` which it is anyway.

    Left when the hour is at or below ``clear`` on the same scale.
    """

    way: str
    over: float
    clear: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The sum of ``of`` in a clock hour against the same hours of ``weeks``, of which ``enough`` must be known.

    ``each`` names fields that tell apart what is counted at one instant: groups of people. ``least`` is the value
    below which no hour is unusual, ``spread`` the smallest deviation that a score reckons with.
    """

    kinds: tuple[type[Payload], ...]
    levels: tuple[Level, ...]
    reaches: tuple[Reach, ...]
    of: tuple[str, ...]
    each: tuple[str, ...]
    how: HourValue
    same: str
    weeks: int
    enough: int
    least: float
    spread: float
    covers: float
    open_for: timedelta
    facts: frozenset[str] = field(default=frozenset({"expected", "factor", "hours", "hour"}))

    @property
    def compared_with(self) -> dict[str, str | float]:
        """What the value of an hour is compared with, for those who ask why; the text of an alert has the figures."""
        return {
            "of": "+".join(self.of), "value": self.how.value, "same": self.same, "weeks": self.weeks,
            "enough": self.enough, "least": self.least,
        }  # fmt: skip

    @property
    def reaches_back(self) -> timedelta:
        """How old a reading may be that still counts: the first of the weeks, and the hour that runs."""
        return timedelta(days=7 * self.weeks, hours=1)

    def bind(self, rule: Rule, index: int, world: World) -> BaselineEvaluator:
        """Make the evaluator."""
        return BaselineEvaluator(rule, index, world, self)


def read_baseline(table: Table) -> Baseline:
    """Read the keys of a baseline rule."""
    kind = table.kind("on")
    known, fields = KINDS[kind.KIND].quantities, [item.name for item in KINDS[kind.KIND].fields]
    of, each = table.words("of"), table.words("each", default=())
    for name in [name for name in of if name not in known]:
        table.fault(f"of: no quantity {name!r}; there are {', '.join(known)}")
    for name in [name for name in each if name not in fields]:
        table.fault(f"each: no field {name!r}; there are {', '.join(fields)}")
    levels, reaches = _read_levels(table)
    same, how = table.choice("same", tuple(_STEPS)), HourValue(table.choice("value", tuple(HourValue), HourValue.SUM))
    weeks = table.whole("weeks", least=1, most=MOST_WEEKS)
    enough = table.whole("enough", least=1, most=max(1, weeks * _STEPS[same][1]))
    open_for = table.duration("open_for", timedelta(hours=24))
    if not timedelta(0) <= open_for <= LONGEST_OPEN:
        table.fault(f"open_for: at most {LONGEST_OPEN // timedelta(hours=1)}h")
    return Baseline(
        kinds=(kind,),
        levels=levels,
        reaches=reaches,
        of=of,
        each=each,
        how=how,
        same=same,
        weeks=weeks,
        enough=enough,
        least=table.number("least", 0.0),
        spread=table.number("spread", 0.0),
        covers=table.share("covers", 0.8),
        open_for=open_for,
    )


def _read_levels(table: Table) -> tuple[tuple[Level, ...], tuple[Reach, ...]]:
    levels, reaches = [], []
    for part in table.tables("levels"):
        ways = [way for way in _WAYS if part.has(way)]
        if len(ways) != 1:
            part.fault(f"exactly one of {', '.join(_WAYS)}")
        way = ways[0] if ways else "above"
        over = part.number(way) if ways else 0.0
        clear = part.number("clear", over)
        if clear > over:
            part.fault(f"clear: at most {over:g}, where the level begins")
        reaches.append(Reach(way, over, clear))
        limit = Comparison(quantity=_WAYS[way], operator=">", limit=Limit(values=(over,)))
        levels.append(Level(severity=part.severity("severity"), when=(limit,)))
        for other in ways[1:]:
            part.number(other)
        part.finish()
    if not levels:
        table.fault("levels: at least one")
    return tuple(levels), tuple(reaches)


class BaselineState(Series, kw_only=True, omit_defaults=True):
    """The series of an asset with an open alert; ``judged`` is the last hour that was judged when it was over."""

    judged: int = 0


class Measured(NamedTuple):
    """What an hour came to, and what every level says of it."""

    verdicts: Sequence[Verdict]
    hour: int
    value: float
    expected: float | None
    hours_count: int

    def facts(self) -> dict[str, str | float]:
        """Give what the texts of an alert may say of it."""
        facts: dict[str, str | float] = {"hour": _name_of(self.hour), "hours": float(self.hours_count)}
        if self.expected is not None:
            facts["expected"] = self.expected
            if self.expected > 0:
                facts["factor"] = self.value / self.expected
        return facts


class BaselineEvaluator(LeveledEvaluator):
    """Every reading enters its hour, also a late one; a timely one is judged with its hour."""

    state_type = BaselineState
    looks_back = True

    def __init__(self, rule: Rule, index: int, world: World, condition: Baseline) -> None:
        super().__init__(rule, index, world)
        self._condition = condition
        self._step, in_week = _STEPS[condition.same]
        self._times = condition.weeks * in_week
        self._shape = f"{condition.how}:{','.join(condition.of)}:{','.join(condition.each)}"
        self._lateness_s = rule.lateness.total_seconds()
        self._has_score = any(reach.way == "score" for reach in condition.reaches)

    def on_event(self, memory: PartitionMemory, event: Event, zones: tuple[str, ...]) -> None:
        """Take a reading in and judge its hour."""
        if event.quality == Quality.BAD:
            return
        values = [value for name in self._condition.of if (value := getattr(event.data, name)) is not None]
        if not values:
            return
        total = float(sum(values))
        if not math.isfinite(total):
            memory.add_fault(self.rule.rule_id, event.asset_id, f"a value is not a finite number: {values}")
            return
        key = reading_key(event)
        who = "\x1f".join(str(getattr(event.data, name)) for name in self._condition.each)
        hours = self._hours_of(memory, key)
        count, moment = len(hours), event.observed_at.timestamp()
        try:
            changed = hours.add(moment, who, total)
        except OverflowError as error:
            memory.add_fault(self.rule.rule_id, event.asset_id, str(error))
            return
        memory.hold(self.rule.rule_id, self.index, key, changed, len(hours) - count)
        if changed and event.received_at - event.observed_at <= self.rule.lateness:
            self._judge_hour(memory, key, event, hours, int(moment // HOUR_S))

    def on_late(self, memory: PartitionMemory, event: Event) -> None:
        """Take a reading that came out of order, or beside another of its instant, like any other."""
        self.on_event(memory, event, ())

    def _judge_hour(self, memory: PartitionMemory, key: str, event: Event, hours: Hours, hour: int) -> None:
        """Judge the hour of a reading upwards; downwards the newest that is over, if an alert waits for that."""
        final = self._final(hours)
        if hour > final and self._is_over(hours, hour):
            running = self._measure(hours, hour, is_over=False)
            if running is not None:
                self._say(memory, key, event, hours, running)
            return
        state = memory.series[self.index].get(key)
        if not isinstance(state, BaselineState) or not state.is_open:
            return
        self.note_heard(memory, key, state, event)
        memory.dirty.add((self.index, key))
        if final > state.judged:
            state.judged = final
            found = self._measure(hours, final, is_over=True, told=state.last.limit if state.last else None)
            if found is not None:
                self._say(memory, key, event, hours, found)

    def _final(self, hours: Hours) -> int:
        """Give the newest hour of which nothing timely can come any more."""
        return int((hours.newest - self._lateness_s) // HOUR_S) - 1

    def _is_over(self, hours: Hours, hour: int) -> bool:
        """Say whether the running hour is over the limit of any level; nearly always it is not yet."""
        value = hours.running(hour)
        if value is None:
            return False
        expected, spread, _ = self._find_usual(hours, hour)
        for way, over, _ in self._condition.reaches:
            limit = self._limit(way, over, expected, spread)
            if limit is not None and value > limit:
                return True
        return False

    def _find_usual(self, hours: Hours, hour: int) -> tuple[float | None, float, int]:
        """Give what is expected of an hour, how far hours are from it usually, and of how many hours that is known."""
        usual = hours.same(hour, self._step, self._times)
        count, spread = len(usual.values), self._condition.spread
        expected = usual.median if count >= self._condition.enough else None
        if expected is not None and self._has_score:
            spread = max(spread, _SCALE * usual.deviation)
        return expected, spread, count

    def _measure(self, hours: Hours, hour: int, *, is_over: bool, told: float | None = None) -> Measured | None:
        """Judge an hour by every level; None when nothing can be said of it.

        An hour with nothing to compare it with ends an alert when it is not over the limit that was ``told``.
        """
        value = hours.value(hour) if is_over else hours.running(hour)
        if value is None:
            return None
        expected, spread, count = self._find_usual(hours, hour)
        verdicts, is_known = [], False
        for reach in self._condition.reaches:
            limit, clear = (self._limit(reach.way, at, expected, spread) for at in (reach.over, reach.clear))
            if limit is None or clear is None:
                verdicts.append(Verdict(False, told is not None and value <= told, value, None))
                is_known = is_known or told is not None
                continue
            is_known = True
            verdicts.append(Verdict(value > limit, is_over and value <= clear, value, limit))
        return Measured(verdicts, hour, value, expected, count) if is_known else None

    def _limit(self, way: str, at: float, expected: float | None, spread: float) -> float | None:
        if way == "above":
            return at
        if expected is None or (way == "score" and spread <= 0):
            return None
        limit = expected * at if way == "times" else expected + at * spread
        return max(limit, self._condition.least)

    def approaches(self, memory: PartitionMemory, place: str, asset_id: str | None) -> Iterator[Approach]:
        """Say what the newest hour has come to beside each level's limit, with what was usual."""
        hours: Hours | None = memory.windows[self.index].get(place)
        if hours is None or not math.isfinite(hours.newest):
            return
        hour, known = int(hours.newest // HOUR_S), self._condition.enough
        usual, value = hours.same(hour, self._step, self._times).values, hours.running(hour)
        found = self._measure(hours, hour, is_over=False)
        if value is None:
            return
        parts = list(_ask(value, found.verdicts if found else ()))
        if len(usual) < known and any(reach.way != "above" for reach in self._condition.reaches):
            parts.append(Part("usual_known", False, one_of="level"))
        facts: dict[str, str | float] = {"hour": _name_of(hour), "usual_hours_count": float(len(usual))}
        if found is not None and found.expected is not None:
            facts["expected"] = found.expected
        yield Approach(datetime.fromtimestamp(hours.newest, UTC), tuple(parts), place, place, facts)

    def _say(self, memory: PartitionMemory, key: str, event: Event, hours: Hours, found: Measured) -> None:
        zone_id = self.world.station_zones.get(event.asset_id)
        subject = replace(
            asset_subject(self.world, event, zone_id, **found.facts()), asked=partial(_ask, found.value, found.verdicts)
        )
        self.judge(memory, key, subject, found.verdicts, datetime.fromtimestamp(hours.newest, UTC))
        state = memory.series[self.index].get(key)
        if isinstance(state, BaselineState):
            state.judged = max(state.judged, self._final(hours))

    def _hours_of(self, memory: PartitionMemory, key: str) -> Hours:
        held = memory.windows[self.index]
        hours: Hours | None = held.get(key)
        if hours is None:
            condition = self._condition
            hours = held[key] = Hours(
                self._shape,
                condition.how,
                condition.covers,
                condition.open_for.total_seconds(),
                7 * condition.weeks + 1,
            )
        return hours

    def restore_part(self, memory: PartitionMemory, key: str, part: int, kept: bytes) -> bool:
        """Take back a part of an asset's hours; False when it is of other values."""
        try:
            return self._hours_of(memory, key).unpack(part, kept)
        except msgspec.ValidationError:
            return False

    def new_series(self) -> BaselineState:
        """Make the state of an asset."""
        return BaselineState(shape=self.rule.condition_name)


def _name_of(hour: int) -> str:
    begin = datetime.fromtimestamp(hour * HOUR_S, PROVINCE_TIME)
    return f"{begin:%H}:00–{begin + timedelta(hours=1):%H}:00"


def _ask(value: float, verdicts: Sequence[Verdict]) -> Iterator[Part]:
    """Say what an hour came to beside the limit of each level that has one."""
    for limit in sorted({verdict.limit for verdict in verdicts if verdict.limit is not None}):
        yield compare("hour_value", value, ">", limit, one_of="level")
