"""Hazards: what single stations show, each with a severity, noticed where their own readings are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import msgspec

from alerts.conditions.window import compare_levels
from alerts.language.files import Table
from alerts.language.rule import PROVINCE_TIME, Level, Rule, gained
from alerts.language.windows import Window, find_window_fault, note_unused, read_windows
from alerts.memory.partition import PartitionMemory
from alerts.memory.readings import Readings
from alerts.memory.series import Series
from alerts.memory.windowing import Windows
from ioc.domain.alerts import Severity
from ioc.domain.events import Event, Signal
from ioc.domain.kinds import KINDS, Observation, Payload
from ioc.domain.quantities import Quality

_AGAIN = timedelta(minutes=30)
IN = "\x1f"
LADDER = (None, Severity.INFO, Severity.MINOR, Severity.MAJOR, Severity.CRITICAL)
"""A hazard's number is the place of its severity; 0 is no hazard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hazard:
    """One hazard: levels over a kind's quantities and windows, and its names.

    ``difference`` is a further quantity, one less another: how far the sea stands above the tide that was predicted.
    """

    kind: type[Payload]
    windows: tuple[Window, ...]
    levels: tuple[Level, ...]
    name_vi: str
    name_en: str
    difference: tuple[str, str, str] | None = gained(None)


def read_hazard(table: Table) -> Hazard:
    """Read one hazard."""
    known_faults, kind = len(table.faults), table.kind("on")
    windows = read_windows(table, kind, optional=True)
    difference = _read_difference(table, kind)
    made = [*(window.name for window in windows), *([difference[0]] if difference else [])]
    levels = table.levels("levels", kind, made, find_fault=partial(find_window_fault, windows=windows))
    if len(table.faults) == known_faults:
        note_unused(table, windows, {item.quantity for level in levels for item in (*level.when, *level.clear)})
    return Hazard(
        kind=kind,
        windows=windows,
        difference=difference,
        levels=levels,
        name_vi=table.text("vi"),
        name_en=table.text("en"),
    )


def _read_difference(table: Table, kind: type[Payload]) -> tuple[str, str, str] | None:
    part = table.table("difference", optional=True)
    if part is None:
        return None
    name, of, less = (part.text(key) for key in ("name", "of", "less"))
    for quantity in (of, less):
        if quantity and quantity not in KINDS[kind.KIND].quantities:
            part.fault(f"no quantity {quantity!r}; there are {', '.join(KINDS[kind.KIND].quantities)}")
    part.finish()
    return name, of, less


class Told(Series, kw_only=True, omit_defaults=True, tag_field="is", tag="told"):
    """The level of a hazard that a station told last, and when."""

    told: tuple[float, datetime] | None = None


class HazardFinder:
    """Measures hazards per station; sends a signal when one changes its level, and half-hourly while it lasts."""

    def __init__(self, rule: Rule, index: int, scope: str, hazards: Mapping[str, Hazard]) -> None:
        self._rule, self._index, self._scope, self._hazards = rule, index, scope, hazards
        self._windows = {name: Windows(hazard.windows) for name, hazard in hazards.items()}

    def take(self, memory: PartitionMemory, event: Event) -> None:
        """Measure what a reading says of each hazard of its kind; send on what is news."""
        if event.quality == Quality.BAD:
            return
        for name, hazard in self._hazards.items():
            if isinstance(event.data, hazard.kind):
                self._measure(memory, name, hazard, event)

    def take_late(self, memory: PartitionMemory, event: Event) -> None:
        """Take a reading that came out of order into its window."""
        for name, hazard in self._hazards.items():
            if hazard.windows and isinstance(event.data, hazard.kind) and event.quality != Quality.BAD:
                self._take(memory, name, event)

    def _measure(self, memory: PartitionMemory, name: str, hazard: Hazard, event: Event) -> None:
        values: dict[str, Any] = {
            item: float(value)
            for item in KINDS[event.kind].quantities
            if (value := getattr(event.data, item)) is not None
        }
        if hazard.difference is not None:
            name_of, of, less = hazard.difference
            if of in values and less in values:
                values[name_of] = values[of] - values[less]
        if hazard.windows:
            values |= self._windows[name].measure(self._take(memory, name, event), event.observed_at)
        if event.position is None or event.received_at - event.observed_at > self._rule.lateness:
            return
        verdicts = compare_levels(hazard.levels, values, event.observed_at.astimezone(PROVINCE_TIME).date())
        if verdicts is None:
            return
        rank = max(
            (LADDER.index(level.severity) for level, item in zip(hazard.levels, verdicts, strict=True) if item.holds),
            default=0,
        )
        self._send(memory, name, event, float(rank))

    def _send(self, memory: PartitionMemory, name: str, event: Event, rank: float) -> None:
        mine, key = memory.series[self._index], f"{event.asset_id}{IN}{name}"
        state = mine.get(key)
        before, sent_at = (state.told if isinstance(state, Told) else None) or (0.0, None)
        if rank == before and (not rank or sent_at is None or event.observed_at - sent_at < _AGAIN):
            return
        if rank:
            mine[key] = Told(shape=self._rule.condition_name, told=(rank, event.observed_at))
        else:
            mine.pop(key, None)
        memory.dirty.add((self._index, key))
        told = msgspec.structs.replace(event, data=Observation(quantity=name, value=rank))
        memory.signals.append(Signal(scope=self._scope, event=told))

    def _take(self, memory: PartitionMemory, name: str, event: Event) -> Readings:
        key = f"{event.asset_id}{IN}{name}"
        return self._windows[name].take(memory, self._rule.rule_id, self._index, key, event.data, event.observed_at)

    def _readings_of(self, memory: PartitionMemory, key: str, name: str) -> Readings:
        readings = memory.windows[self._index].get(key)
        if readings is None:
            readings = memory.windows[self._index][key] = self._windows[name].begin()
        return readings

    def restore_part(self, memory: PartitionMemory, key: str, part: int, kept: bytes) -> bool:
        """Take back a part of a station's readings; False when no hazard looks back on them."""
        name = key.rpartition(IN)[2]
        try:
            return name in self._windows and self._readings_of(memory, key, name).unpack(part, kept)
        except msgspec.ValidationError:
            return False
