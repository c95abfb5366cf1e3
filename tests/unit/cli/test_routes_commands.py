"""``ioc routes`` as a person types it."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from ioc.cli import make_app


def call(*arguments):
    return CliRunner().invoke(make_app(), ["routes", *arguments])


def test_the_policy_in_force_is_sound_and_passes_its_tests():
    assert call("check").exit_code == 0
    result = call("test")
    assert (result.exit_code, "0 failed" in result.stdout) == (0, True)


def test_an_alert_is_followed_through_the_tree():
    shown = json.loads(call("test", "rule=vessel.squall", "severity=critical", "--json").stdout)
    assert [item["route"] for item in shown["goes_to"]] == ["critical", "sea"]
    assert shown["first_after_s"] == 0
    assert "refused by" in call("test", "rule=air.vn_aqi_hour").stdout
    assert "port-authority" in call("show").stdout


def test_what_is_wrong_is_said_with_its_place(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text("route:\n  id: a\n  departments: []\n", encoding="utf-8")
    result = call("check", "--file", str(path))
    assert result.exit_code == 1
    assert f"{path}:2: departments: at least one" in result.stderr
    assert call("test", "no-pair").exit_code == 2
    assert call("test", "severity=loud").exit_code == 2
    misspelt = call("test", "rule=vessel.squall", "sevrity=major")
    assert (misspelt.exit_code, "did you mean severity?" in misspelt.stderr) == (2, True)


def test_a_policy_whose_test_fails_fails(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text(
        "route: {id: a, departments: [x], routes: [{id: b, match: rule=c, departments: [y]}]}\n"
        "tests: [{name: wrong, given: {rule: c}, routes: [a]}]\n",
        encoding="utf-8",
    )
    assert call("test", "--file", str(path)).exit_code == 1
