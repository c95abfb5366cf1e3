"""Index: VN_AQI of a station against levels, worked out hour by hour from its readings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import msgspec

from alerts.announcement import asset_subject
from alerts.conditions.leveled import LeveledEvaluator
from alerts.conditions.window import compare_levels
from alerts.language.files import Table
from alerts.language.rule import PROVINCE_TIME, Level, Rule
from alerts.memory.partition import PartitionMemory
from alerts.memory.series import Series
from alerts.vn_aqi import (
    HOURLY,
    HOURS_KEPT,
    HourlyWindow,
    Pollutant,
    band_of,
    combine,
    concentration_at,
    concentrations_of,
    hour_of,
)
from alerts.world import World
from ioc.domain.events import Event
from ioc.domain.kinds import AirReading, Payload

QUANTITY = "vn_aqi"
_NAMES = {
    Pollutant.PM25: "PM2,5", Pollutant.PM10: "PM10", Pollutant.O3_1H: "O₃", Pollutant.O3_8H: "O₃ 8h",
    Pollutant.CO: "CO", Pollutant.SO2: "SO₂", Pollutant.NO2: "NO₂",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """Levels on the hourly index."""

    levels: tuple[Level, ...]
    kinds: tuple[type[Payload], ...] = (AirReading,)
    facts: frozenset[str] = field(default=frozenset({"band_vi", "band_en", "pollutant"}))

    @property
    def reaches_back(self) -> timedelta:
        """How old a reading may be that still counts: the Nowcast looks at twelve hours and the one that runs."""
        return timedelta(hours=13)

    def bind(self, rule: Rule, index: int, world: World) -> IndexEvaluator:
        """Make the evaluator."""
        return IndexEvaluator(rule, index, world)


def read_index(table: Table) -> Index:
    """Read the keys of an index rule."""
    levels = table.levels("levels", AirReading, names=(QUANTITY,))
    others = {item.quantity for level in levels for item in (*level.when, *level.clear)} - {QUANTITY}
    if others:
        table.fault(f"levels: on {QUANTITY} alone, not {', '.join(sorted(others))}", table.node_of("levels"))
    return Index(levels=levels)


class IndexState(Series, kw_only=True, omit_defaults=True):
    """The series of a station, with the hours that its index is made of."""

    window: HourlyWindow = msgspec.field(default_factory=HourlyWindow)


class IndexEvaluator(LeveledEvaluator):
    """Every reading enters the window, also a late one; only a timely one is judged."""

    state_type = IndexState

    def __init__(self, rule: Rule, index: int, world: World) -> None:
        super().__init__(rule, index, world)
        items = [item for level in rule.condition.levels for item in level.when]
        # An hour's index lies between those of its readings, and Nowcast below the largest of its hours. Where none
        # of those that are kept comes near a limit, less the rounding, the index need not be worked out.
        lowest = min(item.easiest if item.is_upper else 0.0 for item in items) - 1
        self._loud_from = tuple(concentration_at(pollutant, lowest) for pollutant in HOURLY)

    def on_event(self, memory: PartitionMemory, event: Event, zones: tuple[str, ...]) -> None:
        """Take a reading into its station's window and judge the index."""
        data = event.data
        if not isinstance(data, AirReading):
            return
        series = memory.series[self.index].get(event.asset_id)
        if not isinstance(series, IndexState):
            series = memory.series[self.index][event.asset_id] = self.new_series()
        values = concentrations_of(data)
        may_be_over = self._may_be_over(memory, event, series.window, values)
        series.window.add(event.observed_at, values)
        memory.dirty.add((self.index, event.asset_id))
        if event.received_at - event.observed_at > self.rule.lateness:
            return
        if not may_be_over and series.is_idle and not self._is_active(series):
            return
        found = combine(series.window.hourly_parts(event.observed_at))
        if found is None:
            return
        value, pollutant = found
        day = event.observed_at.astimezone(PROVINCE_TIME).date()
        verdicts = compare_levels(self.rule.condition.levels, {QUANTITY: float(value)}, day) or ()
        band = band_of(value)
        subject = asset_subject(
            self.world, event, self.world.station_zones.get(event.asset_id),
            band_vi=band.name_vi, band_en=band.name_en, pollutant=_NAMES[pollutant],
        )  # fmt: skip
        self.judge(memory, event.asset_id, subject, verdicts, event.observed_at)

    def _may_be_over(
        self, memory: PartitionMemory, event: Event, window: HourlyWindow, values: Sequence[float | None]
    ) -> bool:
        """Say whether a reading or one of the hours before it comes near a limit, and note when one did last."""
        noted, key, hour = memory.noted[self.index], event.asset_id, hour_of(event.observed_at)
        loud_at: int | None = noted.get(key)
        if loud_at is None:
            loud_at = noted[key] = window.last_over(self._loud_from)
        for value, loud_from in zip(values, self._loud_from, strict=True):
            if value is not None and value >= loud_from and hour > loud_at:
                loud_at = noted[key] = hour
        return hour - loud_at < HOURS_KEPT

    def value_of(self, memory: PartitionMemory, event: Event) -> float | None:
        """Give the index of a station at a reading that was taken in, whether or not it was worth judging.

        None while too few of its hours are known.
        """
        series = memory.series[self.index].get(event.asset_id)
        found = combine(series.window.hourly_parts(event.observed_at)) if isinstance(series, IndexState) else None
        return None if found is None else float(found[0])

    def new_series(self) -> IndexState:
        """Make the state of a station."""
        return IndexState(shape=self.rule.condition_name)

    def drop_if_idle(self, memory: PartitionMemory, key: str, series: Series) -> None:
        """Keep it: the window is needed when the index rises."""
