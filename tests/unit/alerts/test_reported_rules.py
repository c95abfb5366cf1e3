"""What people report is over when they say so: neither ``keep`` nor flapping holds an alert of which nothing comes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from importlib import resources
from pathlib import Path

import pytest

from alerts.language.documents import Fault
from alerts.memory.series import Series
from alerts.rulebook.book import Rulebook
from ioc.bootstrap.knowledge import load_world
from ioc.domain.kinds import Directive, VesselArrival, VesselDeparture, VesselManifest, VesselPosition
from tests.support.engine_runs import EVENTS, make_event, run

START = datetime(2026, 11, 23, 2, tzinfo=UTC)
WORLD = load_world()
SHIPPED = Path(str(resources.files("alerts").joinpath("rules", "26-manifest.yaml")))
UNSEEN = SHIPPED.with_name("27-departure-unseen.yaml")
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
    doubts: list[Fault] = []  # that keep has no effect
    rules = Rulebook.load([tmp_path], on_doubt=doubts.append)
    assert len(doubts) == bool(keep)
    return rules


def shipped(tmp_path, keep="", path=SHIPPED):
    return book(tmp_path, path.read_text(encoding="utf-8").partition("tests:")[0], keep)


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


CUTS = pytest.mark.parametrize("cuts", [frozenset(), frozenset({1, 2, 3, 4, 5, 6})])
KEEPS = pytest.mark.parametrize("keep", ["", "keep: 10m\n", "keep: 2h\n"])


@KEEPS
@CUTS
def test_a_list_that_is_corrected_to_and_fro_is_told_each_time_and_ends(tmp_path, keep, cuts):
    rules = shipped(tmp_path, keep)
    events = [left(10), listed(16), listed(20, 31), listed(25), back(90), left(200, "T2")]
    lives = run(rules, WORLD, events, cuts)
    assert told(lives) == [("fired", "minor", 15), ("resolved", "minor", 16), ("fired", "major", 20),
                           ("resolved", "major", 25)]  # fmt: skip


@KEEPS
def test_with_the_arrival_a_missing_list_is_no_matter_any_more(tmp_path, keep):
    rules = shipped(tmp_path, keep)
    assert told(run(rules, WORLD, [left(10), back(90)])) == [("fired", "minor", 15), ("resolved", "minor", 90)]


@KEEPS
def test_a_task_that_is_done_ends_its_alert(tmp_path, keep):
    lives = run(book(tmp_path, STANDING, keep), WORLD, [step(0, "open"), step(20, "done")])
    assert told(lives) == [("fired", "major", 10), ("resolved", "major", 20)]


def test_an_alert_that_flapped_under_an_older_version_comes_to_rest_and_ends(tmp_path):
    rules = shipped(tmp_path)
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


@CUTS
def test_lists_of_two_trips_of_a_boat_with_the_same_instant_are_both_there(tmp_path, cuts):
    events = [listed(0), listed(0, trip="T2"), left(10), left(30, "T2"), left(60, "T3")]
    assert told(run(shipped(tmp_path), WORLD, events, cuts)) == []


@CUTS
def test_a_list_that_another_trips_overtook_is_there(tmp_path, cuts):
    events = [listed(1, trip="T2"), listed(0, delay_s=90), left(10), left(30, "T2"), left(60, "T3")]
    assert told(run(shipped(tmp_path), WORLD, events, cuts)) == []


@CUTS
def test_departures_and_arrivals_of_two_trips_with_the_same_instant_are_all_taken(tmp_path, cuts):
    events = [left(0), left(0, "T2"), listed(7), back(30), back(30, "T2"), left(60, "T3")]
    found = told(run(shipped(tmp_path), WORLD, events, cuts))
    assert found == [("fired", "minor", 5), ("fired", "minor", 5), ("resolved", "minor", 7), ("resolved", "minor", 30)]


@CUTS
def test_an_old_list_that_is_told_again_takes_back_no_correction(tmp_path, cuts):
    events = [left(0), listed(1, 31), listed(2), listed(3, trip="T2"), listed(1, 31, delay_s=300), back(30)]
    assert told(run(shipped(tmp_path), WORLD, events, cuts)) == [("fired", "major", 1), ("resolved", "major", 2)]


@CUTS
def test_papers_that_are_told_again_behind_the_arrival_begin_no_trip(tmp_path, cuts):
    again = boat(VesselDeparture(trip="T1", port="tuan-chau", pax_count=30), 0, delay_s=25 * 60)
    events = [left(0), listed(1), back(20), listed(1, delay_s=24 * 60), again, left(26, "T2"), listed(27, trip="T2")]
    lives = run(shipped(tmp_path), WORLD, events, cuts)
    lives.wait(START + timedelta(hours=1))
    assert told(lives) == []
    assert [key.key for key in lives.state[EVENTS] if key.rule_id] == ["vessel.574000001\x1fT2"]


def test_the_arrival_of_the_trip_before_does_not_call_a_boat_seen(tmp_path):
    rules = shipped(tmp_path, path=UNSEEN)
    others = [
        make_event("vessel.2", VesselPosition(sog_kn=5.0), START + timedelta(minutes=minute)) for minute in range(40)
    ]
    events = sorted(
        [*others, left(20, "T2"), back(15, delay_s=6 * 60)], key=lambda event: (event.received_at, event.asset_id)
    )
    assert told(run(rules, WORLD, events)) == [("fired", "major", 23)]
