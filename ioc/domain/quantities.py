"""What a number means: unit, range that an instrument can give, and its name in both languages."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass


class Quality(enum.IntEnum):
    """How far a value may be trusted. Walls show it; rules use ``GOOD`` and ``UNCERTAIN`` only."""

    GOOD = 0
    UNCERTAIN = 1
    STALE = 2
    BAD = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """Meaning of one numeric field of a kind.

    ``low`` and ``high`` bound what the instrument can physically report (inclusive, in ``unit``); a value outside
    is refused at ``parse`` as a unit mix-up or a fault, never judged by a rule.
    """

    unit: str
    vi: str
    en: str
    low: float = -math.inf
    high: float = math.inf

    def find_fault(self, value: float) -> str | None:
        """Say why a value cannot be this quantity, or None when it can."""
        if not math.isfinite(value):
            return f"not a finite number: {value}"
        if not self.low <= value <= self.high:
            return f"{value:g} {self.unit} is outside {self.low:g}…{self.high:g} {self.unit}"
        return None
