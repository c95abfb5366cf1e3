"""What it costs to refuse a hostile CEL expression when a rule is saved, beside taking an ordinary one. CPU time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from typing import Any

from alerts.language.expressions import MOST_CHARACTERS, Expression, ExpressionError
from tests.support.expressions import HOSTILE, VARIABLES

RUNS = 21
ORDINARY = "density > 2 && people > 100"
LONGEST = " || ".join(["density - 2 * people > 0"] * (MOST_CHARACTERS // 28))


def measure() -> list[dict[str, Any]]:
    """Measure each expression on its own, some times: the median, and of the hostile ones the worst single time."""
    _cpu_ms(ORDINARY, VARIABLES)  # the library loads what it needs
    ordinary, longest = (statistics.median(_cpu_ms(text, VARIABLES)) for text in (ORDINARY, LONGEST))
    hostile = {text: _cpu_ms(text, VARIABLES) for text in HOSTILE}
    worst = max(hostile, key=lambda text: max(hostile[text]))
    usual = statistics.median(statistics.median(taken) for taken in hostile.values())
    beside = f"an ordinary one ({ordinary:.3g} ms)"
    named = worst[:30].replace("\n", " ")
    return [
        _entry("take an ordinary expression", ordinary, None, None),
        _entry(f"take the longest that is let through ({len(LONGEST)} characters)", longest, beside, ordinary),
        _entry(f"refuse a hostile one, median of {len(hostile)}", usual, beside, ordinary),
        _entry(f"refuse a hostile one, worst of {RUNS} each: {named}", max(hostile[worst]), beside, ordinary),
    ]


def _cpu_ms(text: str, variables: Mapping[str, type]) -> list[float]:
    taken = []
    for _ in range(RUNS):
        began = time.process_time_ns()
        try:
            Expression(text, variables)
        except ExpressionError:
            assert text in HOSTILE
        taken.append((time.process_time_ns() - began) / 1e6)
    return taken


def _entry(name: str, value_ms: float, beside: str | None, other_ms: float | None) -> dict[str, Any]:
    ratio = None if other_ms is None else value_ms / other_ms
    return {"name": name, "value": value_ms, "unit": "ms CPU", "beside": beside, "ratio": ratio}
