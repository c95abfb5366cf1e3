"""Alerts that time ends, since nothing more is told of what is over: also where ``keep`` is longer than ``gap``."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from alerts.lifecycle.rule_tests import find_tests, play
from ioc.bootstrap.knowledge import load_world
from ioc.domain.alerts import ChangeType

ROOT = Path(__file__).parents[3]
WORLD = load_world()
ENDED_BY_TIME = {
    "hazards.coincident": "17-coincident.yaml",
    "air.dust_calm": "06-dust-calm.yaml",
    "vessel.adrift": "25-mooring.yaml",
    "vessel.under_warning": "21-vessel-warned.yaml",
    "vessel.unsheltered": "22-unsheltered.yaml",
    "vessel.squall": "20-squall.yaml",
}


@pytest.mark.parametrize("rule_id", ENDED_BY_TIME)
def test_an_alert_ends_when_its_keep_is_over_however_short_the_gap_is(rule_id):
    tests = find_tests([ROOT / "alerts" / "rules" / ENDED_BY_TIME[rule_id]])
    ending = [test for test in tests if test.expected and test.expected[-1]["type"] == "resolved"]
    assert ending
    for test in ending:
        rule = replace(test.rule, keep_firing_for=timedelta(hours=2), gap=timedelta(minutes=10))
        changes = play(rule, test.events, test.end_at + timedelta(hours=6), WORLD).changes
        begun = [change.alert_id for change in changes if change.type is ChangeType.FIRED]
        ended = [change.alert_id for change in changes if change.type is ChangeType.RESOLVED]
        assert set(ended) == set(begun), test.name
