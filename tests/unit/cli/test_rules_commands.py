"""``ioc rules``: faults with file and line, tests by line, the table; exit codes for scripts."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from ioc.cli import make_app

RULE = """\
rule: test.rule
condition: threshold
on: tourism.crowd
levels:
  - severity: major
    when: density_p_m2 >= 2
title: {vi: "a {value}", en: "a {value}"}
detail: {vi: b, en: b}
runbook: {vi: c, en: c}
tests:
  - name: two are enough
    given:
      - {asset: site.x, at: 0m, density_p_m2: 2}
    expect:
      - {type: fired, at: 0m, severity: major}
  - name: three are told at once
    given:
      - {asset: site.x, at: 0m, density_p_m2: 3}
    expect: []
"""


@pytest.fixture
def invoke(tmp_path):
    path = tmp_path / "rule.yaml"

    def call(command, text):
        path.write_text(text, encoding="utf-8")
        return CliRunner().invoke(make_app(), ["rules", command, str(path)])

    return call


def test_check_names_every_fault_and_exits_1(invoke):
    result = invoke("check", RULE.replace("major", "huge", 1).replace("{vi: c, en: c}", "{vi: c}"))
    assert result.exit_code == 1
    assert "rule.yaml:5: severity: one of" in result.output
    assert "rule.yaml:9: 'en' is missing" in result.output


def test_a_failing_test_is_shown_with_its_line_what_was_expected_and_what_came(invoke):
    result = invoke("test", RULE)
    assert result.exit_code == 1
    lines = [line.strip() for line in result.output.splitlines()]
    assert "ok     test.rule: two are enough" in lines
    assert "FAILED test.rule: three are told at once" in lines
    assert any(line.endswith("rule.yaml:16") for line in lines)
    assert "expected nothing" in lines
    assert any(line.startswith("came     fired at 0m major site.x") for line in lines)
    assert lines[-1] == "1 passed, 1 failed"


TRIPS = RULE.replace("condition: threshold", "condition: expression").replace("name: two", "name: two or more")
TRIPS = TRIPS[: TRIPS.index("  - name: three")].replace("at: 0m, density", "at: 3m, every: 1m, until: 5m, density")


@pytest.mark.parametrize(
    "when",
    ["density_p_m2 > 0 && timestamp('x') < timestamp('y')", "density_p_m2 > 3 || timestamp('x') < timestamp('y')"],
)
@pytest.mark.parametrize("expected", ["[]", "[{type: fired, at: 3m}]"])
def test_a_test_in_which_the_rule_trips_fails_and_says_on_what_and_when(invoke, when, expected):
    text = TRIPS.replace("density_p_m2 >= 2", when)
    result = invoke("test", text[: text.index("    expect:")] + f"    expect: {expected}\n")
    assert result.exit_code == 1
    lines = [line.strip() for line in result.output.splitlines()]
    assert "FAILED test.rule: two or more are enough" in lines
    assert ("came     nothing" in lines) is (expected != "[]")
    (trip,) = (line for line in lines if line.startswith("tripped"))
    assert trip.startswith("tripped  at 3m on site.x: ")
    assert "String to Timestamp conversion failed" in trip
    assert trip.endswith("(and 2 times more)")
    assert lines[-1] == "0 passed, 1 failed"


def test_passing_tests_exit_0_and_none_at_all_exits_1(invoke):
    assert invoke("test", RULE[: RULE.index("  - name: three")]).exit_code == 0
    assert invoke("test", RULE[: RULE.index("tests:")]).exit_code == 1


def test_the_limits_are_a_table_of_what_the_files_say(invoke):
    result = invoke("limits", RULE)
    assert result.exit_code == 0
    assert "**major** `density_p_m2 >= 2`" in result.output


@pytest.mark.parametrize("reason", ["", " ", "\n\t"])
@pytest.mark.parametrize(
    "command",
    [["activate", "crowd.density", "1"], ["retire", "crowd.density"], ["roll-back", "crowd.density"], ["save"]],
)
def test_a_reason_that_says_nothing_is_refused_before_anything_is_opened(tmp_path, command, reason):
    if command == ["save"]:
        (tmp_path / "rule.yaml").write_text(RULE, encoding="utf-8")
        command = ["save", str(tmp_path / "rule.yaml")]
    result = CliRunner().invoke(make_app(), ["rules", *command, "--reason", reason])
    assert result.exit_code == 2
    assert "must not be blank" in result.output


def test_check_knows_the_zones_of_the_province(invoke):
    zone = RULE[: RULE.index("tests:")].replace("threshold", "zone\nwhen: inside\nzones: [ha-long-bayy]")
    zone = zone.replace("tourism.crowd", "vessel.position").replace("    when: density_p_m2 >= 2\n", "")
    result = invoke("check", zone.replace("{value}", ""))
    assert result.exit_code == 1
    assert "rule.yaml:1: zones: no zone 'ha-long-bayy'; did you mean ha-long-bay?" in result.output


def test_check_says_how_many_rules_it_found_sound(invoke):
    assert invoke("check", RULE).output == "1 of 1 rules are sound\n"
    assert invoke("check", "# nothing yet\n").output == "there is no rule in it\n"
