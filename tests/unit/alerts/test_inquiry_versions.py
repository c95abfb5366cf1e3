"""Why nobody was told where the rule changed: each stretch is judged by the version that was in force in it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alerts.inquiry.answers import answer_all
from alerts.inquiry.asking import Answer, Question, Reason
from alerts.inquiry.succession import Succession
from alerts.inquiry.tenures import Source, Tenure
from ioc.domain.kinds import Crowd, Rain
from tests.support.engine_runs import make_event
from tests.support.inquiries import WORLD, at, facts_of, read_rule

SITE = "site.bai-chay-beach"
CROWD = """
rule: test.crowd
condition: threshold
on: tourism.crowd
levels:
  - {severity: minor, when: density_p_m2 >= LIMIT, for: FOR}
gap: 3m
lateness: 10m
"""


@pytest.fixture
def version(tmp_path):
    def read(limit: float, hold_for: str = "5m"):
        return read_rule(tmp_path, CROWD.replace("LIMIT", str(limit)).replace("FOR", hold_for))

    return read


def crowd(minute: float, density: float, *, delay: float = 0.0):
    return make_event(SITE, Crowd(density_p_m2=density, people_count=9), at(minute), delay_s=60 * delay)


def line_up(*rules, until=(), source: Source = Source.VERSION) -> list[Tenure]:
    """Tenures one after the other; None is a time without any."""
    edges = [None, *(at(minute) for minute in until), None]
    return [
        Tenure(source=source if rule else Source.RETIRED, rule=rule, number=place + 1, since=since, until=end)
        for place, (rule, since, end) in enumerate(zip(rules, edges[:-1], edges[1:], strict=True))
    ]


def ask(tenures, events, *, end: float = 60, asset_id: str = SITE) -> Answer:
    question = Question(rule_id="test.crowd", asset_id=asset_id, start=at(0), end=at(end))
    succession = Succession(tenures, question, WORLD)
    succession.take(sorted(events, key=lambda event: event.received_at))
    succession.finish()
    return answer_all(succession, question)


def told(found: Answer) -> list[tuple[int | None, Reason, bool]]:
    return [(item.stretch, item.reason, item.is_decisive) for item in found.findings]


def test_each_stretch_is_judged_by_the_version_that_was_in_force_in_it(version):
    tenures = line_up(version(4.0), version(2.0), until=[30])
    found = ask(tenures, [crowd(minute, 3.0 if minute < 33 else 0.5) for minute in range(60)])
    assert told(found) == [(1, Reason.PENDING, True), (0, Reason.LEVEL_NOT_REACHED, True)]
    assert facts_of(found, Reason.LEVEL_NOT_REACHED)["levels"][0]["limit"] == 4.0
    assert [(item.start, item.end, item.tenure.number, item.is_explained) for item in found.stretches] == [
        (at(0), at(30), 1, True), (at(30), at(60), 2, True),
    ]  # fmt: skip
    assert found.is_explained
    assert found.rule is not None
    assert found.rule.version == tenures[1].rule.version
    assert [point.limit for point in found.course] == [4.0] * 30 + [2.0] * 30


def test_what_fires_under_one_version_is_not_hidden_by_another(version):
    events = [crowd(minute, 3.0 if 10 <= minute < 20 else 0.5) for minute in range(60)]
    found = ask(line_up(version(2.0), version(4.0), until=[30]), events)
    assert told(found) == [(0, Reason.FIRES_NOW, True), (1, Reason.LEVEL_NOT_REACHED, True)]
    assert facts_of(found, Reason.FIRES_NOW)["source"] == "version"


def test_a_for_begins_when_the_lower_limit_comes_into_force_as_it_did_in_the_engine(version):
    """3.0 stood since before; under the new limit it held from 30 on, for too short a time."""
    events = [crowd(minute, 3.0 if minute <= 33 else 0.5) for minute in range(60)]
    found = ask(line_up(version(4.0), version(2.0), until=[30]), events)
    pending = facts_of(found, Reason.PENDING)
    assert (pending["since"], pending["until"]) == (at(30), at(33))


def test_a_for_that_runs_goes_on_under_the_next_version(version):
    events = [crowd(minute, 3.0 if 27 <= minute <= 33 else 0.5) for minute in range(60)]
    found = ask(line_up(version(2.0), version(2.5), until=[30]), events)
    assert (1, Reason.FIRES_NOW, True) in told(found)
    assert facts_of(found, Reason.FIRES_NOW)["at"] == at(32)


def test_a_stretch_without_a_version_is_told_as_that(version):
    tenures = line_up(version(4.0), None, version(4.0), until=[20, 40])
    tenures[1] = replace(tenures[1], actor="lan", reason="hết mùa")
    found = ask(tenures, [crowd(minute, 3.0) for minute in range(60)])
    assert (1, Reason.NOT_IN_FORCE, True) in told(found)
    facts = facts_of(found, Reason.NOT_IN_FORCE)
    assert (facts["why"], facts["since"], facts["until"], facts["actor"]) == ("retired", at(20), at(40), "lan")
    assert found.findings[0].reason is Reason.LEVEL_NOT_REACHED, "what was in force leads"


def test_a_version_that_came_after_the_period_says_nothing_of_it(version):
    found = ask(line_up(version(4.0), version(2.0), until=[60]), [crowd(minute, 3.0) for minute in range(60)])
    assert [item.tenure.number for item in found.stretches] == [1]
    assert told(found) == [(0, Reason.LEVEL_NOT_REACHED, True)]


def test_a_version_from_just_before_the_period_took_over_what_the_one_before_held(tmp_path):
    """Of the same window it has the sums from the first moment; of a longer one it has none yet."""
    text = """
rule: test.crowd
condition: window
on: env.rain
windows: {rain: {of: rain_mm, mean: SPAN}}
levels:
  - {severity: minor, when: rain >= LIMIT}
"""
    one, same, longer = (
        read_rule(tmp_path, text.replace("SPAN", span).replace("LIMIT", limit))
        for span, limit in (("1h", "9"), ("1h", "5"), ("6h", "5"))
    )
    events = [make_event("rain.ba-che", Rain(rain_mm=3.0), at(minute)) for minute in range(-120, 60, 5)]
    for later, reason in ((same, Reason.LEVEL_NOT_REACHED), (longer, Reason.WINDOW_NOT_FILLED)):
        found = ask(line_up(one, later, until=[-5]), events, asset_id="rain.ba-che")
        assert told(found)[0] == (0, reason, True)
        assert len(found.stretches) == 1


def test_a_reading_that_came_under_a_later_version_was_too_late_for_its_own(version):
    events = [crowd(10, 5.0, delay=25), *(crowd(minute, 0.5) for minute in range(36, 60))]
    found = ask(line_up(version(4.0), version(2.0), until=[30]), events)
    assert (0, Reason.TOO_LATE, True) in told(found)
    assert facts_of(found, Reason.TOO_LATE)["count"] == 1


def test_a_stretch_that_nothing_explains_leaves_the_whole_unexplained(version):
    found = ask(line_up(version(4.0), version(2.0), until=[30]), [crowd(minute, 1.0) for minute in range(60)])
    assert found.is_explained
    first, second = found.stretches
    assert not replace(found, stretches=[first, replace(second, is_explained=False)]).is_explained


def test_what_every_version_needs_is_read_once(version, tmp_path):
    other = read_rule(tmp_path, SHARE)
    question = Question(rule_id="test.crowd", asset_id=SITE, start=at(0), end=at(60))
    succession = Succession(line_up(version(4.0), other, until=[30]), question, WORLD)
    [need] = succession.needs
    assert (need.kinds, need.asset_ids, succession.is_about_an_asset) == (("tourism.crowd",), None, True)


SHARE = """
rule: test.crowd
condition: share
on: tourism.crowd
part: people_count
whole: capacity_count
least: 1
good_for: 1h
levels:
  - {severity: minor, when: share_pct >= 90}
"""
