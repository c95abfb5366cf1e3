"""What a rule measures of one asset, how near each value came to its limit, and what could not be measured."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from alerts.approaches import Approach, compare
from alerts.conditions.asset_limits import AssetLimits
from alerts.conditions.window import Measured
from alerts.language.arithmetic import PlainComparison, read_ways
from alerts.language.expressions import Expression, ExpressionError, variables_of
from alerts.language.rule import PROVINCE_TIME, Comparison, Level, Rule
from alerts.language.windows import TENTHS, Window
from alerts.memory.readings import Readings
from alerts.memory.windowing import Windows, end_of
from ioc.domain.alerts import Severity
from ioc.domain.events import Event
from ioc.domain.grounds import Part
from ioc.domain.kinds import KINDS, Kind


@dataclass(slots=True)
class Nearest:
    """The value that came nearest to a limit without passing it; ``lacking`` is what it lacked, in its unit.

    ``place`` is the unit, zone or thing of whose values it is one, where a rule looks past one asset.
    """

    severity: Severity
    comparison: Comparison
    value: float = math.nan
    limit: float = math.nan
    lacking: float = math.inf
    at: datetime | None = None
    place: str = ""

    @property
    def share(self) -> float:
        """What it lacked as a share of the limit: limits of different units are compared by it."""
        return self.lacking / abs(self.limit) if self.limit else self.lacking


@dataclass(slots=True)
class Filling:
    """How well a window was filled at best: ``best_ratio`` of its tenths had a value in them.

    ``is_begun``: a value came less than a span before; a tumbling window does not look at it yet.
    """

    window: Window
    is_begun: bool = False
    best_ratio: float = -1.0
    best_at: datetime | None = None


class Yardstick:
    """The limits of one rule for one asset, and what was measured against them.

    Values are fields of a reading or windows over them; where a rule makes its value itself (an index, a share), it
    comes from what the rule judged.

    Args:
        rule: the rule.
        asset_id: whose own limits count, where a rule has limits by asset.
    """

    def __init__(self, rule: Rule, asset_id: str | None) -> None:
        condition = rule.condition
        kind = KINDS[condition.kinds[0].KIND]
        self._fields = frozenset(item.name for item in kind.fields)
        windows: tuple[Window, ...] = condition.windows if isinstance(condition, Measured) else ()
        self._windows = Windows(windows) if windows else None
        names = self._fields | {window.name for window in windows}
        variables = variables_of(kind, [window.name for window in windows])
        formulas = condition.formulas if isinstance(condition, Measured) else ()
        levels = condition.levels if formulas else ()
        self._formulas = [
            (level, Expression(when, variables)) for level, (when, _) in zip(levels, formulas, strict=True)
        ]
        numbers = _numbers_of(variables)
        self._ways = [(level, way) for level, formula in self._formulas for way in read_ways(formula.text, numbers)]
        self.nearest_way: Approach | None = None
        self._least_shortfall = math.inf
        self._shown = condition.shown if isinstance(condition, Measured) else ""
        self._nearest = [Nearest(level, item) for level, item in _comparisons_of(rule, asset_id)]
        self.is_judged_by_rule = any(item.comparison.quantity not in names for item in self._nearest)
        self.fillings = {window.name: Filling(window) for window in windows}
        self.samples: dict[tuple[str, str], list[tuple[datetime, float]]] = {}
        self.missing: Counter[str] = Counter()
        self.measured_count = self.held_count = self.unlimited_count = 0

    @property
    def is_known(self) -> bool:
        """Whether the rule compares values; others look at states, places or times."""
        return bool(self._nearest or self._formulas)

    @property
    def nearest(self) -> list[Nearest]:
        """Where each comparison came nearest, the nearest of all first; without those that had no value."""
        return sorted((item for item in self._nearest if item.at is not None), key=lambda item: item.share)

    @property
    def comparisons(self) -> list[tuple[Severity, Comparison]]:
        """Every comparison with the severity that it gives."""
        return [(item.severity, item.comparison) for item in self._nearest]

    @property
    def judged_quantities(self) -> frozenset[str]:
        """The values that the rule makes itself and compares."""
        return frozenset(item.comparison.quantity for item in self._nearest if self.is_judged_by_rule)

    @property
    def formulas(self) -> list[str]:
        """The formulas, where the rule has them in place of comparisons."""
        return [formula.text for _, formula in self._formulas]

    @property
    def terms(self) -> list[tuple[Level, str]]:
        """Every formula with the level whose days say when it is in force."""
        return [(level, formula.text) for level, formula in self._formulas]

    def holds(self, event: Event, readings: Readings | None) -> bool:
        """Say whether a reading passes any limit, and note nothing."""
        values, day = self._values(event, readings), event.observed_at.astimezone(PROVINCE_TIME).date()
        passed = (_lacking(item.comparison, values, item.comparison.limit.on(day)) < 0 for item in self._nearest)
        return any(passed) or any(
            _holds(formula, values) for level, formula in self._formulas if level.is_in_force(day)
        )

    def measure(self, event: Event, readings: Readings | None) -> None:
        """Take a reading's values against the limits of its day."""
        if not self.is_judged_by_rule:
            values = self._values(event, readings)
            self._note_missing(event, readings, values)
            self._take(values, event.observed_at)

    def take_made(self, value: float | None, at: datetime) -> None:
        """Take the value that the rule made of a reading; None where it could make none yet."""
        if value is None:
            self.missing.update(self.judged_quantities)
        else:
            self.take_judged(value, at)

    def take_judged(self, value: float, at: datetime, place: str = "") -> None:
        """Take the value that the rule made itself, of one unit, zone or thing."""
        if self.is_judged_by_rule:
            self._take(dict.fromkeys((item.comparison.quantity for item in self._nearest), value), at, place)

    def _take(self, values: Mapping[str, object], at: datetime, place: str = "") -> None:
        day = at.astimezone(PROVINCE_TIME).date()
        is_measured = is_limited = is_over = False
        for item in self._nearest:
            value, limit = _number(values.get(item.comparison.quantity)), item.comparison.limit.on(day)
            if value is None:
                continue
            is_measured = True
            if limit is None:
                continue
            is_limited = True
            lacking = _lacking(item.comparison, values, limit)
            is_over = is_over or lacking < 0
            if 0 <= lacking < item.lacking:
                item.value, item.limit, item.lacking, item.at, item.place = value, limit, lacking, at, place
        outcomes = [(level.is_in_force(day), _holds(formula, values)) for level, formula in self._formulas]
        is_measured = is_measured or any(outcome is not None for _, outcome in outcomes)
        is_limited = is_limited or any(is_in_force for is_in_force, _ in outcomes)
        self._note_ways(values, at)
        self.measured_count += is_measured
        self.held_count += is_over or (True, True) in outcomes
        self.unlimited_count += is_measured and not is_limited
        for name in {item.comparison.quantity for item in self._nearest} | ({self._shown} if self._shown else set()):
            if (value := _number(values.get(name))) is not None:
                self.samples.setdefault((name, place), []).append((at, value))

    def _note_ways(self, values: Mapping[str, object], at: datetime) -> None:
        """Keep the way in which a formula lacked least to hold."""
        day = at.astimezone(PROVINCE_TIME).date()
        for level, way in self._ways:
            if not level.is_in_force(day):
                continue
            parts = _compare_way(way, values)
            approach = Approach(at, parts)
            weight = approach.weigh()
            if len(parts) == len(way) and not weight.is_all and weight.shortfall < self._least_shortfall:
                self.nearest_way, self._least_shortfall = approach, weight.shortfall

    def _note_missing(self, event: Event, readings: Readings | None, values: Mapping[str, object]) -> None:
        asked = {item.comparison.quantity for item in self._nearest}
        for _, formula in self._formulas:
            asked |= set(formula.names)
        for name in asked:
            if name in values:
                continue
            self.missing[name] += 1
            if (filling := self.fillings.get(name)) is not None and readings is not None:
                self._note_filling(filling, readings, event.observed_at)

    def _note_filling(self, filling: Filling, readings: Readings, at: datetime) -> None:
        if self._windows is None:
            return
        window, moment, span_s = filling.window, at.timestamp(), filling.window.span.total_seconds()
        number, end = self._windows.quantities.index(window.quantity), end_of(window, at)
        filling.is_begun = filling.is_begun or readings.count(number, *readings.find(moment - span_s, moment)) > 0
        places = readings.cut(end - span_s, end, TENTHS)
        ratio = sum(readings.count(number, first, last) > 0 for first, last in pairwise(places)) / TENTHS
        if ratio > filling.best_ratio:
            filling.best_ratio, filling.best_at = ratio, at

    def _values(self, event: Event, readings: Readings | None) -> dict[str, object]:
        values = {name: value for name in self._fields if (value := getattr(event.data, name, None)) is not None}
        if self._windows is not None and readings is not None and len(readings.times):
            values |= self._windows.measure(readings, event.observed_at)
        return values


def weigh_formula(text: str, kind: Kind, windows: Sequence[Window], values: Mapping[str, object]) -> list[list[Part]]:
    """Give the comparisons of a formula, both sides worked out, by the ways in which it may hold.

    What names a value that is missing is left out; nothing where the formula is more than comparisons of numbers.
    """
    variables = variables_of(kind, [window.name for window in windows])
    return [list(_compare_way(way, values)) for way in read_ways(text, _numbers_of(variables))]


def _numbers_of(variables: Mapping[str, type]) -> frozenset[str]:
    return frozenset(name for name, kind in variables.items() if kind in (float, int))


def _compare_way(way: Sequence[PlainComparison], values: Mapping[str, object]) -> tuple[Part, ...]:
    sides = [comparison.sides(values) for comparison in way]
    return tuple(
        compare(comparison.text, found[0], comparison.operator, found[1])
        for comparison, found in zip(way, sides, strict=True)
        if found is not None and all(map(math.isfinite, found))
    )


def _comparisons_of(rule: Rule, asset_id: str | None) -> list[tuple[Severity, Comparison]]:
    condition = rule.condition
    if isinstance(condition, AssetLimits):
        own = condition.comparisons_of(asset_id or "")
        return [(severity, item) for severity, items in own.items() for item in items]
    return [(level.severity, item) for level in condition.levels for item in level.when]


def _lacking(item: Comparison, values: Mapping[str, object], limit: float | None) -> float:
    """Give what a value lacks to pass a limit: below zero where it passes, infinite where nothing is known."""
    value = _number(values.get(item.quantity))
    if value is None or limit is None:
        return math.inf
    if item.is_over(value, limit):
        return -1.0
    return limit - value if item.operator.startswith(">") else value - limit


def _holds(formula: Expression, values: Mapping[str, object]) -> bool | None:
    """Say whether a formula holds; None where a value is missing, or where it fails, which the engine tells."""
    try:
        return formula.holds(values)
    except ExpressionError:
        return None


def _number(value: object) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else None  # type: ignore[arg-type]
