"""What a decision rests on: the things that its condition asked for then, and what was worth knowing beside."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Part(NamedTuple):
    """One thing that a condition asks for: a value against a limit, or something that is so or is not.

    Of parts with the same ``one_of`` one is enough.
    """

    what: str
    is_met: bool
    value: float | None = None
    limit: float | None = None
    operator: str = ""
    one_of: str = ""

    @property
    def shortfall(self) -> float:
        """What it lacks as a share of the limit, from 0 (met) to 1, so that values of different units are compared."""
        if self.is_met:
            return 0.0
        if self.value is None or self.limit is None or not math.isfinite(self.value) or self.operator == "!=":
            return 1.0  # what is equal is not nearly unequal
        away = abs(self.value - self.limit)
        return min(1.0, away / abs(self.limit)) if self.limit else away / (away + 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """What a condition asked for when it decided, part by part; ``facts`` are those that its texts may name."""

    parts: tuple[Part, ...]
    facts: Mapping[str, str | float] = field(default_factory=dict)
