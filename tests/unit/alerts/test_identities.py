"""Two things of one rule with the same labels are a fault of the rule, and one alert."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alerts.announcement import asset_subject
from alerts.conditions.leveled import LeveledEvaluator
from alerts.conditions.window import compare_levels
from alerts.engine.stepping import Engine
from alerts.language.rule import PROVINCE_TIME, Level
from alerts.memory.identities import Identities
from alerts.memory.series import Series
from alerts.rulebook.book import Rulebook
from ioc.bootstrap.knowledge import load_world
from ioc.domain.alerts import ChangeType
from ioc.domain.kinds import Crowd
from tests.support.engine_runs import make_event

START = datetime(2026, 11, 23, 2, tzinfo=UTC)
WORLD = load_world()
RULE = """
rule: test.crowd
condition: threshold
on: tourism.crowd
levels:
  - {severity: major, when: density_p_m2 >= 2}
title: {vi: a, en: a}
detail: {vi: b, en: b}
runbook: {vi: c, en: c}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeCondition:
    """Keeps places apart and calls all of them by the name of their beach: what a rule must not do."""

    levels: tuple[Level, ...]
    kinds: tuple[type[Crowd], ...] = (Crowd,)

    def bind(self, rule, index, world):
        return FakeEvaluator(rule, index, world)


class FakeEvaluator(LeveledEvaluator):
    def on_event(self, memory, event, zones):
        day = event.observed_at.astimezone(PROVINCE_TIME).date()
        values = {"density_p_m2": event.data.density_p_m2}
        subject = replace(asset_subject(self.world, event, None), labels=(("beach", "bai-chay"),))
        verdicts = compare_levels(self.rule.condition.levels, values, day)
        self.judge(memory, event.asset_id, subject, verdicts, event.observed_at)


@pytest.fixture
def rulebook(tmp_path: Path) -> Rulebook:
    (tmp_path / "rule.yaml").write_text(RULE, encoding="utf-8")
    [rule] = Rulebook.load([tmp_path]).rules
    return Rulebook([replace(rule, condition=FakeCondition(levels=rule.condition.levels))])


def crowd(site: str, minute: float, density: float = 3.0):
    return make_event(f"site.{site}", Crowd(density_p_m2=density), START + timedelta(minutes=minute))


def test_the_second_of_two_with_the_same_labels_is_a_fault_and_no_alert(rulebook):
    engine = Engine(rulebook, WORLD)
    step = engine.step("events", [crowd("north", 0), crowd("south", 0.1)])
    assert [(change.type, change.asset_id) for change in step.changes] == [(ChangeType.FIRED, "site.north")]
    [fault] = step.rule_errors
    assert (fault.rule_id, fault.asset_id) == ("test.crowd", "site.south")
    assert fault.reason == "two things of the rule have the same labels: beach=bai-chay, rule=test.crowd"
    [health] = engine.health()
    assert (health.faults_count, health.last_fault, health.open_count) == (1, fault, 1)


def test_when_the_first_is_over_the_second_has_its_alert(rulebook):
    engine = Engine(rulebook, WORLD)
    engine.step("events", [crowd("north", 0), crowd("south", 0.1)])
    step = engine.step("events", [crowd("north", 1, 0.5), crowd("south", 1.1)])
    assert [(change.type, change.asset_id) for change in step.changes] == [
        (ChangeType.RESOLVED, "site.north"), (ChangeType.FIRED, "site.south"),
    ]  # fmt: skip
    assert step.rule_errors == []


def test_a_restart_knows_whose_labels_they_are(rulebook):
    before, after = Engine(rulebook, WORLD), Engine(rulebook, WORLD)
    first = [crowd("north", 0)]
    after.restore("events", before.step("events", first).state, first)
    step = after.step("events", [crowd("south", 1)])
    assert (step.changes, [fault.asset_id for fault in step.rule_errors]) == ([], ["site.south"])


def test_one_thing_may_fire_again_under_its_own_labels(rulebook):
    engine = Engine(rulebook, WORLD)
    densities = (3.0, 0.5, 3.0)
    step = engine.step("events", [crowd("north", minute, density) for minute, density in enumerate(densities)])
    assert step.rule_errors == []
    assert [change.type for change in step.changes] == [
        ChangeType.FIRED, ChangeType.RESOLVED, ChangeType.FIRED,
    ]  # fmt: skip


def test_what_has_ended_is_swept_away():
    series: list[dict[str, Series]] = [{}]
    identities = Identities(series)
    for number in range(5_000):
        assert identities.claim(number.to_bytes(4, "big"), 0, str(number))
    assert len(identities._owners) < 1_100
