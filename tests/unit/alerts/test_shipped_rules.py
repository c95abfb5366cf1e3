"""The rules that the product ships are sound, and do what their own tests say."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from alerts.lifecycle import rule_tests
from alerts.notification.labels import IDENTITY_NAMES, NAMES
from alerts.rulebook.book import Rulebook, read_rules
from ioc.bootstrap.knowledge import load_world

RULES = Path(str(resources.files("alerts").joinpath("rules")))
WORLD = load_world()
RESULTS = rule_tests.run_tests([RULES], WORLD)


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: f"{result.rule_id}: {result.name}")
def test_a_rule_does_what_the_test_beside_it_says(result):
    assert result.passed, result.difference


def test_every_label_that_an_alert_has_can_be_matched():
    labels = {
        name
        for test in rule_tests.find_tests([RULES])
        for change in rule_tests.play(test.rule, test.events, test.end_at, WORLD).changes
        for name, _ in change.labels
    }
    assert labels <= {*NAMES, *IDENTITY_NAMES}
    assert set(IDENTITY_NAMES) - labels <= {"no_data", "warning"}  # of rules that none of ours is


def test_no_rule_has_a_fault_and_every_rule_has_tests():
    assert rule_tests.check([RULES]) == []
    rules, tests, _ = read_rules([RULES])
    assert {rule.rule_id for rule in rules if not tests[rule.rule_id]} == set()


def test_the_rules_of_the_first_delivery_are_all_there():
    found = {rule.rule_id for rule in Rulebook.load([RULES]).rules}
    assert {
        "air.vn_aqi_hour", "station.silent", "wind.island_routes", "wind.suspension", "vessel.under_warning",
        "vessel.signal_lost", "crowd.density", "gate.queue", "gate.perishables",
    } <= found  # fmt: skip


def test_people_read_both_languages_in_every_text():
    for rule in Rulebook.load([RULES]).rules:
        for name in ("title", "detail", "runbook"):
            for language in ("vi", "en"):
                assert getattr(rule.texts, f"{name}_{language}").strip(), f"{rule.rule_id}: {name}.{language}"
