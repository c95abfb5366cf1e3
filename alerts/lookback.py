"""What one rule looks back on, of all things on one partition, within a bound that no flood of readings can pass.

A thing has a bound of its own, beyond which its oldest readings go. All things of a rule together have another: beyond
it, those that were heard least recently are let go, some at once, so that a flood pays for it once in a while only.
Either is a fault of the rule that people see, never a silent loss. What is let go follows from what is held alone, so a
restart changes nothing of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from alerts.readings import Readings

if TYPE_CHECKING:
    from alerts.memory import PartitionMemory

MOST_OF_RULE = 1_000_000
"""Readings of one rule on one partition: a day of minutes of 700 stations."""
_KEPT = 7 / 8


class Lookback(dict[str, Readings]):
    """Readings by key. ``readings_count`` is the number of all of them."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit
        self.readings_count = 0

    def recount(self) -> None:
        """Count anew, after parts were taken back."""
        self.readings_count = sum(len(readings.times) for readings in self.values())

    def shed(self, spared: str) -> list[tuple[str, Readings]]:
        """Let go of the things that were heard least recently, but for one; give what went."""
        gone = []
        for _, key in sorted((readings.times[-1], key) for key, readings in self.items() if readings.times):
            if self.readings_count <= self.limit * _KEPT:
                break
            if key != spared:
                readings = self.pop(key)
                self.readings_count -= len(readings.times)
                gone.append((key, readings))
        return gone


def look_back(
    memory: PartitionMemory, rule_id: str, index: int, key: str, readings: Readings, moment: float,
    values: Sequence[float | None], *, span_s: float, most: int, is_loss: bool = True,
) -> None:  # fmt: skip
    """Take a reading in, forget what is too old, and note what must be kept anew.

    ``is_loss`` says whether readings beyond ``most`` are missed; a rule that looks at the last few only misses none.
    """
    held, count, was_short = memory.windows[index], len(readings.times), readings.is_short
    for part in readings.add(moment, values):
        memory.dirty_parts.add((index, key, part))
    for part in readings.forget(span_s, most):
        memory.dirty_parts.add((index, key, part))
    held.readings_count += len(readings.times) - count
    if readings.is_short and not was_short and is_loss:
        memory.add_fault(rule_id, key, f"more than {most} readings within a window: the oldest are let go")
    if held.readings_count > held.limit:
        gone = held.shed(spared=key)
        for gone_key, lost in gone:
            memory.dirty_parts.update((index, gone_key, part) for part in lost.parts)
        reason = f"more than {held.limit} readings to look back on: those of {len(gone)} things are let go"
        memory.add_fault(rule_id, key, reason)
