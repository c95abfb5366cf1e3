"""The facts of findings: values, limits, windows and what was asked for, as they are told to machines and people."""

from __future__ import annotations

from datetime import date

from alerts.approaches import Approach
from alerts.inquiry.asking import Fact, Inquiry
from alerts.inquiry.measures import Nearest
from alerts.language.rule import Comparison, Level
from alerts.language.windows import TENTHS


def describe_limit(severity: str, item: Comparison) -> dict[str, Fact]:
    """Give a comparison with its limits and the days from which they are in force; null ends one."""
    limit = item.limit
    return {
        "severity": severity, "quantity": item.quantity, "operator": item.operator,
        "in_force_from": [None if day == date.min else day.isoformat() for day in limit.from_on],
        "values": list(limit.values),
    }  # fmt: skip


def describe_term(level: Level, formula: str) -> dict[str, Fact]:
    """Give a formula with the days between which it is in force."""
    days = [None if day is None else day.isoformat() for day in (level.from_on, level.until_on)]
    return {
        "severity": level.severity.value, "formula": formula, "in_force_from": days[:1], "in_force_until": days[1],
    }  # fmt: skip


def describe_nearest(inquiry: Inquiry, item: Nearest) -> dict[str, Fact]:
    """Give the value that came nearest to a limit."""
    where = _describe_place(inquiry, item.place) if item.place else {}
    return {
        "severity": item.severity.value, "quantity": item.comparison.quantity, "operator": item.comparison.operator,
        "value": item.value, "limit": item.limit, "distance": item.lacking, "at": item.at, **where,
    }  # fmt: skip


def describe_window(inquiry: Inquiry, name: str) -> dict[str, Fact]:
    """Give how well a window was filled at best."""
    filling = inquiry.trace.yardstick.fillings[name]
    window = filling.window
    return {
        "name": name, "quantity": window.quantity, "aggregate": window.aggregate.value, "span": window.span,
        # Whatever a window asks for, without any reading it has no value.
        "needs_ratio": max(window.covers, 1 / TENTHS),
        "best_ratio": max(0.0, filling.best_ratio), "best_at": filling.best_at,
        "unfilled_count": inquiry.trace.yardstick.missing[name],
    }  # fmt: skip


def describe_approach(inquiry: Inquiry, approach: Approach) -> dict[str, Fact]:
    """Give what a condition asked for at an instant, part by part."""
    parts: list[Fact] = [
        {"what": part.what, "is_met": part.is_met, "value": part.value, "limit": part.limit,
         "operator": part.operator, "one_of": part.one_of}
        for part in approach.parts
    ]  # fmt: skip
    return {
        "at": approach.at, **_describe_place(inquiry, approach.place), "asset_id": approach.asset_id, "parts": parts,
        "facts": dict(approach.facts),
    }  # fmt: skip


def _describe_place(inquiry: Inquiry, place: str) -> dict[str, Fact]:
    if not place:
        return {"place": None}
    name_vi, name_en = inquiry.world.name_of(place)
    return {"place": place, "place_vi": name_vi, "place_en": name_en}
