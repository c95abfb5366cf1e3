"""Every fault of a rule file is named at once, with file and line."""

from __future__ import annotations

import pytest

from alerts import rule_tests
from alerts.rulebook import Rulebook, RulebookError

SOUND = """\
rule: test.rule
condition: threshold
on: tourism.crowd
levels:
  - severity: major
    when: density_p_m2 >= 2
title: {vi: "a {value}", en: "a {value}"}
detail: {vi: b, en: b}
runbook: {vi: c, en: c}
"""


def _faults(tmp_path, text):
    path = tmp_path / "rule.yaml"
    path.write_text(text, encoding="utf-8")
    return [(fault.line, fault.what) for fault in rule_tests.check([path])]


def test_a_sound_rule_has_no_fault(tmp_path):
    assert _faults(tmp_path, SOUND) == []


@pytest.mark.parametrize(
    ("change", "line", "says"),
    [
        (("condition: threshold", "condition: treshold"), 1, "no condition 'treshold'"),
        (("on: tourism.crowd", "on: tourism.crowds"), 3, "no kind 'tourism.crowds'"),
        (("density_p_m2 >= 2", "density >= 2"), 6, "no quantity 'density'"),
        (("density_p_m2 >= 2", "density_p_m2 is high"), 6, "must read like"),
        (("severity: major", "severity: huge"), 5, "one of critical, major, minor, info"),
        (("a {value}", "a {valeu}"), 7, "no {valeu}"),
        (("runbook: {vi: c, en: c}", "runbook: {vi: c}"), 9, "'en' is missing"),
        (("rule: test.rule", "rule: test.rule\nkeeep: 5m"), 2, "unknown key 'keeep'"),
        (("rule: test.rule", "rule: test.rule\nkeep: five"), 2, "must be a duration"),
        (("rule: test.rule", "rule: test.rule\nrule: again"), 2, "stands twice"),
        (("levels:", "levels: ["), 5, "not YAML"),
    ],
)
def test_a_fault_is_named_with_its_line(tmp_path, change, line, says):
    found = _faults(tmp_path, SOUND.replace(*change))
    assert any(at == line and says in what for at, what in found), found


def test_all_faults_come_at_once(tmp_path):
    broken = SOUND.replace("severity: major", "severity: huge").replace("{vi: b, en: b}", "{vi: b}")
    assert len(_faults(tmp_path, broken)) == 2


def test_a_rulebook_with_faults_is_refused_with_all_of_them(tmp_path):
    (tmp_path / "a.yaml").write_text(SOUND.replace("major", "huge"), encoding="utf-8")
    (tmp_path / "b.yaml").write_text(SOUND, encoding="utf-8")
    (tmp_path / "c.yaml").write_text(SOUND, encoding="utf-8")
    with pytest.raises(RulebookError) as refused:
        Rulebook.load([tmp_path])
    assert len(refused.value.rule_faults) == 3
    assert "c.yaml:1: rule 'test.rule' stands twice" in str(refused.value)


def test_a_test_that_is_written_wrongly_is_a_fault_too(tmp_path):
    found = _faults(tmp_path, SOUND + "tests:\n  - name: x\n    given:\n      - {asset: site.x, at: 0m, densty: 3}\n")
    assert any("no field densty" in what for _, what in found), found


def test_an_empty_folder_says_so(tmp_path):
    assert "no rule files" in str(rule_tests.check([tmp_path])[0])


def test_editing_texts_keeps_the_version_and_editing_a_limit_does_not(tmp_path):
    def version(text):
        path = tmp_path / "rule.yaml"
        path.write_text(text, encoding="utf-8")
        return Rulebook.load([path]).rules[0].version

    first = version(SOUND)
    assert version(SOUND.replace("{vi: b, en: b}", "{vi: other, en: other}")) == first
    assert version(SOUND.replace(">= 2", ">= 3")) != first
