"""Window and expression: limits on aggregates over event time, or CEL over a reading and such aggregates."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from operator import attrgetter
from typing import Any

import msgspec

from alerts.announcement import asset_subject
from alerts.conditions.leveled import COMPOUND_KINDS, LeveledEvaluator, reading_key
from alerts.language.arithmetic import PlainFormula, find_comparisons
from alerts.language.days import confine
from alerts.language.expressions import Expression, ExpressionError, variables_of
from alerts.language.files import Table, note_contradictions, note_doubts, parse_comparison
from alerts.language.rule import PROVINCE_TIME, Comparison, Level, Rule
from alerts.language.wanted import wanted_texts
from alerts.language.windows import Window, find_window_fault, read_windows
from alerts.memory.loudness import Loudness
from alerts.memory.partition import PartitionMemory
from alerts.memory.readings import Readings
from alerts.memory.series import Verdict
from alerts.memory.windowing import Windows
from alerts.world import World
from ioc.domain.events import Event
from ioc.domain.kinds import KINDS, Observation, Payload
from ioc.domain.quantities import Quality

_asset_of: Callable[[Event], str] = attrgetter("asset_id")

_AT_ONCE = timedelta(0)
_WORD = re.compile(r"\w+")

MOST_FORMULAS = 12
"""Levels of one rule: compiling the longest formula takes some 20 ms, and nobody has so many severities."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Levels over quantities and windows of one kind. ``formulas`` are the CEL conditions and clearances of the
    levels, by level, where the rule has them instead of comparisons; ``shown`` names the value that an alert shows.
    """

    kinds: tuple[type[Payload], ...]
    levels: tuple[Level, ...]
    windows: tuple[Window, ...]
    formulas: tuple[tuple[str, str], ...] = ()
    shown: str = ""

    @property
    def facts(self) -> frozenset[str]:
        """Names that texts may use besides the usual ones."""
        return frozenset(window.name for window in self.windows) | {
            field.name for field in KINDS[self.kinds[0].KIND].fields
        }

    @property
    def asked(self) -> frozenset[str]:
        """Names that its levels ask for, or that its alerts show as their value."""
        compared = {item.quantity for level in self.levels for item in (*level.when, *level.clear)}
        words = {word for pair in self.formulas for formula in pair for word in _WORD.findall(formula)}
        return frozenset(compared | words | {self.shown})

    def bind(self, rule: Rule, index: int, world: World) -> MeasuredEvaluator:
        """Make the evaluator."""
        return MeasuredEvaluator(rule, index, world, self)


def read_window(table: Table) -> Measured:
    """Read the keys of a window rule."""
    kind = table.kind("on")
    windows = read_windows(table, kind)
    names = [window.name for window in windows]
    levels = table.levels("levels", kind, names, find_fault=partial(find_window_fault, windows=windows))
    return Measured(kinds=(kind,), windows=windows, levels=levels)


def read_expression(table: Table) -> Measured:
    """Read the keys of an expression rule; every formula is compiled here, so that a bad one never gets further."""
    kind = table.kind("on")
    windows = read_windows(table, kind, optional=True)
    variables = variables_of(KINDS[kind.KIND], [window.name for window in windows])
    levels, formulas = [], []
    parts, known_faults = table.tables("levels"), len(table.faults)
    if table.has("levels") and not parts:
        table.fault("levels: at least one level", table.node_of("levels"))
    if len(parts) > MOST_FORMULAS:
        table.fault(f"levels: at most {MOST_FORMULAS} with formulas", table.node_of("levels"))
    for part in parts[:MOST_FORMULAS]:
        when = _read_formula(part, "when", variables)
        clear = _read_formula(part, "clear", variables) if part.has("clear") else ""
        severity, hold_for, (from_on, until_on) = part.severity("severity"), part.duration("for", _AT_ONCE), part.term()
        levels.append(Level(severity=severity, hold_for=hold_for, from_on=from_on, until_on=until_on))
        formulas.append((when, clear))
        part.finish()
    if len(table.faults) == known_faults:
        plain = [_read_plainly(level, *texts) for level, texts in zip(levels, formulas, strict=True)]
        note_contradictions(plain, parts[:MOST_FORMULAS])
        for part, (when, _) in zip(parts, formulas, strict=True):
            note_doubts(part, _find_compared(when), partial(find_window_fault, windows=windows))
    shown = table.text("shows", "")
    if shown and shown not in variables:
        table.fault(f"shows: no value {shown!r}; there are {', '.join(sorted(variables))}")
    return Measured(kinds=(kind,), windows=windows, levels=tuple(levels), formulas=tuple(formulas), shown=shown)


def _read_plainly(level: Level, when: str, clear: str) -> Level:
    """Give a level of formulas as one of comparisons, as far as each of its formulas is one comparison."""
    reached, left = parse_comparison(when), parse_comparison(clear)
    return replace(
        level,
        when=() if reached is None else (confine(reached, level.from_on, level.until_on),),
        clear=() if left is None else (left,),
    )


def _find_compared(formula: str) -> list[Comparison]:
    """Give what a formula compares with a number, wherever its form shows that."""
    found = map(parse_comparison, find_comparisons(formula))
    return [item for item in found if item is not None]


def _observed_of(condition: Measured) -> frozenset[str] | None:
    """Give the quantities of an observation with which any level could hold; None for all of them."""
    wanted = [wanted_texts(when, "quantity") for when, _ in condition.formulas]
    if condition.kinds[0] is not Observation or not wanted or None in wanted:
        return None
    return frozenset().union(*(texts for texts in wanted if texts is not None))


def _read_formula(part: Table, name: str, variables: Mapping[str, type]) -> str:
    """Read a formula and compile it; one that is missing or is no text has its fault already."""
    known_faults = len(part.faults)
    text = part.text(name)
    if len(part.faults) > known_faults:
        return text
    try:
        names = Expression(text, variables).names
    except ExpressionError as error:
        part.fault(f"{name}: {error}", part.node_of(name))
        return text
    if not names:
        what = f"{name}: names no value, so no reading changes it; there are {', '.join(sorted(variables))}"
        part.fault(what, part.node_of(name), can_run=True)
    return text


class MeasuredEvaluator(LeveledEvaluator):
    """Every reading enters the windows, also a late one; only a timely one is judged."""

    def __init__(self, rule: Rule, index: int, world: World, condition: Measured) -> None:
        super().__init__(rule, index, world)
        self._condition, self._windows = condition, Windows(condition.windows)
        self._loudness = Loudness(condition.windows, condition.levels, self._windows.quantities)
        self._may_skip = self._loudness.is_known
        self.observed = _observed_of(condition)
        self._key_of = reading_key if condition.kinds[0] in COMPOUND_KINDS else _asset_of
        self.looks_back = bool(condition.windows)
        kind = KINDS[condition.kinds[0].KIND]
        self._fields = tuple(field.name for field in kind.fields)
        variables = variables_of(kind, [window.name for window in condition.windows])
        self._comparisons = [
            (item, item.is_over, None if item.limit.from_on else item.limit.values[0])
            for level in condition.levels
            for item in level.when
        ]
        self._formulas = [
            (Expression(when, variables), Expression(clear, variables) if clear else None)
            for when, clear in condition.formulas
        ]
        numbers = frozenset(name for name, kind in variables.items() if kind in (float, int))
        plain = [PlainFormula(text, numbers) for pair in condition.formulas for text in pair if text]
        # An error of a formula is a fault, also of one that only clears: all must be such as cannot fail.
        self._plain = [PlainFormula(when, numbers) for when, _ in condition.formulas]
        self._is_plain = bool(plain) and all(formula.is_plain for formula in plain)

    def on_event(self, memory: PartitionMemory, event: Event, zones: tuple[str, ...]) -> None:
        """Take a reading in and judge the levels."""
        key, windows = self._key_of(event), {}
        if self._condition.windows:
            if event.quality == Quality.BAD:
                return
            readings = self._take(memory, key, event)
            if self._may_skip and key not in memory.series[self.index] and not self._is_loud(readings, event):
                return
            windows = self._windows.measure(readings, event.observed_at)
        if event.received_at - event.observed_at > self.rule.lateness:
            return
        if not self._formulas and not self._concerns(memory, key, event, windows):
            return
        values = {name: value for name in self._fields if (value := getattr(event.data, name)) is not None} | windows
        if self._is_plain and key not in memory.series[self.index] and not self._may_hold(values):
            return
        verdicts = self._judge(values, _day_of(event))
        if verdicts is None:
            return
        if not any(verdict.holds for verdict in verdicts) and key not in memory.series[self.index]:
            return
        zone_id = self.world.station_zones.get(event.asset_id) or (zones[0] if zones else None)
        subject = asset_subject(self.world, event, zone_id, **_to_facts(values))
        self.judge(memory, key, subject, verdicts, event.observed_at)

    def _concerns(self, memory: PartitionMemory, key: str, event: Event, windows: Mapping[str, float]) -> bool:
        """Say whether there is anything to judge: most readings are over no limit, and of nothing that is watched."""
        if key in memory.series[self.index]:
            return True
        for item, is_over, fixed in self._comparisons:
            name = item.quantity
            value = windows[name] if name in windows else getattr(event.data, name, None)
            if value is not None:
                limit = item.limit.on(_day_of(event)) if fixed is None else fixed
                if limit is not None and is_over(value, limit):
                    return True
        return False

    def _may_hold(self, values: Mapping[str, Any]) -> bool:
        """Say whether a level could hold; if none does, of nothing that is watched, there is nothing to judge."""
        return any(formula.may_hold(values) for formula in self._plain)

    def on_late(self, memory: PartitionMemory, event: Event) -> None:
        """Take a reading that came out of order into its place; the next one in order is judged with it."""
        if self._condition.windows and event.quality != Quality.BAD:
            self._take(memory, self._key_of(event), event)

    def _take(self, memory: PartitionMemory, key: str, event: Event) -> Readings:
        loudness = self._loudness if self._may_skip else None
        return self._windows.take(memory, self.rule.rule_id, self.index, key, event.data, event.observed_at, loudness)

    def _is_loud(self, readings: Readings, event: Event) -> bool:
        """Say whether any window can be over a limit; nearly always none can."""
        if readings.loud_until == math.inf:
            readings.loud_until = self._loudness.until_now(readings)
        return event.observed_at.timestamp() <= readings.loud_until

    def _readings_of(self, memory: PartitionMemory, key: str) -> Readings:
        held = memory.windows[self.index]
        readings = held.get(key)
        if readings is None:
            readings = held[key] = self._windows.begin()
        return readings

    def restore_part(self, memory: PartitionMemory, key: str, part: int, kept: bytes) -> bool:
        """Take back a part of an asset's readings; False when it is of other windows."""
        try:
            return bool(self._condition.windows) and self._readings_of(memory, key).unpack(part, kept)
        except msgspec.ValidationError:
            return False

    def _judge(self, values: Mapping[str, Any], day: date) -> list[Verdict] | None:
        """Judge every level; None when nothing that they ask for is known."""
        if not self._formulas:
            return compare_levels(self._condition.levels, values, day)
        verdicts, is_known = [], False
        value = _to_number(values.get(self._condition.shown))
        for level, (when, clear) in zip(self._condition.levels, self._formulas, strict=True):
            if not level.is_in_force(day):
                verdicts.append(Verdict(False, True, value, None))
                continue
            holds = when.holds(values)
            is_known = is_known or holds is not None
            clears = True if clear is None else clear.holds(values) is True
            verdicts.append(Verdict(holds is True, clears and holds is not None, value, None))
        return verdicts if is_known else None


def compare_levels(levels: Sequence[Level], values: Mapping[str, Any], day: date) -> list[Verdict] | None:
    """Judge every level by what is known on a day; None when nothing that they ask for is."""
    verdicts, is_known = [], False
    for level in levels:
        holding = next((found for item in level.when if (found := _over(item, values, day)) is not None), None)
        first = next((values[item.quantity] for item in level.when if item.quantity in values), None)
        is_known = is_known or first is not None
        if holding is not None:
            verdicts.append(Verdict(True, False, *holding))
            continue
        is_in_force = level.is_in_force(day)
        clears = not is_in_force or all(_clears(item, values, day) for item in level.clear)
        missing = tuple(item.quantity for item in level.when if is_in_force and item.quantity not in values)
        verdicts.append(Verdict(False, clears and first is not None, first, None, missing=missing))
    return verdicts if is_known else None


def _over(item: Comparison, values: Mapping[str, Any], day: date) -> tuple[float, float, str] | None:
    value, limit = values.get(item.quantity), item.limit.on(day)
    if value is None or limit is None or not math.isfinite(value) or not item.is_over(value, limit):
        return None
    return float(value), limit, item.quantity


def _clears(item: Comparison, values: Mapping[str, Any], day: date) -> bool:
    """Say whether a clearance asks nothing more: also where no limit of it was in force that day."""
    return item.limit.on(day) is None or _over(item, values, day) is not None


def _day_of(event: Event) -> date:
    return event.observed_at.astimezone(PROVINCE_TIME).date()


def _to_number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _to_facts(values: Mapping[str, Any]) -> dict[str, str | float]:
    return {name: number if (number := _to_number(value)) is not None else str(value) for name, value in values.items()}
