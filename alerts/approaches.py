"""How near a condition came to hold, told by the condition itself to who asks afterwards: the live engine never does.

An evaluator of a rule that looks past one asset, or at places and times, may have one more method:

    approaches(memory, place, asset_id) -> Iterable[Approach]

It says what the condition asks for at ``place`` and what of it is met there now, and changes nothing. ``place`` is a
thing where its own readings are, asked when a reading of it has come (``memory.readings`` has it already) and before
the evaluator takes it in; or what signals and timers are keyed by where they meet, asked when the evaluator has judged
them. With an ``asset_id`` only what concerns that asset is told. A place that means nothing to the evaluator gives
nothing; nor does a thing of which all is met where it is, since the rest is known where signals meet.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from alerts.language.rule import OPERATORS, PROVINCE_TIME, Level
from ioc.domain.grounds import Part


class Weight(NamedTuple):
    """How much was asked for, how much of it was met, and what the rest lacked, summed."""

    asked_count: int
    met_count: int
    shortfall: float

    @property
    def is_all(self) -> bool:
        """Whether all was met; what is just at a limit lacks nothing and is not."""
        return self.met_count == self.asked_count

    @property
    def nearness(self) -> tuple[int, float]:
        """What orders approaches: how much was met already, then how little the rest lacked."""
        return self.met_count, -self.shortfall


class Approach(NamedTuple):
    """What a condition asked for at an instant, part by part.

    ``place`` is the unit, zone or thing where it was, "" where it is the province; ``asset_id`` the asset that it is
    about, if it is about one. ``facts`` are worth knowing beside.
    """

    at: datetime
    parts: tuple[Part, ...]
    place: str = ""
    asset_id: str | None = None
    facts: Mapping[str, str | float] = {}

    def weigh(self) -> Weight:
        """Say how much was asked for, how much of it was met, and what the rest lacked."""
        asked_count = met_count = 0
        shortfall = 0.0
        ways: dict[str, float] = {}
        for part in self.parts:
            if part.one_of:
                ways[part.one_of] = min(ways.get(part.one_of, math.inf), -1.0 if part.is_met else part.shortfall)
            else:
                asked_count += 1
                met_count += part.is_met
                shortfall += part.shortfall
        for lacked in ways.values():
            met_count += lacked < 0
            shortfall += max(0.0, lacked)
        return Weight(asked_count + len(ways), met_count, shortfall)

    @property
    def is_met(self) -> bool:
        """Whether nothing was lacking."""
        return self.weigh().is_all


def compare(what: str, value: float, operator: str, limit: float, *, one_of: str = "") -> Part:
    """Make the part of a value against a limit."""
    return Part(what, OPERATORS[operator](value, limit), value, limit, operator, one_of)


def compare_to_levels(levels: Iterable[Level], values: Mapping[str, float], at: datetime) -> Iterable[Part]:
    """Make the part of the comparison, of any level, that lacked least; none where no limit was in force then."""
    day = at.astimezone(PROVINCE_TIME).date()
    found = [
        compare(item.quantity, values[item.quantity], item.operator, limit)
        for level in levels
        for item in level.when
        if item.quantity in values and (limit := item.limit.on(day)) is not None
    ]
    return sorted(found, key=lambda part: part.shortfall)[:1]
