"""The page that tells people what each figure means is made from the definitions, and says the same."""

from __future__ import annotations

from pathlib import Path

from ioc.domain.quantities import Quality
from ioc.indicators.board import Board, Surroundings, make_indicators

PAGE = Path(__file__).resolve().parents[3] / "docs" / "indicators.md"

_HEAD = (
    "# Indicators",
    "",
    "Each is defined once, in `ioc/indicators`: walls (eight to a page, in this order), `GET /api/v1/indicators`,",
    "the metric `ioc_indicator` and this page come from there. A value has the time of its newest data and a quality:",
    "what fell silent is left out, and said (of customers without power a silent unit's last word still counts).",
    "A sample a minute is kept for 400 days: `GET /api/v1/indicators/{id}?bucket=1h`.",
    "",
    "| | Id | Name | Unit | Limit | Method |",
    "|---|---|---|---|---|---|",
)


def write_page() -> str:
    """Write the table of every indicator. Renew it with ``python tests/unit/indicators/test_indicator_page.py``."""
    around = Surroundings(lambda: (), lambda _: 0, lambda _: (None, Quality.GOOD))
    rows = [
        f"| {item.place} | `{item.indicator_id}` | {item.name_vi} · {item.name_en} | {item.unit or '–'} "
        f"| {'' if item.limit is None else ('≥ ' if item.is_floor else '≤ ') + format(item.limit, 'g')} "
        f"| {item.method_vi}<br>{item.method_en} |"
        for item in Board(make_indicators(around, {})).definitions
    ]
    return "\n".join([*_HEAD, *rows, ""])


def test_the_page_says_what_the_definitions_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == write_page()


if __name__ == "__main__":
    PAGE.write_text(write_page(), encoding="utf-8")
