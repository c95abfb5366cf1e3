"""On time: what share of a unit's finished work was done by its due time, over the last days."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial

import msgspec

from alerts.announcement import asset_subject
from alerts.approaches import Approach, compare, compare_to_levels
from alerts.conditions.leveled import LeveledEvaluator
from alerts.conditions.window import compare_levels
from alerts.language.files import Table, note_others
from alerts.language.rule import PROVINCE_TIME, Level, Rule
from alerts.language.windows import LONGEST
from alerts.memory.partition import PartitionMemory
from alerts.memory.readings import MOST_READINGS, Readings
from alerts.world import World
from ioc.domain.events import Event
from ioc.domain.grounds import Part
from ioc.domain.kinds import KINDS, Payload
from ioc.domain.quantities import Quality

ON_TIME = "on_time_pct"


@dataclass(frozen=True, slots=True, kw_only=True)
class OnTime:
    """Things that reach a final ``state``: in time if the field ``done``, or the report, is not after ``due``.

    Judged per unit over the last ``over``, when at least ``least`` were finished in it.
    """

    kinds: tuple[type[Payload], ...]
    levels: tuple[Level, ...]
    state: Mapping[str, frozenset[str]]
    due: str
    done: str
    over: timedelta
    least: int
    facts: frozenset[str] = field(default=frozenset({"count", "late"}))

    def bind(self, rule: Rule, index: int, world: World) -> OnTimeEvaluator:
        """Make the evaluator."""
        return OnTimeEvaluator(rule, index, world, self)


def read_on_time(table: Table) -> OnTime:
    """Read the keys of an on-time rule."""
    kind = table.kind("on")
    fields = {item.name: item.type for item in KINDS[kind.KIND].fields}
    state: dict[str, frozenset[str]] = {}
    if (part := table.table("state")) is not None:
        for name in part.names:
            if name not in fields:
                part.fault(f"no field {name!r}; there are {', '.join(fields)}", part.node_of(name))
            state[name] = frozenset(part.words(name))
        part.finish()
    instants = {key: table.text(key) for key in ("due", "done")}
    for key, name in instants.items():
        if name and fields.get(name) not in (date, datetime):
            table.fault(f"{key}: {name!r} is no instant or day of {kind.KIND}", table.node_of(key))
    over = table.duration("over")
    if table.has("over") and not timedelta(0) < over <= LONGEST:
        table.fault(f"over: between 1s and {LONGEST.days}d", table.node_of("over"))
    levels = table.levels("levels", kind, [ON_TIME])
    note_others(table, levels, ON_TIME)
    return OnTime(
        kinds=(kind,),
        levels=levels,
        state=state,
        due=instants["due"],
        done=instants["done"],
        over=over,
        least=table.whole("least", least=1, most=MOST_READINGS),
    )


class OnTimeEvaluator(LeveledEvaluator):
    """Sends what is finished to its unit, and judges the unit there."""

    def __init__(self, rule: Rule, index: int, world: World, condition: OnTime) -> None:
        super().__init__(rule, index, world)
        self._condition = condition
        self._scope = f"on_time:{rule.rule_id}:"

    def forward(self, memory: PartitionMemory, event: Event, zones: tuple[str, ...]) -> list[str]:
        """Send what is finished, also what is told of late: it belongs to the share."""
        data = event.data
        is_final = all(str(getattr(data, name)) in values for name, values in self._condition.state.items())
        is_known = is_final and event.unit_code and getattr(data, self._condition.due) is not None
        return [f"{self._scope}{event.unit_code}"] if is_known and event.quality != Quality.BAD else []

    def on_signal(self, memory: PartitionMemory, scope: str, event: Event) -> None:
        """Take what is finished into its unit's days, and judge them."""
        if not scope.startswith(self._scope):
            return
        due_at = _to_instant(getattr(event.data, self._condition.due))
        done_at = _to_instant(getattr(event.data, self._condition.done)) or event.observed_at
        if due_at is None:
            return
        readings = self._readings_of(memory, scope)
        # Many are finished within a second, and one is told of twice: each has its own place within that second.
        own_place = zlib.crc32(event.asset_id.encode()) / 2**32
        changed = readings.add(int(done_at.timestamp()) + own_place, [float(done_at <= due_at)])
        changed |= readings.forget(self._condition.over.total_seconds(), MOST_READINGS)
        memory.dirty_parts.update((self.index, scope, part) for part in changed)
        newest, count, in_time = self._counted(readings)
        if count >= self._condition.least and event.received_at - event.observed_at <= self.rule.lateness:
            self._judge_unit(memory, scope, event, datetime.fromtimestamp(newest, UTC), (count, in_time))

    def _counted(self, readings: Readings) -> tuple[float, int, float]:
        """Give when the newest was finished, how many were in the days up to then, and how many of them in time."""
        newest = readings.times[-1]
        first, last = readings.find(newest - self._condition.over.total_seconds(), newest)
        return newest, readings.count(0, first, last), readings.total(0, first, last)

    def approaches(self, memory: PartitionMemory, place: str, asset_id: str | None) -> Iterator[Approach]:
        """Say what share of a unit's work was in time, and whether enough was finished."""
        readings = memory.windows[self.index].get(place) if place.startswith(self._scope) else None
        if readings is None or not readings.times:
            return
        newest, count, in_time = self._counted(readings)
        at = datetime.fromtimestamp(newest, UTC)
        yield Approach(at, tuple(self._compare(count, in_time, at)), place.removeprefix(self._scope))

    def _compare(self, count: int, in_time: float, at: datetime) -> list[Part]:
        parts = [compare("finished_count", float(count), ">=", float(self._condition.least))]
        if parts[0].is_met:
            parts += compare_to_levels(self._condition.levels, {ON_TIME: 100.0 * in_time / count}, at)
        return parts

    def _judge_unit(
        self, memory: PartitionMemory, scope: str, event: Event, at: datetime, counted: tuple[int, float]
    ) -> None:
        count, in_time = counted
        values = {ON_TIME: 100.0 * in_time / count}
        verdicts = compare_levels(self._condition.levels, values, at.astimezone(PROVINCE_TIME).date())
        series = memory.series[self.index].get(scope)
        if verdicts is None or not (series or any(verdict.holds for verdict in verdicts)):
            return
        subject = asset_subject(self.world, event, None, count=float(count), late=count - in_time)
        unit = replace(
            subject, labels=(("unit", event.unit_code or ""),), asset_id=None, unit_code=event.unit_code,
            lon_deg=None, lat_deg=None, asked=partial(self._compare, count, in_time, at),
        )  # fmt: skip
        self.judge(memory, scope, unit, verdicts, at)

    def _readings_of(self, memory: PartitionMemory, scope: str) -> Readings:
        readings = memory.windows[self.index].get(scope)
        if readings is None:
            readings = memory.windows[self.index][scope] = Readings((ON_TIME,))
        return readings

    def restore_part(self, memory: PartitionMemory, key: str, part: int, kept: bytes) -> bool:
        """Take back a part of a unit's days."""
        try:
            return key.startswith(self._scope) and self._readings_of(memory, key).unpack(part, kept)
        except msgspec.ValidationError:
            return False


def _to_instant(value: object) -> datetime | None:
    """Give a field as an instant; a day ends at its midnight in the province."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=PROVINCE_TIME) + timedelta(days=1)
    return None
