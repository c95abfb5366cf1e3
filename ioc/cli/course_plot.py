"""The course of a value against its limit, as SVG that any browser shows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from html import escape
from itertools import groupby

from alerts.inquiry.asking import Answer, Point
from alerts.language.rule import PROVINCE_TIME

_WIDTH, _HEIGHT = 1_200, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 90, 30, 56, 46
_VALUE, _LIMIT, _HELD = "#1971c2", "#e03131", "#f08c00"
_TICKS = 6


def draw_course(answer: Answer, title: str) -> str:
    """Draw the values of an answer, their limit as a dashed line, and shade where a level held."""
    question, points = answer.question, answer.course
    parts = [f'<text x="{_LEFT}" y="22" font-weight="bold">{escape(title)}</text>']
    if not points:
        parts.append(f'<text x="{_LEFT}" y="{_HEIGHT / 2:.0f}">không có giá trị · no values</text>')
        return _frame(parts)
    scale = _Scale(question.start, question.end, points)
    for span in answer.spans:
        x, until = scale.x(max(span.since, question.start)), scale.x(min(span.until, question.end))
        parts.append(
            f'<rect x="{x:.1f}" y="{_TOP}" width="{max(1.5, until - x):.1f}" height="{_HEIGHT - _TOP - _BOTTOM}"'
            f' fill="{_HELD}" fill-opacity="0.18"><title>{escape(span.severity)}</title></rect>'
        )
    parts += [*_draw_axes(scale), _draw_line(scale, points), *_draw_limit(scale, points)]
    legend = ((_VALUE, answer.quantity or ""), (_LIMIT, "ngưỡng · limit"), (_HELD, "đang vượt ngưỡng · held"))
    for place, (colour, text) in enumerate(legend):
        parts.append(f'<text x="{_LEFT + 230 * place}" y="44" fill="{colour}">■ {escape(text)}</text>')
    return _frame(parts)


class _Scale:
    """From instants and values to places on the sheet."""

    def __init__(self, start: datetime, end: datetime, points: Sequence[Point]) -> None:
        self.start, self.end = start, end
        values = [point.value for point in points] + [point.limit for point in points if point.limit is not None]
        low, high = min(values), max(values)
        margin = 0.08 * (high - low) or abs(high) * 0.1 or 1.0
        self.low, self.high = low - margin, high + margin

    def x(self, at: datetime) -> float:
        """Give the place of an instant."""
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * ((at - self.start) / (self.end - self.start))

    def y(self, value: float) -> float:
        """Give the place of a value."""
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * (value - self.low) / (self.high - self.low)


def _draw_axes(scale: _Scale) -> list[str]:
    parts, span = [], scale.end - scale.start
    pattern = "%H:%M" if span <= timedelta(hours=24) else "%d/%m %H:%M"
    for tick in range(_TICKS + 1):
        at = scale.start + span * tick / _TICKS
        x = scale.x(at)
        text = at.astimezone(PROVINCE_TIME).strftime(pattern)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}" stroke="#dee2e6"/>')
        parts.append(f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 20}" text-anchor="middle">{text}</text>')
        value = scale.low + (scale.high - scale.low) * tick / _TICKS
        y = scale.y(value)
        parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#f1f3f5"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:.4g}</text>')
    return parts


def _draw_line(scale: _Scale, points: Sequence[Point]) -> str:
    places = " ".join(f"{scale.x(point.at):.1f},{scale.y(point.value):.1f}" for point in points)
    return f'<polyline points="{places}" fill="none" stroke="{_VALUE}" stroke-width="1.6"/>'


def _draw_limit(scale: _Scale, points: Sequence[Point]) -> list[str]:
    """Draw the limit as steps: one that law changes holds from a day on."""
    limited = [point for point in points if point.limit is not None]
    runs = groupby(limited, key=lambda point: point.limit)
    steps = [(limit, next(held).at) for limit, held in runs if limit is not None]
    drawn = []
    for place, (limit, since) in enumerate(steps):
        begin = scale.x(scale.start if place == 0 else since)
        end = scale.x(steps[place + 1][1] if place + 1 < len(steps) else scale.end)
        y = f"{scale.y(limit):.1f}"
        drawn.append(
            f'<line x1="{begin:.1f}" x2="{end:.1f}" y1="{y}" y2="{y}" stroke="{_LIMIT}" stroke-width="1.4"'
            ' stroke-dasharray="6 4"/>'
        )
    return drawn


def _frame(parts: list[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" font-family="sans-serif"'
    return (
        "\n".join([f'{head} font-size="13"><rect width="100%" height="100%" fill="white"/>', *parts, "</svg>"]) + "\n"
    )
