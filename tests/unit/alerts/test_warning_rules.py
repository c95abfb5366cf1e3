"""Rules about warnings as such: a field of a kind may have any name, and its texts anything in them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from alerts.rulebook.book import Rulebook
from ioc.bootstrap.knowledge import load_world
from ioc.domain.alerts import ChangeType
from ioc.domain.kinds import WeatherWarning
from tests.support.engine_runs import Lives, make_event

START = datetime(2026, 11, 23, 2, tzinfo=UTC)
WORLD = load_world()
TEXTS = """\
title: {vi: "{zone_id}: {headline_vi}", en: "{zone_id}: {headline_en}"}
detail: {vi: "{severity}", en: "{severity}"}
runbook: {vi: c, en: c}
"""
EXPRESSION = """\
rule: test.rule
condition: expression
on: met.warning
levels:
  - {severity: major, when: severity == "extreme"}
"""
STANDING = """\
rule: test.rule
condition: standing
on: met.warning
state: {status: [actual]}
levels: [{severity: major, after: 10m}]
"""


def warning(minute, headline):
    at = START + timedelta(minutes=minute)
    data = WeatherWarning(
        warning_key="W-1", hazard="squall", severity="extreme", zone_id="ha-long-bay", status="actual",
        onset_at=START, expires_at=START + timedelta(hours=10), headline_vi=headline, headline_en=headline,
    )  # fmt: skip
    return make_event("area.ha-long-bay", data, at)


@pytest.mark.parametrize("rule", [EXPRESSION, STANDING], ids=["expression", "standing"])
@pytest.mark.parametrize("headline", ["Squall", "Squ\x00all"], ids=["plain", "nul"])
def test_a_rule_about_warnings_fires_with_what_the_warning_says(rule, headline):
    lives = Lives(Rulebook.read(rule + TEXTS, "test"), WORLD)
    for minute in range(12):
        lives.take(warning(minute, headline))
    fired = lives.changes[0]
    assert (fired.type, fired.title_vi, fired.title_en) == (
        ChangeType.FIRED, "ha-long-bay: Squall", "ha-long-bay: Squall",
    )  # fmt: skip
    assert fired.detail_en == "extreme"
