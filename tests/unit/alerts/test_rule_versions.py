"""Versions of rules as texts: what is refused before it costs anything, and what a change of rules leaves alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

import pytest

from alerts.engine.stepping import Engine
from alerts.lifecycle.versions import (
    MOST_CHARACTERS,
    FailedTestsError,
    InForce,
    candidate_id,
    check_version,
    overlay,
    read_version,
    split_id,
)
from alerts.rulebook.book import Rulebook, RulebookError
from ioc.bootstrap.knowledge import load_world
from ioc.domain.alerts import ChangeType, ResolveReason
from ioc.domain.kinds import Crowd
from tests.support.engine_runs import EVENTS, make_event
from tests.support.rule_texts import crowd_rule

START = datetime(2026, 11, 23, 2, tzinfo=UTC)
SHIPPED = Path(str(resources.files("alerts").joinpath("rules")))
WORLD = load_world()
NOTHING = Rulebook([])


def check(source):
    return check_version(source, "rule", WORLD, NOTHING)


def faults_of(source):
    with pytest.raises(RulebookError) as refused:
        check(source)
    return [(fault.line, fault.what) for fault in refused.value.rule_faults]


def read(source, **others):
    return replace(read_version(source, "rule").rule, **others)


def test_every_rule_that_comes_with_the_program_could_be_saved_as_a_version():
    for path in sorted(SHIPPED.glob("*.yaml")):
        for document in path.read_text(encoding="utf-8").split("\n---\n"):
            assert read_version(document, path.name).tests_count


def test_a_sound_rule_is_read_and_its_tests_run():
    draft = check(crowd_rule(3.0))
    assert (draft.rule.rule_id, draft.tests_count) == ("crowd.density", 1)
    assert draft.rule.version == read(crowd_rule(3.0, title="khác")).version != read(crowd_rule(2.0)).version


def test_a_failing_test_refuses_the_version_and_says_what_differs():
    with pytest.raises(FailedTestsError, match="it fires once") as refused:
        check(crowd_rule(3.0).replace("density_p_m2: 3.0", "density_p_m2: 2.9"))
    assert "came     nothing" in refused.value.failed[0].difference


def test_every_fault_is_named_with_its_line_at_once():
    broken = crowd_rule().replace("severity: major", "severity: huge", 1).replace("tourism.crowd", "tourism.crowds")
    found = faults_of(broken)
    assert (3, True) in [(line, "no kind" in what) for line, what in found]
    assert (5, True) in [(line, "one of critical" in what) for line, what in found]


LAUGHS = "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n"
HOSTILE = {
    "two rules": (crowd_rule() + "---\n" + crowd_rule(rule_id="crowd.other"), "one rule"),
    "nothing": ("# nothing\n", "no rule"),
    "a list": ("- rule\n", "must be a mapping"),
    "too long": ("#" * (MOST_CHARACTERS + 1), "longer than"),
    "aliases that double": (LAUGHS, "aliases"),
    "an alias of itself": ("rule: &r [*r]\n", "aliases"),
    "deep": ("rule: " + "[" * 30_000, "nested deeper"),
    "deep maps": ("rule: " + "{a: " * 10_000, "nested deeper"),
    "an object": (crowd_rule().replace("keep: 2m", "keep: !!python/object/apply:os.system [ls]"), "constructor"),
    "no date": (crowd_rule().replace("keep: 2m", "keep: 2026-99-99"), "month"),
    "a key that is a list": (crowd_rule() + "? [a]\n: b\n", "a key must be one word"),
    "NUL": (crowd_rule() + "\x00", "control characters"),
    "a duration past all times": (crowd_rule().replace("keep: 2m", "keep: 99999999999d"), "must be a duration"),
    "a candidate's name": (crowd_rule(rule_id="crowd.density~3"), "small letters"),
    "a name with a space": (crowd_rule(rule_id="crowd density"), "small letters"),
    "readings without end": (
        crowd_rule().replace("every: 1m, until: 5m", "every: 0.001s, until: 50d"),
        "readings at most",
    ),
    "waiting without end": (
        crowd_rule().replace("    expect:", "    then_wait: 3000d\n    expect:"),
        "then_wait: must be a duration",
    ),
    "a test far ahead": (
        crowd_rule().replace("given:\n", "given:\n      - {asset: site.x, at: 300d}\n"),
        "readings at most",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_would_make_much_of_little_is_a_fault_and_nothing_else(name):
    source, says = HOSTILE[name]
    found = faults_of(source)
    assert any(says in what for _, what in found), found


def test_names_of_candidates_are_told_from_names_of_rules():
    assert split_id(candidate_id("crowd.density", 12)) == ("crowd.density", 12)
    assert split_id("crowd.density") == ("crowd.density", None)
    assert split_id("crowd~x") == ("crowd~x", None)


def test_what_is_active_stands_in_for_the_files_and_candidates_run_beside_in_shadow():
    files = [read(crowd_rule(2.0)), read(crowd_rule(2.0, rule_id="crowd.other"))]
    live = read(crowd_rule(3.0))
    candidate = read(crowd_rule(1.0))
    made = overlay(
        files, InForce(live={"crowd.density": live, "crowd.other": None}, candidates={("crowd.density", 4): candidate})
    )
    assert [(rule.rule_id, rule.version, rule.shadow) for rule in made.rules] == [
        ("crowd.density", live.version, False), ("crowd.density~4", candidate.version, True),
    ]  # fmt: skip


class Reloading:
    """An engine over one partition whose rules change between readings, with what a store would keep."""

    def __init__(self, *rules):
        self.engine, self.state, self.changes = Engine(Rulebook(rules), WORLD), {}, []

    def take(self, *readings):
        for minute, density in readings:
            at = START + timedelta(minutes=minute)
            self._keep(self.engine.step(EVENTS, [make_event("site.x", Crowd(density_p_m2=density), at)]))

    def wait(self, minute):
        self._keep(self.engine.advance(EVENTS, START + timedelta(minutes=minute)))

    def change_rules(self, *rules, is_behind=False):
        made = Engine(Rulebook(rules), WORLD, is_behind=is_behind)
        made.inherit(EVENTS, dict(self.state), self.engine)
        self.engine = made

    def said(self):
        return [
            (change.rule_id, change.type.value, (change.decided_at - START) / timedelta(minutes=1))
            for change in self.changes
        ]

    def _keep(self, step):
        assert step.rule_errors == []
        self.changes += step.changes
        for key, value in step.state.items():
            if value is None:
                self.state.pop(key, None)
            else:
                self.state[key] = value


def test_a_reload_keeps_a_for_that_runs_and_fires_nothing_again():
    run = Reloading(read(crowd_rule()))
    run.take((0, 2.5), (1, 2.5), (2, 2.5))
    run.change_rules(read(crowd_rule(title="khác")))
    run.take((3, 2.5), (4, 2.5))
    run.change_rules(read(crowd_rule()), read(crowd_rule(rule_id="crowd.other")))
    run.take((5, 2.5), (6, 2.5))
    run.change_rules(read(crowd_rule(title="khác")))
    run.take((7, 2.5))
    assert run.said() == [("crowd.density", "fired", 5.0)]


def test_a_reload_looks_like_no_silence_to_timers():
    whole, reloaded = (Reloading(read(crowd_rule())) for _ in range(2))
    for run in (whole, reloaded):
        run.take(*((minute, 2.5) for minute in range(6)))
        for minute in range(6, 31):
            run.wait(minute)
    reloaded.change_rules(read(crowd_rule(title="khác")))
    for run in (whole, reloaded):
        for minute in range(31, 40):
            run.wait(minute)
    assert whole.said() == reloaded.said()
    assert whole.said()[-1] == ("crowd.density", "no_data", 35.0)


def test_a_tightened_rule_judges_by_its_new_limit_and_keeps_its_alert():
    run = Reloading(read(crowd_rule(2.0)))
    run.take(*((minute, 2.5) for minute in range(6)))
    run.change_rules(read(crowd_rule(1.0)))
    run.take((6, 1.5), (7, 1.5))
    run.change_rules(read(crowd_rule(3.0)))
    run.take((8, 2.5), (9, 2.5), (10, 2.5))
    kinds = [kind for _, kind, _ in run.said() if kind != "updated"]
    assert kinds == ["fired", "recovering", "resolved"]
    assert run.changes[-1].reason is ResolveReason.CONDITION
    assert len({change.alert_id for change in run.changes}) == 1


LEVEL = "levels:\n"
MORE = LEVEL + "  - severity: critical\n    when: density_p_m2 >= 9\n    for: 1m\n"


def test_an_alert_goes_on_when_its_rule_gets_another_level():
    run = Reloading(read(crowd_rule()))
    run.take(*((minute, 2.5) for minute in range(6)))
    run.change_rules(read(crowd_rule().replace(LEVEL, MORE)))
    run.take((6, 2.5), (7, 2.5))
    assert [kind for _, kind, _ in run.said() if kind != "updated"] == ["fired"]
    run.take((8, 9.5), (9, 9.5))
    assert run.said()[-1] == ("crowd.density", "severity", 9.0)


def test_a_for_that_runs_goes_on_with_its_severity_when_levels_come_and_go():
    run = Reloading(read(crowd_rule()))
    run.take((0, 2.5), (1, 2.5))
    run.change_rules(read(crowd_rule().replace(LEVEL, MORE)))
    run.take((2, 9.5))
    run.change_rules(read(crowd_rule()))
    run.take((3, 2.5), (4, 2.5), (5, 2.5))
    assert run.said() == [("crowd.density", "fired", 5.0)]


def test_an_alert_of_a_severity_that_is_no_longer_there_goes_on_with_the_nearest():
    run = Reloading(read(crowd_rule().replace(LEVEL, MORE)))
    run.take(*((minute, 9.5) for minute in range(3)))
    run.change_rules(read(crowd_rule()))
    run.take((3, 9.5), (4, 9.5))
    assert run.said() == [("crowd.density", "fired", 1.0), ("crowd.density", "severity", 3.0)]


def test_an_alert_whose_rule_is_gone_or_asks_something_else_ends_and_says_so():
    run = Reloading(read(crowd_rule()), read(crowd_rule(rule_id="crowd.other")))
    run.take(*((minute, 2.5) for minute in range(6)))
    other = read(
        crowd_rule(rule_id="crowd.other")
        .replace("condition: threshold", "condition: window\nwindows: {m: {of: density_p_m2, mean: 5m}}")
        .replace("when: density_p_m2", "when: m")
    )
    run.change_rules(other)
    run.wait(6)
    ends = run.changes[-2:]
    assert {(change.rule_id, change.type, change.reason) for change in ends} == {
        ("crowd.density", ChangeType.RESOLVED, ResolveReason.RULE_DELETED),
        ("crowd.other", ChangeType.RESOLVED, ResolveReason.RULE_DELETED),
    }


def test_an_engine_that_is_behind_leaves_alone_what_it_does_not_know():
    run = Reloading(read(crowd_rule()), read(crowd_rule(rule_id="crowd.newer")))
    run.take(*((minute, 2.5) for minute in range(6)))
    run.change_rules(read(crowd_rule()), is_behind=True)
    run.take((6, 2.5), (7, 2.5))
    run.change_rules(read(crowd_rule()), read(crowd_rule(rule_id="crowd.newer")))
    run.take((8, 2.5))
    assert [kind for _, kind, _ in run.said() if kind != "updated"] == ["fired", "fired"]
