"""How near a rule came in a period, from what its condition says of itself at each judgement (``approaches.py``)."""

from __future__ import annotations

from collections import Counter

from alerts.approaches import Approach


class Nearness:
    """The nearest of all approaches, and how often each part of them was met."""

    def __init__(self) -> None:
        self.nearest: Approach | None = None
        self._best = (-1, 0.0)
        self.asked_count = self.met_count = 0
        self.asked: Counter[str] = Counter()
        self.met: Counter[str] = Counter()

    def take(self, approach: Approach) -> None:
        """Take note of an approach. One that lacked nothing is counted: what came of it others tell."""
        self.asked_count += 1
        for part in approach.parts:
            self.asked[part.what] += 1
            self.met[part.what] += part.is_met
        weight = approach.weigh()
        if weight.is_all:
            self.met_count += 1
        elif weight.nearness > self._best:
            self.nearest, self._best = approach, weight.nearness
