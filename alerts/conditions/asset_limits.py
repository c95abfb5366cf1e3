"""Limits that each asset has of its own: a reservoir's crest, a river's alarm levels.

Others are not judged, nor is one that is named with null: its limits are somebody's to decide, and nobody has.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from alerts.announcement import asset_subject
from alerts.conditions.leveled import LeveledEvaluator
from alerts.language.contradictions import find_hidden
from alerts.language.files import Table
from alerts.language.rule import PROVINCE_TIME, Comparison, Level, Limit, Rule
from alerts.memory.partition import PartitionMemory
from alerts.memory.series import Verdict
from alerts.world import World
from ioc.domain.alerts import Severity
from ioc.domain.events import Event
from ioc.domain.kinds import KINDS, Payload
from ioc.domain.quantities import Quality


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetLimits:
    """``quantity`` at or above an asset's limit of a severity; left when it is ``back`` below that.

    A limit is a number, or several with the days from which they are in force.
    """

    kinds: tuple[type[Payload], ...]
    levels: tuple[Level, ...]
    quantity: str
    limits: Mapping[str, Mapping[Severity, float | Limit]]
    back: float
    facts: frozenset[str] = field(default=frozenset())

    def limits_of(self, asset_id: str) -> dict[Severity, Limit]:
        """Give an asset's own limits; none where it has no such."""
        return {severity: when.limit for severity, (when,) in self.comparisons_of(asset_id).items()}

    def comparisons_of(self, asset_id: str) -> dict[Severity, tuple[Comparison, ...]]:
        """Give an asset's own limits as the comparisons that levels have."""
        return _compare(self.quantity, self.limits.get(asset_id, {}))

    def bind(self, rule: Rule, index: int, world: World) -> AssetLimitsEvaluator:
        """Make the evaluator."""
        return AssetLimitsEvaluator(rule, index, world, self)


def read_asset_limits(table: Table) -> AssetLimits:
    """Read the keys of a rule with limits by asset."""
    kind = table.kind("on")
    quantity = table.text("quantity")
    if quantity and quantity not in KINDS[kind.KIND].quantities:
        table.fault(f"no quantity {quantity!r}; there are {', '.join(KINDS[kind.KIND].quantities)}")
    limits: dict[str, dict[Severity, float | Limit]] = {}
    part = table.table("limits")
    for asset_id in part.names if part is not None else ():
        if part is None or part.value(asset_id) is None:
            continue  # named, and not configured yet: not judged
        own = part.table(asset_id)
        if own is not None:
            known_faults = len(own.faults)
            limits[asset_id] = {severity: own.limit(severity.value) for severity in Severity if own.has(severity.value)}
            if not limits[asset_id]:
                own.fault(f"{asset_id}: at least one of {', '.join(Severity)}")
            own.finish()
            if len(own.faults) == known_faults:
                _note_hidden(own, quantity, limits[asset_id])
    used = sorted({severity for own in limits.values() for severity in own}, key=lambda severity: severity.rank)
    hold_for = table.duration("for", timedelta(0))
    return AssetLimits(
        kinds=(kind,),
        levels=tuple(Level(severity=severity, hold_for=hold_for) for severity in used),
        quantity=quantity,
        limits=limits,
        back=table.number("back", 0.0),
    )


def _compare(quantity: str, limits: Mapping[Severity, float | Limit]) -> dict[Severity, tuple[Comparison, ...]]:
    found = {name: limit if isinstance(limit, Limit) else Limit(values=(limit,)) for name, limit in limits.items()}
    return {name: (Comparison(quantity=quantity, operator=">=", limit=limit),) for name, limit in found.items()}


def _note_hidden(own: Table, quantity: str, limits: Mapping[Severity, float | Limit]) -> None:
    levels = [Level(severity=name, when=when) for name, when in _compare(quantity, limits).items()]
    for index, what in find_hidden(levels):
        own.fault(what, own.node_of(levels[index].severity.value), can_run=True)


class AssetLimitsEvaluator(LeveledEvaluator):
    """Looks at the assets that have limits."""

    def __init__(self, rule: Rule, index: int, world: World, condition: AssetLimits) -> None:
        super().__init__(rule, index, world)
        self._condition = condition
        self._limits = {asset_id: condition.limits_of(asset_id) for asset_id in condition.limits}

    def on_event(self, memory: PartitionMemory, event: Event, zones: tuple[str, ...]) -> None:
        """Judge a reading by its asset's limits."""
        limits = self._limits.get(event.asset_id)
        if limits is None or event.quality == Quality.BAD:
            return
        value = getattr(event.data, self._condition.quantity)
        if value is None or event.received_at - event.observed_at > self.rule.lateness:
            return
        if not math.isfinite(value):
            memory.add_fault(self.rule.rule_id, event.asset_id, f"a value is not a finite number: {value}")
            return
        day = event.observed_at.astimezone(PROVINCE_TIME).date()
        in_force = {severity: limit.on(day) for severity, limit in limits.items()}
        verdicts = [self._judge(float(value), in_force.get(level.severity)) for level in self._condition.levels]
        if event.asset_id in memory.series[self.index] or any(verdict.holds for verdict in verdicts):
            subject = asset_subject(self.world, event, None, **{self._condition.quantity: float(value)})
            self.judge(memory, event.asset_id, subject, verdicts, event.observed_at)

    def _judge(self, value: float, limit: float | None) -> Verdict:
        if limit is None:
            return Verdict(False, True, value, None)
        return Verdict(value >= limit, value < limit - self._condition.back, value, limit)
