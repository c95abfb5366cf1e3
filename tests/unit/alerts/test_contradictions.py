"""Levels that contradict themselves or each other are faults of what is new; a version in force goes on with them."""

from __future__ import annotations

import asyncio
import json

import pytest

from alerts.lifecycle import rule_tests
from alerts.lifecycle.versions import check_version, read_version
from alerts.rulebook.book import Rulebook, RulebookError
from ioc import logs
from ioc.bootstrap import examination
from ioc.bootstrap.knowledge import load_rulebook, load_world
from ioc.settings import Settings

WORLD = load_world()

RULE = """\
rule: test.rule
condition: {condition}
on: met.obs
title: {{vi: a, en: a}}
detail: {{vi: b, en: b}}
runbook: {{vi: c, en: c}}
levels:
"""
LIMITS = """\
rule: test.rule
condition: asset_limits
on: env.water.level
quantity: level_m
limits:
  water.a: {minor: 3.0, major: 4.0}
  water.b: {major: 4.0, minor: 5.0}
title: {vi: a, en: a}
detail: {vi: b, en: b}
runbook: {vi: c, en: c}
"""


def _rule(*levels: str, condition: str = "threshold") -> str:
    return RULE.format(condition=condition) + "".join(f"  - {{{level}}}\n" for level in levels)


def _faults(tmp_path, text):
    path = tmp_path / "rule.yaml"
    path.write_text(text, encoding="utf-8")
    return [(fault.line, fault.what) for fault in rule_tests.check([path])]


CONTRADICTIONS = [
    (["severity: minor, when: wind_m_s >= 20, clear: wind_m_s > 18"], 8, "looks the same way"),
    (["severity: minor, when: visibility_m < 1000, clear: visibility_m <= 1500"], 8, "looks the same way"),
    (["severity: minor, when: wind_m_s >= 2, clear: wind_m_s < 2.8"], 8, "has no effect"),
    (["severity: minor, when: wind_m_s < 20, clear: wind_m_s > 18"], 8, "has no effect"),
    (["severity: minor, when: wind_m_s >= 30", "severity: critical, when: wind_m_s >= 10"], 8, "never be seen"),
    (["severity: critical, when: wind_m_s > 10", "severity: minor, when: wind_m_s > 10"], 9, "never be seen"),
    (["severity: major, when: wind_m_s < 10, for: 5m", "severity: info, when: wind_m_s < 5, for: 5m"], 9, "never be"),
]
SOUND = [
    ["severity: minor, when: wind_m_s >= 20, clear: wind_m_s < 18"],
    ["severity: minor, when: wind_m_s > 20, clear: wind_m_s <= 20"],
    ["severity: minor, when: wind_m_s >= 20, clear: gust_m_s < 30"],
    ["severity: minor, when: wind_m_s >= 10", "severity: critical, when: wind_m_s >= 30"],
    ["severity: minor, when: wind_m_s >= 10", "severity: critical, when: wind_m_s > 10"],
    ["severity: minor, when: wind_m_s > 30", "severity: critical, when: wind_m_s > 10, for: 3h"],
    ["severity: minor, when: wind_m_s > 30", "severity: critical, when: gust_m_s > 10"],
    [
        "severity: minor, when: wind_m_s > 30, effective_until: 2026-01-01",
        "severity: critical, when: wind_m_s > 10, effective_from: 2026-01-01",
    ],
]


@pytest.mark.parametrize("condition", ["threshold", "expression"])
@pytest.mark.parametrize(("levels", "line", "says"), CONTRADICTIONS)
def test_levels_that_contradict_are_named_with_their_line(tmp_path, condition, levels, line, says):
    ((at, what),) = _faults(tmp_path, _rule(*levels, condition=condition))
    assert at == line
    assert says in what


@pytest.mark.parametrize("condition", ["threshold", "expression"])
@pytest.mark.parametrize("levels", SOUND)
def test_levels_that_each_mean_something_are_sound(tmp_path, condition, levels):
    assert _faults(tmp_path, _rule(*levels, condition=condition)) == []


def test_what_may_be_too_high_and_too_low_is_cleared_between(tmp_path):
    both = "severity: minor, when: [temp_celsius > 40, temp_celsius < 0], clear: [temp_celsius < 38, temp_celsius > 2]"
    assert _faults(tmp_path, _rule(both)) == []


def test_an_asset_whose_lesser_limit_lies_above_the_greater_is_named(tmp_path):
    ((line, what),) = _faults(tmp_path, LIMITS)
    assert line == 7
    assert what == "minor at level_m >= 5 would never be seen: major begins at level_m >= 4"


@pytest.mark.parametrize("text", [LIMITS, _rule(*CONTRADICTIONS[0][0])])
def test_a_version_that_was_let_through_once_is_read_and_nothing_new_may_say_it(text):
    assert read_version(text, "test").rule.rule_id == "test.rule"
    with pytest.raises(RulebookError):
        check_version(text, "test", WORLD, Rulebook([]))


STANDING = """\
rule: test.rule
condition: standing
on: border.lane
state: {status: [closed]}
levels: [{severity: minor, after: 10m}]
keep: 15m
title: {vi: a, en: a}
detail: {vi: b, en: b}
runbook: {vi: c, en: c}
"""


def test_keep_is_no_key_of_what_is_over_when_people_say_so(tmp_path):
    ((line, what),) = _faults(tmp_path, STANDING)
    assert (line, what) == (6, "keep: has no effect on standing, which is over when it is reported to be")
    assert _faults(tmp_path, STANDING.replace("keep: 15m", "keep: 0s")) == []


@pytest.mark.parametrize("text", [LIMITS, STANDING])
def test_rule_files_that_are_in_force_go_on_with_it_and_the_log_and_the_doctor_tell(tmp_path, text, capsys):
    (tmp_path / "own.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(RulebookError):
        Rulebook.load([tmp_path])
    settings = Settings(alerts={"rules_dir": tmp_path})
    logs.configure(form="json")
    assert [rule.rule_id for rule in load_rulebook(settings).rules] == ["test.rule"]
    [line] = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert (told["event"], told["level"]) == ("rules.doubt", "warning")
    assert told["fault"].startswith(f"{tmp_path / 'own.yaml'}:")
    assert told["fault"] in asyncio.run(examination._check_rules(settings))


def test_what_is_read_wrongly_contradicts_nothing_besides(tmp_path):
    levels = ["severity: minor, when: wind_m_s >= 10", "severity: huge, when: wind_m_s >= 30, clear: wind_m_s < 25"]
    ((line, what),) = _faults(tmp_path, _rule(*levels))
    assert (line, what) == (9, "severity: one of critical, major, minor, info")
