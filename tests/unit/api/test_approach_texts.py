"""How near a rule came, in words of both languages."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import alerts
from alerts.approaches import compare
from ioc.api.approach_texts import NUMBERS, STATES, say_nearest
from ioc.domain.grounds import Part

_AT = datetime(2026, 11, 23, 7, 5, tzinfo=UTC)
_MADE = re.compile(r'(Part|compare)\(\s*"(\w+)"')


def near(*parts: Part, place: str | None = None, asset_id: str | None = None):
    names = {} if place is None else {"place_vi": "Vịnh Hạ Long", "place_en": "Hạ Long Bay"}
    return {"at": _AT, "place": place, **names, "asset_id": asset_id, "parts": [part._asdict() for part in parts]}


def test_every_part_that_a_condition_may_name_has_words():
    folder = Path(alerts.__file__).parent / "conditions"
    made = {found for path in folder.glob("*.py") for found in _MADE.findall(path.read_text("utf-8"))}
    assert len(made) > 30
    assert {what for _, what in made} <= {*NUMBERS, *STATES}


def test_a_share_is_told_with_its_limit_its_time_and_its_place():
    vi, en = say_nearest(near(compare("silent_share_pct", 22.5, ">=", 30.0), place="ha-long-bay"))
    assert vi == "Gần nhất lúc 14:05 23/11/2026 · Vịnh Hạ Long: tỷ lệ trạm mất tín hiệu 22,5 %, cần >= 30 %."
    assert en == "Nearest at 14:05 23/11/2026 · Hạ Long Bay: share of silent stations 22.5 %, needs >= 30 %."


def test_ways_of_which_one_is_enough_are_told_as_such_and_what_was_met_beside():
    parts = (
        Part("under_way", True),
        Part("warning", False, one_of="weather"),
        compare("wind_m_s", 9.5, ">=", 10.8, one_of="weather"),
    )
    _, en = say_nearest(near(*parts, asset_id="vessel.1"))
    assert en == (
        "Nearest at 14:05 23/11/2026 · vessel.1: no warning in force over these waters;"
        " wind 9.5 m/s, >= 10.8 m/s would do (met then: it was under way)."
    )


def test_of_ways_that_are_met_by_one_the_others_are_not_told_as_lacking():
    parts = (
        Part("under_way", False),
        Part("warning", True, one_of="weather"),
        compare("wind_m_s", 9.5, ">=", 10.8, one_of="weather"),
    )
    vi, en = say_nearest(near(*parts))
    assert "wind" not in en
    assert vi.endswith("tàu không chạy (khi đó: có cảnh báo cho vùng nước).")
