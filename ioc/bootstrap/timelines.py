"""When alerts were open, drawn as SVG that any browser shows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from html import escape

from alerts.backtest.comparison import Comparison
from alerts.backtest.trial import Occurrence

_WIDTH, _LEFT, _ROW, _TOP = 1_200, 260, 34, 46
_DRAFT, _ACTIVE, _CHANGED = "#d9480f", "#868e96", "#1864ab"
_TICKS = 6
_NARROWEST = 1.5


def draw_timelines(comparison: Comparison, begins_at: datetime | None) -> str:
    """Draw when alerts were open, a row per rule: the drafts above, the rules in force below.

    Those that both sides have but not alike are framed; every bar says its severity to who points at it.
    """
    draft, active, ends_at = comparison.draft, comparison.active, comparison.until
    changed = {item for change in comparison.changed for item in (change.draft, change.active)}
    rules = sorted({item.rule_id for item in (*draft, *active)})
    height = _TOP + _ROW * max(1, len(rules)) + 30
    if begins_at is None or ends_at is None or ends_at <= begins_at:
        return _frame(height, [f'<text x="{_LEFT}" y="{_TOP}">–</text>'])
    parts = _draw_axis(begins_at, ends_at, height)
    for place, rule_id in enumerate(rules):
        y = _TOP + place * _ROW
        parts.append(f'<text x="8" y="{y + 17}">{escape(rule_id)}</text>')
        for items, colour, offset in ((draft, _DRAFT, 2), (active, _ACTIVE, 15)):
            mine = [item for item in items if item.rule_id == rule_id]
            parts += [_bar(item, begins_at, ends_at, y + offset, colour, is_changed=item in changed) for item in mine]
    return _frame(height, parts)


def _draw_axis(begins_at: datetime, ends_at: datetime, height: int) -> list[str]:
    span, parts = ends_at - begins_at, []
    pattern = "%d/%m %H:%M" if span < timedelta(days=10) else "%d/%m/%Y"
    for tick in range(_TICKS + 1):
        x = _LEFT + (_WIDTH - _LEFT - 60) * tick / _TICKS
        at = begins_at + span * tick / _TICKS
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 6}" y2="{height - 24}" stroke="#ced4da"/>')
        parts.append(f'<text x="{x:.1f}" y="{height - 8}" text-anchor="middle">{at.strftime(pattern)}</text>')
    parts.append(f'<text x="{_LEFT}" y="24" fill="{_DRAFT}">■ bản nháp · drafts</text>')
    parts.append(f'<text x="{_LEFT + 170}" y="24" fill="{_ACTIVE}">■ đang dùng · in force</text>')
    parts.append(f'<text x="{_LEFT + 360}" y="24" fill="{_CHANGED}">□ đã đổi · changed</text>')
    return parts


def _bar(item: Occurrence, begins_at: datetime, ends_at: datetime, y: int, colour: str, *, is_changed: bool) -> str:
    scale = (_WIDTH - _LEFT - 60) / (ends_at - begins_at).total_seconds()
    x = _LEFT + max(0.0, (item.started_at - begins_at).total_seconds()) * scale
    width = max(_NARROWEST, item.lasted(ends_at).total_seconds() * scale)
    place = item.asset_id or item.unit_code or ""
    what = f"{item.started_at:%Y-%m-%d %H:%M} {place} {item.title_vi} ({item.severity.value})"
    frame = f' stroke="{_CHANGED}" stroke-width="2"' if is_changed else ""
    return (
        f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="11" fill="{colour}" fill-opacity="0.75"{frame}>'
        f"<title>{escape(what)}</title></rect>"
    )


def _frame(height: int, parts: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" font-family="sans-serif"'
    return (
        "\n".join([f'{head} font-size="13"><rect width="100%" height="100%" fill="white"/>', *parts, "</svg>"]) + "\n"
    )
