"""What one rule looks back on, of all things on one partition, within a bound that no flood of readings can pass.

A thing has a bound of its own, beyond which its oldest readings go. All things of a rule together have another: beyond
it, those that were heard least recently are let go, some at once, so that a flood pays for it once in a while only.
Either is a fault of the rule that people see, never a silent loss. What is let go follows from what is held alone, so a
restart changes nothing of it.
"""

from __future__ import annotations

from typing import Any, Protocol

MOST_OF_RULE = 1_000_000
"""Readings of one rule on one partition: a day of minutes of 700 stations."""
_KEPT = 7 / 8


class Held(Protocol):
    """What a rule looks back on of one thing: readings, or what was made of them, in parts that are kept one by one."""

    @property
    def newest(self) -> float:
        """When the thing was last heard, in epoch seconds; minus infinity for never."""

    @property
    def parts(self) -> tuple[int, ...]:
        """The parts that there are."""

    def __len__(self) -> int:
        """How many numbers of it there are, each counted as a reading."""

    def pack(self, part: int) -> bytes | None:
        """Give what must be kept of a part; None when there is none any more."""


class Lookback(dict[str, Any]):
    """What a rule holds, by key: a ``Held`` of the rule's own type each. ``readings_count`` is the size of it all."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit
        self.readings_count = 0

    def recount(self) -> None:
        """Count anew, after parts were taken back."""
        self.readings_count = sum(map(len, self.values()))

    def shed(self, spared: str) -> list[tuple[str, Held]]:
        """Let go of the things that were heard least recently, but for one; give what went."""
        gone = []
        for _, key in sorted((held.newest, key) for key, held in self.items() if len(held)):
            if self.readings_count <= self.limit * _KEPT:
                break
            if key != spared:
                held = self.pop(key)
                self.readings_count -= len(held)
                gone.append((key, held))
        return gone
