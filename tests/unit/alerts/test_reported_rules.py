"""What people report is over when they say so: neither ``keep`` nor flapping holds an alert of which nothing comes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from importlib import resources
from pathlib import Path

import pytest

from alerts.memory.series import Series
from alerts.rulebook.book import Rulebook
from ioc.bootstrap.knowledge import load_world
from ioc.domain.kinds import Directive, VesselArrival, VesselDeparture, VesselManifest
from tests.support.engine_runs import EVENTS, make_event, run

START = datetime(2026, 11, 23, 2, tzinfo=UTC)
WORLD = load_world()
SHIPPED = Path(str(resources.files("alerts").joinpath("rules", "26-manifest.yaml")))
STANDING = """\
rule: test.standing
condition: standing
on: directive.update
state: {status: [open]}
levels: [{severity: major, after: 10m}]
title: {vi: a, en: a}
detail: {vi: b, en: b}
runbook: {vi: c, en: c}
"""


def book(tmp_path, text, keep=""):
    (tmp_path / "rule.yaml").write_text(text + keep, encoding="utf-8")
    return Rulebook.load([tmp_path])


def boat(data, minute, *, delay_s=0.0):
    return make_event("vessel.574000001", data, START + timedelta(minutes=minute), delay_s=delay_s)


def left(minute, trip="T1"):
    return boat(VesselDeparture(trip=trip, port="tuan-chau", pax_count=30), minute)


def listed(minute, count=30, trip="T1", *, delay_s=0.0):
    return boat(VesselManifest(trip=trip, port="tuan-chau", pax_count=count), minute, delay_s=delay_s)


def back(minute, trip="T1", *, delay_s=0.0):
    return boat(VesselArrival(trip=trip, port="tuan-chau"), minute, delay_s=delay_s)


def step(minute, status):
    task = Directive(owner="x", status=status, due_on=date(2026, 12, 1), title="t")
    return make_event("directive.1", task, START + timedelta(minutes=minute))


def told(lives):
    return [
        (str(change.type), change.severity.value, (change.decided_at - START) / timedelta(minutes=1))
        for change in lives.changes
    ]


KEEPS = pytest.mark.parametrize("keep", ["", "keep: 10m\n", "keep: 2h\n"])


@KEEPS
@pytest.mark.parametrize("cuts", [frozenset(), frozenset({1, 2, 3, 4})])
def test_a_list_that_is_corrected_to_and_fro_is_told_each_time_and_ends(tmp_path, keep, cuts):
    rules = book(tmp_path, SHIPPED.read_text(encoding="utf-8").partition("tests:")[0], keep)
    events = [left(10), listed(16), listed(20, 31), listed(25), back(90), left(200, "T2")]
    lives = run(rules, WORLD, events, cuts)
    assert told(lives) == [("fired", "minor", 15), ("resolved", "minor", 16), ("fired", "major", 20),
                           ("resolved", "major", 25)]  # fmt: skip


@KEEPS
def test_with_the_arrival_a_missing_list_is_no_matter_any_more(tmp_path, keep):
    rules = book(tmp_path, SHIPPED.read_text(encoding="utf-8").partition("tests:")[0], keep)
    assert told(run(rules, WORLD, [left(10), back(90)])) == [("fired", "minor", 15), ("resolved", "minor", 90)]


@KEEPS
def test_a_task_that_is_done_ends_its_alert(tmp_path, keep):
    lives = run(book(tmp_path, STANDING, keep), WORLD, [step(0, "open"), step(20, "done")])
    assert told(lives) == [("fired", "major", 10), ("resolved", "major", 20)]


def test_an_alert_that_flapped_under_an_older_version_comes_to_rest_and_ends(tmp_path):
    rules = book(tmp_path, SHIPPED.read_text(encoding="utf-8").partition("tests:")[0])
    lives = run(rules, WORLD, [left(10), listed(16, 31)])
    memory = lives.engine._memories[EVENTS]
    (series,) = memory.series[0].values()
    assert isinstance(series, Series)
    assert series.last is not None
    series.flips, series.flapping = 0b10111, True
    lives.take(listed(17, 32))
    lives.take(back(90))
    assert told(lives)[-1] == ("resolved", "major", 90)
    assert not lives.changes[-1].flapping
