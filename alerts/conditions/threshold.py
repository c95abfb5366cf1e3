"""Threshold: a quantity of one asset against limits, in levels of severity with hysteresis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from alerts.announcement import asset_subject
from alerts.conditions.leveled import LeveledEvaluator, reading_key
from alerts.language.files import Table
from alerts.language.rule import PROVINCE_TIME, Comparison, Level, Rule
from alerts.memory.partition import PartitionMemory
from alerts.memory.series import Verdict
from alerts.world import World
from geo.zones import ZoneKind
from ioc.domain.events import Event
from ioc.domain.kinds import KINDS, Payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """Limits on quantities of one kind of event; ``serving`` narrows it to stations that stand for such zones."""

    kinds: tuple[type[Payload], ...]
    levels: tuple[Level, ...]
    serving: frozenset[str] = frozenset()

    def bind(self, rule: Rule, index: int, world: World) -> ThresholdEvaluator:
        """Make the evaluator."""
        return ThresholdEvaluator(rule, index, world, self)


def read_threshold(table: Table) -> Threshold:
    """Read the keys of a threshold rule."""
    kind = table.kind("on")
    return Threshold(
        kinds=(kind,),
        levels=table.levels("levels", kind),
        serving=frozenset(table.choices("serving", tuple(ZoneKind), default=())),
    )


class ThresholdEvaluator(LeveledEvaluator):
    """Looks at every reading; one that is under every limit and was so before costs a few comparisons."""

    def __init__(self, rule: Rule, index: int, world: World, condition: Threshold) -> None:
        super().__init__(rule, index, world)
        self._levels = condition.levels
        comparisons = [item for level in condition.levels for item in level.when]
        # A reading that trips none of these trips nothing: with dated limits the lowest ever in force stands for all.
        self._entry = tuple((item.quantity, item.is_over, item.easiest) for item in comparisons)
        self._quantities = tuple(dict.fromkeys(item.quantity for item in comparisons))
        self._facts = tuple(KINDS[condition.kinds[0].KIND].quantities)
        self._assets: frozenset[str] | None = None
        if condition.serving:
            zone_ids = world.zone_ids(condition.serving)
            self._assets = frozenset(asset for asset, zone in world.station_zones.items() if zone in zone_ids)

    def on_event(self, memory: PartitionMemory, event: Event, zones: tuple[str, ...]) -> None:
        """Evaluate one reading."""
        data = event.data
        key = event.asset_id
        if key not in memory.series[self.index]:
            for quantity, is_over, limit in self._entry:
                value = getattr(data, quantity)
                if value is not None and is_over(value, limit):
                    break
            else:
                return
        self._look_closer(memory, event, zones)

    def _look_closer(self, memory: PartitionMemory, event: Event, zones: tuple[str, ...]) -> None:
        if self._assets is not None and event.asset_id not in self._assets:
            return
        if event.received_at - event.observed_at > self.rule.lateness:
            return
        known = {name: value for name in self._quantities if (value := getattr(event.data, name)) is not None}
        if not all(math.isfinite(value) for value in known.values()):
            memory.add_fault(self.rule.rule_id, event.asset_id, f"a value is not a finite number: {known}")
            return
        if not known:
            return
        day = event.observed_at.astimezone(PROVINCE_TIME).date()
        verdicts = [self._judge_level(level, known, day) for level in self._levels]
        zone_id = self.world.station_zones.get(event.asset_id) or (zones[0] if zones else None)
        facts = {name: value for name in self._facts if (value := getattr(event.data, name)) is not None}
        subject = asset_subject(self.world, event, zone_id, **facts)
        self.judge(memory, reading_key(event), subject, verdicts, event.observed_at)

    def _judge_level(self, level: Level, known: dict[str, float], day: date) -> Verdict:
        holding = _first_holding(level.when, known, day)
        if holding is not None:
            return Verdict(True, False, *holding)
        value = next((known[item.quantity] for item in level.when if item.quantity in known), None)
        if not level.is_in_force(day):
            return Verdict(False, True, value, None)
        missing = tuple(item.quantity for item in level.when if item.quantity not in known)
        clearing = [item for item in level.clear if item.quantity in known]
        clears = not level.clear or (bool(clearing) and all(_clears(item, known, day) for item in clearing))
        return Verdict(False, clears, value, None, missing=missing)


def _first_holding(items: Sequence[Comparison], known: dict[str, float], day: date) -> tuple[float, float, str] | None:
    for item in items:
        limit = item.limit.on(day)
        value = known.get(item.quantity)
        if limit is not None and value is not None and item.is_over(value, limit):
            return value, limit, item.quantity
    return None


def _clears(item: Comparison, known: dict[str, float], day: date) -> bool:
    limit = item.limit.on(day)
    return limit is None or item.is_over(known[item.quantity], limit)
