"""What is usual at this hour: a clock hour against the same hours of the weeks before it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

import pytest

from alerts.lifecycle import rule_tests
from alerts.rulebook.book import Rulebook
from ioc.bootstrap.knowledge import load_world
from ioc.domain.alerts import ChangeType
from ioc.domain.kinds import Crowd, PassengerCount
from ioc.domain.quantities import Quality
from tests.support.engine_runs import EVENTS, Lives, make_event, run

START = datetime(2026, 10, 5, 3, tzinfo=UTC)
"""A Monday, ten o'clock in the province."""
WORLD = load_world()
SHIPPED = Path(str(resources.files("alerts").joinpath("rules"))) / "33-passengers.yaml"
FIRED, SEVERITY, RESOLVED = ChangeType.FIRED, ChangeType.SEVERITY, ChangeType.RESOLVED

RULE = """\
rule: test.rule
condition: baseline
on: tourism.crowd
of: people_count
value: mean
same: hour_of_day
weeks: 2
enough: 5
levels:
  - {severity: minor, score: 4, clear: 2}
lateness: 20m
gap: 3h
title: {vi: "{value} {expected} {factor} {hours} {hour}", en: "{value} {expected} {factor} {hours} {hour}"}
detail: {vi: b, en: b}
runbook: {vi: c, en: c}
"""


TWO_LEVELS = """\
  - {severity: minor, above: 1000}
  - {severity: major, above: 2000}"""


def book(tmp_path, *changes):
    text = RULE
    for change in changes:
        assert change[0] in text
        text = text.replace(*change)
    (tmp_path / "rule.yaml").write_text(text, encoding="utf-8")
    return Rulebook.load([tmp_path / "rule.yaml"])


def people(hour, minute, count, *, delay_min=0.0, **more):
    at = START + timedelta(hours=hour, minutes=minute)
    return make_event("site.bai-chay-beach", Crowd(people_count=count), at, delay_s=60 * delay_min, **more)


def whole_hour(hour, count):
    return [people(hour, minute, count) for minute in range(0, 60, 10)]


def days(counts):
    """The hour from ten to eleven on days in a row."""
    return [event for day, count in enumerate(counts) for event in whole_hour(24 * day, count)]


def passengers(hour, minute, count, **more):
    return make_event(
        "gate.bac-luan-1", PassengerCount(in_count=count), START + timedelta(hours=hour, minutes=minute), **more
    )


def types(changes):
    return [change.type for change in changes if change.type is not ChangeType.UPDATED]


USUAL = [100, 110, 90, 105, 95, 100]
"""Median 100, median absolute deviation 5: a score of 4 is reached above 129.7."""


def test_a_score_is_that_of_median_and_deviation_of_the_same_hours(tmp_path):
    rules = book(tmp_path)
    assert run(rules, WORLD, [*days(USUAL), *whole_hour(144, 129)]).changes == []
    (told,) = run(rules, WORLD, [*days(USUAL), *whole_hour(144, 130)]).changes
    assert (told.type, told.value, told.title_en) == (FIRED, 130.0, "130 100 1.3 6 10:00–11:00")
    assert told.limit == pytest.approx(100 + 4 * 1.4826 * 5)


def test_hours_that_never_differ_have_no_score_but_with_a_spread(tmp_path):
    flat, high = days([100] * 6), whole_hour(144, 500)
    assert run(book(tmp_path), WORLD, [*flat, *high]).changes == []
    assert types(run(book(tmp_path, ("enough: 5", "enough: 5\nspread: 10")), WORLD, [*flat, *high]).changes) == [FIRED]


def test_a_mean_is_judged_when_enough_of_its_hour_was_heard(tmp_path):
    lives = run(book(tmp_path), WORLD, days(USUAL))
    for minute in range(0, 40, 10):
        lives.take(people(144, minute, 500))
    assert lives.changes == []
    lives.take(people(144, 40, 500))
    assert types(lives.changes) == [FIRED]


def test_a_maximum_is_over_at_its_first_reading(tmp_path):
    lives = run(book(tmp_path, ("value: mean", "value: max")), WORLD, days(USUAL))
    lives.take(people(144, 0, 500))
    assert types(lives.changes) == [FIRED]


def test_the_same_hour_of_the_week_is_another_than_that_of_the_day(tmp_path):
    rules = book(
        tmp_path, ("hour_of_day", "hour_of_week"), ("weeks: 2", "weeks: 4"), ("enough: 5", "enough: 3"),
        ("score: 4, clear: 2", "times: 2"),
    )  # fmt: skip
    weekdays = [event for week in range(4) for day in range(5) for event in whole_hour(168 * week + 24 * day, 100)]
    sundays = [event for week in range(4) for event in whole_hour(168 * week + 144, 900)]
    month = sorted([*weekdays, *sundays], key=lambda event: event.observed_at)
    assert run(rules, WORLD, [*month, *whole_hour(168 * 4 + 144, 900)]).changes == []
    assert types(run(rules, WORLD, [*month, *whole_hour(168 * 4, 300)]).changes) == [FIRED]


def test_a_running_hour_ends_nothing_and_a_whole_one_below_does_when_its_lateness_has_passed(tmp_path):
    rules = book(
        tmp_path,
        ("value: mean", "value: sum"),
        ("{severity: minor, score: 4, clear: 2}", "{severity: minor, above: 1000}"),
    )
    lives = run(rules, WORLD, whole_hour(0, 300))
    assert types(lives.changes) == [FIRED]
    for event in [*whole_hour(1, 10), people(2, 10, 10)]:
        lives.take(event)
    assert types(lives.changes) == [FIRED]
    lives.take(people(2, 20, 10))
    assert types(lives.changes) == [FIRED, RESOLVED]
    assert lives.changes[-1].value == 60.0


def test_hours_that_stay_over_are_one_alert_that_does_not_flap(tmp_path):
    rules = book(
        tmp_path,
        ("value: mean", "value: sum"),
        ("{severity: minor, score: 4, clear: 2}", "{severity: minor, above: 1000}"),
    )
    lives = run(rules, WORLD, [event for hour in range(12) for event in whole_hour(hour, 300)])
    assert types(lives.changes) == [FIRED]
    assert "chập chờn" not in lives.changes[-1].detail_vi


def test_severity_falls_with_a_whole_hour_and_rises_within_one(tmp_path):
    rules = book(
        tmp_path, ("value: mean", "value: sum"),
        ("  - {severity: minor, score: 4, clear: 2}", TWO_LEVELS),
    )  # fmt: skip
    lives = run(
        rules, WORLD, [event for hour, count in enumerate([200, 400, 200, 200]) for event in whole_hour(hour, count)]
    )
    found = [(change.type, change.severity.value) for change in lives.changes if change.type is not ChangeType.UPDATED]
    assert found == [(FIRED, "minor"), (SEVERITY, "major"), (SEVERITY, "minor")]


def test_an_hour_that_was_kept_back_fires_nothing_and_is_known_afterwards(tmp_path):
    rules = book(tmp_path, ("score: 4, clear: 2", "times: 2"), ("value: mean", "value: sum"))
    for kept_back_h, is_known in ((20, True), (30, False)):
        lives = run(rules, WORLD, days([100] * 4))
        for minute in range(0, 60, 10):
            lives.take(people(24 * 4, minute, 100))
        lives.take(people(24 * 4 + kept_back_h, 0, 1))
        held = lives.engine._memories[EVENTS].windows[0]["site.bai-chay-beach"]
        for minute in range(0, 60, 10):  # from eleven to twelve, told the next day
            lives.take(people(24 * 4 + 1, minute, 500, delay_min=60 * kept_back_h))
        hour = int(START.timestamp() // 3_600) + 24 * 4 + 1
        assert held.value(hour) == (3_000.0 if is_known else None)
        assert lives.changes == []


def test_an_alert_without_readings_stays_and_silence_is_no_quiet_hour(tmp_path):
    rules = book(
        tmp_path,
        ("value: mean", "value: sum"),
        ("{severity: minor, score: 4, clear: 2}", "{severity: minor, above: 1000}"),
    )
    lives = run(rules, WORLD, whole_hour(0, 300))
    for minute in range(60, 12 * 60):
        lives.wait(START + timedelta(minutes=minute))
    assert types(lives.changes) == [FIRED, ChangeType.NO_DATA]
    lives.take(people(13, 0, 10))  # of the hours between nothing is known
    assert RESOLVED not in types(lives.changes)


def test_repeated_readings_count_once_and_a_corrected_one_instead_of_the_first(tmp_path):
    rules = book(
        tmp_path,
        ("value: mean", "value: sum"),
        ("{severity: minor, score: 4, clear: 2}", "{severity: minor, above: 1000}"),
    )
    lives = run(rules, WORLD, [people(0, 0, 600), *[people(0, 0, 600, delay_min=delay) for delay in range(1, 6)]])
    assert lives.changes == []
    lives.take(people(0, 0, 900, delay_min=7))
    lives.take(people(0, 10, 100))
    assert lives.changes == []
    lives.take(people(0, 5, 1, delay_min=8))
    assert types(lives.changes) == [FIRED]


def test_a_bad_reading_counts_nothing(tmp_path):
    rules = book(
        tmp_path,
        ("value: mean", "value: sum"),
        ("{severity: minor, score: 4, clear: 2}", "{severity: minor, above: 10}"),
    )
    assert run(rules, WORLD, [people(0, 0, 100, quality=Quality.BAD)]).changes == []


def test_a_flood_of_readings_is_a_fault_of_the_rule_and_bounded(tmp_path):
    engine = Lives(book(tmp_path), WORLD).engine
    at = [START + timedelta(milliseconds=300 * number) for number in range(1_030)]
    step = engine.step(EVENTS, [make_event("site.x", Crowd(people_count=1), moment) for moment in at])
    assert len(step.rule_errors) == 6
    assert "1024 readings" in step.rule_errors[0].reason


def test_of_four_weeks_only_ten_minutes_are_written_for_a_reading():
    lives = run(
        Rulebook.load([SHIPPED]),
        WORLD,
        [passengers(hour, minute, 5) for hour in range(24 * 29) for minute in range(0, 60, 10)],
    )
    state = lives.engine.step(EVENTS, [passengers(24 * 29 - 1, 55, 5)]).state
    parts = {key.key: kept for key, kept in state.items() if key.rule_id}
    assert len(parts) == 1
    assert sum(len(kept or b"") for kept in parts.values()) < 200
    assert len([key for key in lives.state[EVENTS] if key.rule_id]) <= 30 + 25 * 6


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("of: people_count", "of: people"), "no quantity 'people'"),
        (("value: mean", "value: median"), "one of sum, mean, max"),
        (("hour_of_day", "hour_of_month"), "one of hour_of_day, hour_of_week"),
        (("weeks: 2", "weeks: 90"), "a whole number from 1 to 12"),
        (("enough: 5", "enough: 15"), "a whole number from 1 to 14"),
        (("enough: 5", "enough: 5\neach: tribe"), "no field 'tribe'"),
        (("enough: 5", "enough: 5\ncovers: 2"), "from 0 to 1"),
        (("enough: 5", "enough: 5\nopen_for: 9d"), "open_for: at most 48h"),
        (("score: 4, clear: 2", "score: 4, times: 2"), "exactly one of times, score, above"),
        (("score: 4, clear: 2", "score: 4, clear: 5"), "clear: at most 4"),
        (("score: 4, clear: 2", "score: .nan"), "must be a number"),
    ],
)
def test_its_faults_are_named(tmp_path, change, says):
    (tmp_path / "rule.yaml").write_text(RULE.replace(*change), encoding="utf-8")
    faults = rule_tests.check([tmp_path / "rule.yaml"])
    assert any(says in fault.what for fault in faults), faults
