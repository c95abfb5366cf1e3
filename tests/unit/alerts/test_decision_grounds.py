"""Every decision of a rule that is more than a comparison tells what its condition asked for, part by part."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from alerts.approaches import Approach
from alerts.lifecycle.rule_tests import BEGIN, RuleTest, find_tests, play
from alerts.rulebook.book import Rulebook
from ioc.api.approach_texts import NUMBERS, STATES, say_part
from ioc.bootstrap.knowledge import load_world
from ioc.domain.alerts import AlertChange, ChangeType, ResolveReason
from ioc.domain.grounds import Grounds
from ioc.domain.kinds import KINDS
from tests.support.engine_runs import run

ROOT = Path(__file__).parents[3]
TESTS = find_tests(sorted((ROOT / "alerts" / "rules").glob("*.yaml")))
PLAIN = {"threshold", "window", "expression", "index", "asset_limits"}
"""Of these the limits of the rule, its windows and the reading say all."""
BEGINS = {ChangeType.FIRED, ChangeType.SEVERITY}
MOST_EVENTS = 6_000
WORLD = load_world()


def rules_with(*, is_plain: bool) -> dict[str, list[RuleTest]]:
    found: dict[str, list[RuleTest]] = {}
    for test in TESTS:
        if (test.rule.condition_name in PLAIN) is is_plain and test.expected and len(test.events) < MOST_EVENTS:
            found.setdefault(test.rule.rule_id, []).append(test)
    return found


RULES = rules_with(is_plain=False)


def decisions(tests: list[RuleTest]) -> list[AlertChange]:
    return [change for test in tests for change in play(test.rule, test.events, test.end_at, WORLD).changes]


def is_met(grounds: Grounds) -> bool:
    return Approach(BEGIN, grounds.parts).is_met


@pytest.mark.parametrize("rule_id", RULES)
def test_an_alert_begins_with_all_that_was_asked_for_met_and_ends_with_something_lacking(rule_id):
    changes = decisions(RULES[rule_id])
    begun = [change for change in changes if change.type in BEGINS]
    over = [
        change for change in changes
        if change.type is ChangeType.RESOLVED and change.reason is ResolveReason.CONDITION
    ]  # fmt: skip
    assert begun
    for change in begun:
        assert change.grounds is not None, change
        assert change.grounds.parts, change
        assert is_met(change.grounds), (change.decided_at, change.grounds)
    for change in over:
        assert change.grounds is not None
        assert not is_met(change.grounds), (change.decided_at, change.grounds)


@pytest.mark.parametrize("rule_id", RULES)
def test_each_part_has_words_and_what_is_kept_is_finite_and_comes_back_as_it_was(rule_id):
    fields = {name for kind in KINDS.values() for name in kind.quantities}
    for change in decisions(RULES[rule_id][:2]):
        if change.grounds is None:
            continue
        for part in change.grounds.parts:
            assert part.what in {*NUMBERS, *STATES, *fields}, part
            assert part.value is None or math.isfinite(part.value)
            assert all(say_part(part._asdict(), language) != part.what for language in (0, 1))
        kept = msgspec.json.decode(msgspec.json.encode(change.grounds))
        assert msgspec.convert(kept, Grounds) == replace(change.grounds, facts=dict(change.grounds.facts))


def test_the_engine_does_not_carry_the_grounds_of_an_open_alert_along():
    """What follows from it later, the silence of its thing or its end by hand, rests on something else."""
    [test] = [test for test in RULES["vessel.signal_lost"] if test.name.startswith("a boat that falls silent at sea")]
    lives = run(Rulebook([test.rule]), WORLD, test.events[: len(test.events) // 2])
    lives.wait(test.events[0].received_at + timedelta(hours=1))
    [fired] = [change for change in lives.changes if change.type is ChangeType.FIRED]
    assert fired.grounds is not None
    state = b"".join(kept for held in lives.state.values() for kept in held.values())
    assert bytes(fired.fingerprint) in state
    assert b"silent_min" not in state
