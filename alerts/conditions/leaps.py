"""Leaps: readings far from what their station has just reported, noticed where its own readings are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median

import msgspec

from alerts.approaches import Approach, compare
from alerts.conditions.watched import Watched, values_of
from alerts.language.rule import Rule
from alerts.memory.partition import PartitionMemory
from alerts.memory.readings import Readings
from alerts.memory.series import Series
from ioc.domain.events import Event, Signal
from ioc.domain.kinds import KINDS
from ioc.domain.quantities import Quality

SCOPE = "spike"
IN = "\x1f"
STIR = 1 / 3
"""Part of a quantity's least that a neighbour must show to confirm a leap."""
_QUALITIES = (Quality.GOOD, Quality.UNCERTAIN, Quality.BAD)


class Leaping(Series, kw_only=True, omit_defaults=True, tag_field="is", tag="leaping"):
    """A station's quantities that are off now, with the direction: ±1 a stir, ±2 a leap."""

    signs: dict[str, int] = msgspec.field(default_factory=dict)


class Recent(Readings):
    """The last readings of a station, and between which bounds those of each quantity lie at most.

    Bounds are not kept over a restart: they grow with each reading, and are drawn in when somebody looks closer.
    """

    __slots__ = ("bounds",)

    def __init__(self, quantities: Sequence[str]) -> None:
        super().__init__(quantities)
        self.bounds: list[tuple[float, float] | None] = [None] * len(quantities)

    def are_near(self, number: int, value: float, room: float) -> bool:
        """Say whether it is known that all readings of a quantity lie within ``room`` of a value."""
        bounds = self.bounds[number]
        return bounds is not None and value - bounds[0] <= room and bounds[1] - value <= room

    def widen(self, values: Sequence[float | None]) -> None:
        """Take a reading into the bounds."""
        for number, (bounds, value) in enumerate(zip(self.bounds, values, strict=True)):
            if bounds is not None and value is not None and not bounds[0] <= value <= bounds[1]:
                self.bounds[number] = min(bounds[0], value), max(bounds[1], value)


class LeapFinder:
    """Compares each reading with the ``of`` before it; sends a signal when a quantity leaps and when it has come back.

    A leap is more than ``mads`` median absolute deviations, and more than the quantity's own least, from their median;
    a stir is a third of that least, and enough to confirm a neighbour's leap. The signal of a leap is of bad quality,
    that of a stir uncertain, that of the return good.
    """

    def __init__(self, rule: Rule, index: int, watched: Watched[float], *, mads: float, of: int, enough: int) -> None:
        self._rule, self._index, self._watched = rule, index, watched
        self._mads, self._of, self._enough = mads, of, enough
        self._gap_s = rule.gap.total_seconds()
        self._span_s = self._gap_s * of
        self._ways = {
            kind: [(number, quantity, least * STIR) for number, (quantity, least) in enumerate(quantities.items())]
            for kind, quantities in watched.items()
        }

    def take(self, memory: PartitionMemory, event: Event) -> None:
        """Compare a reading with those before it; send on what leaps and what has come back."""
        if event.quality == Quality.BAD:
            return
        watched = self._watched[event.kind]
        values = values_of(event, watched)
        if not values:
            return
        key = f"{event.asset_id}{IN}{event.kind}"
        readings = memory.windows[self._index].get(key)
        if readings is None:
            readings = memory.windows[self._index][key] = Recent(tuple(watched))
        if event.received_at - event.observed_at <= self._rule.lateness:
            self._compare(memory, key, event, values, readings)
        row = [values.get(name) for name in watched]
        memory.look_back(
            self._rule.rule_id, self._index, key, readings, event.observed_at.timestamp(), row,
            span_s=self._span_s, most=self._of, is_loss=False,
        )  # fmt: skip
        readings.widen(row)

    def _compare(
        self, memory: PartitionMemory, key: str, event: Event, values: Mapping[str, float], readings: Recent
    ) -> None:
        state = memory.series[self._index].get(key)
        signs = state.signs if isinstance(state, Leaping) else {}
        for number, quantity, room in self._ways[event.kind]:
            value = values.get(quantity)
            if value is None:
                continue
            is_near = readings.are_near(number, value, room)  # the median lies between them, so nothing leaps
            before, now = signs.get(quantity, 0), 0 if is_near else self._find(event, quantity, value, readings, number)
            if before == now or (before * now > 0 and abs(before) == 2):
                continue  # also a leap that has become a stir: it is not back yet
            if not isinstance(state, Leaping):
                state = memory.series[self._index][key] = Leaping(shape=self._rule.condition_name)
                signs = state.signs
            memory.dirty.add((self._index, key))
            is_same_way = before * now > 0
            for sign, quality in ((0 if is_same_way else before, Quality.GOOD), (now, _QUALITIES[abs(now)])):
                if sign:
                    told = msgspec.structs.replace(event, quality=quality)
                    scope = to_scope(event.kind, quantity, sign)
                    memory.signals.append(Signal(scope=scope, event=told, to_rule=self._rule.rule_id))
            signs[quantity] = now
            if not now:
                del signs[quantity]
        if isinstance(state, Leaping) and not signs:
            memory.series[self._index].pop(key, None)

    def _find(self, event: Event, quantity: str, value: float, readings: Recent, number: int) -> int:
        """Say whether a value is off, how far, and in which direction."""
        count = len(readings.times)
        if not count or event.observed_at.timestamp() - readings.times[-1] > self._gap_s:
            return 0
        held = readings.values(number, max(0, count - self._of), count)
        if len(held) < self._enough:
            return 0
        readings.bounds[number] = lowest, highest = min(held), max(held)
        least = self._watched[event.kind][quantity]
        if value - lowest <= least * STIR and highest - value <= least * STIR:
            return 0  # the median lies between them
        middle = median(held)
        off = value - middle
        if abs(off) <= least * STIR or abs(off) <= self._mads * median(abs(item - middle) for item in held):
            return 0
        size = 2 if abs(off) > least else 1
        return size if off > 0 else -size

    def measure(self, memory: PartitionMemory, asset_id: str) -> Iterator[Approach]:
        """Say how far the values of a reading that has just come are from those before it."""
        for kind, watched in self._watched.items():
            event = memory.readings("", KINDS[kind].payload).get(asset_id)
            readings = memory.windows[self._index].get(f"{asset_id}{IN}{kind}")
            if event is None or readings is None or event.quality == Quality.BAD:
                continue
            for number, quantity in enumerate(watched):
                value = values_of(event, (quantity,)).get(quantity)
                count = len(readings.times)
                held = readings.values(number, max(0, count - self._of), count)
                enough = compare("readings_count", float(len(held)), ">=", float(self._enough))
                if value is not None and enough.is_met:
                    middle, limit = room_of(held, watched[quantity], self._mads)
                    off = compare("deviation", abs(value - middle), ">", limit)
                    if not off.is_met:
                        yield Approach(event.observed_at, (off,), asset_id, asset_id, {"quantity": quantity})
                elif value is not None:
                    yield Approach(event.observed_at, (enough,), asset_id, asset_id, {"quantity": quantity})

    def restore_part(self, memory: PartitionMemory, key: str, part: int, kept: bytes) -> bool:
        """Take back a part of a station's readings; False when it is of other quantities."""
        kind = key.rpartition(IN)[2]
        if kind not in self._watched:
            return False
        readings = memory.windows[self._index].get(key)
        if readings is None:
            readings = memory.windows[self._index][key] = Recent(tuple(self._watched[kind]))
        try:
            return readings.unpack(part, kept)
        except msgspec.ValidationError:
            return False


def room_of(held: Sequence[float], least: float, mads: float) -> tuple[float, float]:
    """Give the median of the readings before a value, and how far from it the value must be to leap."""
    middle = median(held)
    return middle, max(least, mads * median(abs(item - middle) for item in held))


def to_scope(kind: str, quantity: str, sign: int) -> str:
    """Name where leaps of one quantity in one direction meet."""
    return f"{SCOPE}:{kind}:{quantity}:{'up' if sign > 0 else 'down'}"


def read_scope(scope: str) -> tuple[str, str, str] | None:
    """Give kind, quantity and direction of such a name, None for another."""
    name, _, rest = scope.partition(":")
    return tuple(rest.split(":")) if name == SCOPE else None  # type: ignore[return-value]
