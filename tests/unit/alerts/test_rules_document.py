"""docs/rules.md says what is shipped: every clause of the specification, every rule, and the limits as they are."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import pytest

from alerts.lifecycle.rule_tests import find_tests
from alerts.rulebook.book import Rulebook
from alerts.rulebook.listing import list_rules

ROOT = Path(__file__).parents[3]
RULES = Path(str(resources.files("alerts").joinpath("rules")))
PAGE = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
SHIPPED = Rulebook.load([RULES]).rules
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.partition("\n## ")[0].splitlines()
    if line.startswith("| ") and not line.startswith("| No.")
]


def ids_of(row):
    return re.findall(r"`([^`]+)`", row[1])


def test_every_number_of_the_specification_and_its_last_line_has_a_row():
    assert [row[0] for row in ROWS] == [*map(str, range(1, 37)), "–", "–", "–"]
    assert all(row[3] and row[4] for row in ROWS)


def test_every_rule_of_the_page_is_shipped_in_the_file_that_it_names_and_every_shipped_rule_is_on_the_page():
    named = {(rule_id, row[2].strip("`")) for row in ROWS for rule_id in ids_of(row)}
    assert named == {(rule.rule_id, Path(rule.file).name) for rule in SHIPPED}


def test_a_legal_basis_of_the_page_stands_in_the_rules_file():
    for row in [row for row in ROWS if row[5]]:
        assert f"{row[5]}" in (RULES / row[2].strip("`")).read_text(encoding="utf-8"), row[0]


def test_the_limits_of_the_page_are_those_of_the_rules():
    assert PAGE.endswith(list_rules(SHIPPED))


@pytest.mark.parametrize("rule", SHIPPED, ids=lambda rule: rule.rule_id)
def test_a_rule_has_a_test_that_fires_one_that_does_not_and_the_same_steps_in_both_languages(rule):
    mine = [test for test in find_tests([RULES / Path(rule.file).name]) if test.rule.rule_id == rule.rule_id]
    fires = [any(change["type"] == "fired" for change in test.expected) for test in mine]
    assert any(fires)
    assert not all(fires)
    steps = [re.findall(r"^(\d)\. \S", text, re.MULTILINE) for text in (rule.texts.runbook_vi, rule.texts.runbook_en)]
    assert steps[0] == steps[1] == [str(number) for number in range(1, len(steps[0]) + 1)]
    assert len(steps[0]) >= 3
