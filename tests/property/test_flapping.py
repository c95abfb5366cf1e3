"""A condition that comes and goes is one alert that says when it begins to and when it ceases, and nothing between."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.rulebook.book import Rulebook
from ioc.bootstrap.knowledge import load_world
from ioc.domain.alerts import ChangeType, ConditionState
from ioc.domain.kinds import Crowd
from tests.support.engine_runs import Lives, make_event, run

START = datetime(2026, 11, 23, 2, tzinfo=UTC)
WORLD = load_world()
RULE = """\
rule: test.crowd
condition: threshold
on: tourism.crowd
levels:
  - {{severity: major, when: density_p_m2 >= 2, for: 0m}}
keep: {keep}
gap: 60m
no_data: {{policy: {policy}, after: 40m}}
title: {{vi: a, en: a}}
detail: {{vi: b, en: b}}
runbook: {{vi: c, en: c}}
"""
FIRED, RESOLVED, FLAPPING, STEADY = ChangeType.FIRED, ChangeType.RESOLVED, ChangeType.FLAPPING, ChangeType.STEADY


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    """The same rule with the endings that the tests ask for, by name."""
    found = {}
    for name, keep, policy in (("plain", "0m", "keep_last"), ("kept", "3m", "keep_last"), ("ends", "0m", "resolve")):
        path = tmp_path_factory.mktemp(name) / "rule.yaml"
        path.write_text(RULE.format(keep=keep, policy=policy), encoding="utf-8")
        found[name] = Rulebook.load([path])
    return found


def readings(outcomes, *, step_s=60):
    return [
        make_event("site.x", Crowd(density_p_m2=3.0 if holds else 1.0), START + timedelta(seconds=step_s * place))
        for place, holds in enumerate(outcomes)
    ]


def types(changes):
    return [change.type for change in changes if change.type is not ChangeType.UPDATED]


def tell(outcomes):
    """What is to be said, from the definition alone; nothing keeps the alert but its flapping."""
    said, turns, before, is_open, flaps = [], deque(maxlen=20), False, False, False
    for holds in outcomes:
        turns.append(holds is not before)
        before = holds
        if not (is_open or holds):
            continue
        if not is_open:
            is_open = True
            said.append(FIRED)
        if flaps is not (now := sum(turns) >= (2 if flaps else 4)):
            flaps = now
            said.append(FLAPPING if now else STEADY)
        if not holds and not flaps:
            is_open = False
            said.append(RESOLVED)
    return said


swinging = st.lists(st.tuples(st.booleans(), st.integers(1, 12)), max_size=25).map(
    lambda runs: [holds for holds, length in runs for _ in range(length)]
)


@settings(max_examples=100, deadline=None)
@given(outcomes=swinging, data=st.data())
def test_each_flapping_is_said_once_at_its_start_and_once_at_its_end_wherever_the_process_restarts(
    rules, outcomes, data
):
    cuts = data.draw(st.frozensets(st.integers(0, max(0, len(outcomes) - 1)), max_size=4))
    changes = run(rules["plain"], WORLD, readings(outcomes), cuts).changes
    assert types(changes) == tell(outcomes)
    assert changes == run(rules["plain"], WORLD, readings(outcomes)).changes


@settings(max_examples=60, deadline=None)
@given(outcomes=swinging)
def test_an_alert_stays_one_while_it_flaps_and_says_so_with_every_change(rules, outcomes):
    flaps, alert_id = False, None
    for change in run(rules["kept"], WORLD, readings(outcomes)).changes:
        if change.type is FIRED:
            alert_id = change.alert_id
        assert change.alert_id == alert_id
        if change.type in (FLAPPING, STEADY):
            assert flaps is (change.type is STEADY)
            flaps = not flaps
        assert change.flapping is flaps
        assert not (change.type is RESOLVED and flaps)


@pytest.mark.parametrize("period", [2, 3, 4, 6])
def test_what_turns_as_slowly_as_flapping_may_is_told_once_and_not_at_every_turn(rules, period):
    outcomes = [place // (period // 2 or 1) % 2 == 0 for place in range(400)]
    assert types(run(rules["plain"], WORLD, readings(outcomes)).changes).count(FLAPPING) == 1
    assert STEADY not in types(run(rules["plain"], WORLD, readings(outcomes)).changes)


def test_what_turns_every_six_evaluations_does_not_begin_to_flap_again_and_again(rules):
    """Three and four turns in twenty follow on each other: with one limit both ends would be told for ever."""
    outcomes = [place // 6 % 2 == 0 for place in range(400)]
    said = types(run(rules["plain"], WORLD, readings(outcomes)).changes)
    assert said.count(FLAPPING) == 1
    assert STEADY not in said


def test_what_comes_to_rest_above_its_limit_goes_on_firing_and_says_that_it_is_steady(rules):
    changes = run(rules["plain"], WORLD, readings([place % 2 == 0 for place in range(20)] + [True] * 30)).changes
    assert types(changes)[-1] is STEADY
    assert (changes[-1].condition, changes[-1].flapping) == (ConditionState.FIRING, False)


def test_while_it_flaps_its_count_is_told_once_a_minute_however_fast_it_turns(rules):
    changes = run(rules["plain"], WORLD, readings([place % 2 == 0 for place in range(600)], step_s=1)).changes
    begins = types(changes).index(FLAPPING)
    updates = changes[begins:]
    assert {change.type for change in updates[1:]} == {ChangeType.UPDATED}
    assert len(updates) == 10
    assert updates[-1].flip_count > 500


@pytest.mark.parametrize(("name", "end"), [("plain", ChangeType.NO_DATA), ("ends", RESOLVED)])
def test_a_sensor_that_falls_silent_flaps_no_longer_and_its_turns_are_forgotten(rules, name, end):
    lives = Lives(rules[name], WORLD)
    for event in readings([place % 2 == 0 for place in range(20)]):
        lives.take(event)
    lives.die()
    for minute in range(20, 90):
        lives.wait(START + timedelta(minutes=minute))
    assert types(lives.changes)[-2:] == [STEADY, end]
    assert not lives.changes[-1].flapping
    heard = len(lives.changes)
    lives.take(make_event("site.x", Crowd(density_p_m2=3.0), START + timedelta(minutes=91)))
    lives.take(make_event("site.x", Crowd(density_p_m2=1.0), START + timedelta(minutes=92)))
    assert types(lives.changes[heard:])[-1] is RESOLVED
