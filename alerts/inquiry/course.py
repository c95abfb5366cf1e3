"""The course of the value that matters most of an inquiry, thin enough to be drawn."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from alerts.inquiry.asking import Inquiry, Point
from alerts.language.rule import PROVINCE_TIME

MOST_POINTS = 500


def course_of(inquiry: Inquiry) -> tuple[str | None, list[Point]]:
    """Name the quantity whose course is worth seeing, and give it with the limit of each day."""
    """Give the course of the value that came nearest, or of the first that there is."""
    stick = inquiry.trace.yardstick
    comparisons = [item.comparison for item in stick.nearest] or [item for _, item in stick.comparisons]
    # Values of several units or zones are several courses: that of the nearest is shown.
    place = stick.nearest[0].place if stick.nearest else next(iter(stick.samples), ("", ""))[1]
    courses = {name: samples for (name, where), samples in stick.samples.items() if where == place}
    item = next((item for item in comparisons if item.quantity in courses), None)
    quantity = item.quantity if item is not None else next(iter(courses), None)
    if quantity is None:
        return None, []
    samples = sorted(set(courses[quantity]))
    rises = item is None or item.operator.startswith(">")
    return quantity, [
        Point(at=at, value=value, limit=None if item is None else item.limit.on(_day(at)))
        for at, value in thin_out(samples, rises=rises)
    ]


def thin_out(samples: Sequence[tuple[datetime, float]], *, rises: bool) -> list[tuple[datetime, float]]:
    """Leave at most 500 samples: of neighbours the one that is nearest to the limit, so that no peak is lost."""
    if len(samples) <= MOST_POINTS:
        return list(samples)
    width = -(-len(samples) // MOST_POINTS)
    choose = max if rises else min
    pieces = (samples[place : place + width] for place in range(0, len(samples), width))
    return [choose(piece, key=lambda sample: sample[1]) for piece in pieces]


def _day(at: datetime) -> date:
    return at.astimezone(PROVINCE_TIME).date()
