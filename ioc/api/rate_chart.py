"""The rate of annunciations over time as a drawing: bars per ten minutes, the limits, and the floods behind them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from html import escape

from alerts.performance.figures import BUSY, INTERVAL, OVERLOADED, Performance
from ioc.api.report_page import PROVINCE_TIME

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 960, 240, 44, 26, 10
_PLOT_WIDTH, _PLOT_HEIGHT = _WIDTH - _LEFT - 6, _HEIGHT - _BOTTOM - _TOP
_MOST_BARS = 288
_TICKS = 6


def draw_rate(performance: Performance, label: str) -> str:
    """Draw it as SVG; colours are the stylesheet's. Where intervals are many, each bar shows the worst of several."""
    counts, per_bar = thin(performance.rate.intervals, _MOST_BARS)
    highest = max(OVERLOADED + 2, *counts)
    span = performance.end - performance.start

    def x_of(at: datetime) -> float:
        return _LEFT + _PLOT_WIDTH * min(1.0, max(0.0, (at - performance.start) / span))

    def y_of(count: float) -> float:
        return _TOP + _PLOT_HEIGHT * (1 - count / highest)

    parts = [
        f'<rect class="flood" x="{x_of(flood.began_at):.1f}" y="{_TOP}" height="{_PLOT_HEIGHT}" '
        f'width="{max(1.0, x_of(flood.ended_at or performance.end) - x_of(flood.began_at)):.1f}"/>'
        for flood in performance.floods
    ]
    for place, count in enumerate(counts):
        begins_at = performance.start + place * per_bar * INTERVAL
        left, right = x_of(begins_at), x_of(begins_at + per_bar * INTERVAL)
        if count:
            level = "overloaded" if count > OVERLOADED else "busy" if count > BUSY else "calm"
            parts.append(
                f'<rect class="bar {level}" x="{left:.1f}" y="{y_of(count):.1f}" '
                f'width="{max(0.8, right - left - 0.6):.1f}" height="{_PLOT_HEIGHT + _TOP - y_of(count):.1f}">'
                f"<title>{_clock(begins_at, span)}: {count}</title></rect>"
            )
    for limit in (0, BUSY, OVERLOADED, highest):
        if limit in (BUSY, OVERLOADED):
            parts.append(f'<path class="limit" d="M{_LEFT} {y_of(limit):.1f}H{_WIDTH - 6}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y_of(limit) + 4:.1f}" text-anchor="end">{limit}</text>')
    parts.append(f'<path class="axis" d="M{_LEFT} {_TOP}V{_TOP + _PLOT_HEIGHT}H{_WIDTH - 6}"/>')
    for tick in range(_TICKS + 1):
        at = performance.start + span * tick / _TICKS
        anchor = "start" if tick == 0 else "end" if tick == _TICKS else "middle"
        parts.append(f'<text x="{x_of(at):.1f}" y="{_HEIGHT - 8}" text-anchor="{anchor}">{_clock(at, span)}</text>')
    return (
        f'<svg class="rate" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(label)}">'
        f"{''.join(parts)}</svg>"
    )


def thin(intervals: Sequence[int], most: int) -> tuple[list[int], int]:
    """Give at most ``most`` counts, each the highest of as many intervals as the second value says."""
    per_bar = max(1, math.ceil(len(intervals) / most))
    return [max(intervals[first : first + per_bar]) for first in range(0, len(intervals), per_bar)], per_bar


def _clock(at: datetime, span: timedelta) -> str:
    local = at.astimezone(PROVINCE_TIME)
    return f"{local:%H:%M}" if span <= timedelta(days=1) else f"{local:%d/%m %H:%M}"
