"""What the figures should be, and where the numbers come from.

ANSI/ISA-18.2-2016 and IEC 62682:2014, clause 16 (monitoring and assessment), give targets per operator; EEMUA 191 gives
the priorities' shares and what rates people can follow. They were found in process plants: for a province's centre they
are a yardstick, not a law.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from alerts.performance.figures import Performance
from ioc.domain.alerts import Severity


class Verdict(enum.StrEnum):
    """How a figure stands against its target."""

    GOOD = "good"
    MANAGEABLE = "manageable"
    BEYOND = "beyond"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A figure beside its target: good up to ``target``, manageable up to ``most``. Shares are ratios.

    ``figure`` is None where nothing came of which it could be a share. ``is_judged`` is False where too little came
    for a share to say anything.
    """

    name: str
    figure: float | None
    target: float
    most: float
    is_share: bool = False
    is_judged: bool = True

    @property
    def verdict(self) -> Verdict | None:
        """Judge it; None where there is nothing to judge."""
        if self.figure is None or not self.is_judged:
            return None
        if self.figure <= self.target:
            return Verdict.GOOD
        return Verdict.MANAGEABLE if self.figure <= self.most else Verdict.BEYOND


ENOUGH = 20
"""Of fewer annunciations, a single one is more than the share that the strictest target of the levels allows."""


def check(performance: Performance) -> list[Check]:
    """Hold the figures against their targets, the most telling first."""
    rate, priorities = performance.rate, performance.priorities or {}

    is_enough = performance.annunciation_count >= ENOUGH

    def ratio(name: str, figure: float, target: float) -> Check:
        return Check(name=name, figure=figure, target=target, most=target, is_share=True)

    def share(name: str, figure: float | None, target: float, most: float | None = None) -> Check:
        most = target if most is None else most
        return Check(name=name, figure=figure, target=target, most=most, is_share=True, is_judged=is_enough)

    def count(name: str, figure: float, target: float, most: float | None = None) -> Check:
        return Check(name=name, figure=figure, target=target, most=target if most is None else most)

    return [
        count("mean_rate", rate.mean, 1, 2),
        count("peak_rate", rate.peak_count, 10),
        ratio("intervals_above_10", rate.above_overloaded_ratio, 0.01),
        ratio("time_in_flood", performance.flood_ratio, 0.01),
        share("top_sources", performance.sources_ratio if priorities else None, 0.01, 0.05),
        count("chattering", len(performance.chattering), 0),
        count("fleeting", performance.fleeting_count, 0),
        # "Fewer than five on any day": of whole alerts, four at most.
        count("stale", len(performance.stale) + performance.long_acknowledged_count, 4),
        share("critical_share", priorities.get(Severity.CRITICAL), 0.05),
        share("major_share", priorities.get(Severity.MAJOR), 0.15),
    ]
