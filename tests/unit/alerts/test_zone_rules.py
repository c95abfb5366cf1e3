"""Entering, leaving, staying in and crowding a zone, with positions that jitter on its edge."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from shapely import Point

from alerts.engine.stepping import Engine
from alerts.lifecycle import rule_tests
from alerts.lifecycle.versions import check_version, read_version
from alerts.rulebook.book import Rulebook, RulebookError
from ioc.bootstrap.knowledge import load_world
from ioc.domain.alerts import ChangeType
from ioc.domain.kinds import VesselPosition
from tests.support.engine_runs import EVENTS, SIGNALS, make_event, run

START = datetime(2026, 11, 23, 2, tzinfo=UTC)
WORLD = load_world()
IN_PORT, AT_SEA, ON_EDGE = (106.988, 20.9265), (107.12, 20.86), 106.99764
PORT = next(
    zone_id
    for zone_id, zone in WORLD.zones.zones.items()
    if zone.kind.value == "port" and zone.polygon.covers(Point(IN_PORT))
)
FIRED, SEVERITY, RECOVERING, RESOLVED = (
    ChangeType.FIRED, ChangeType.SEVERITY, ChangeType.RECOVERING, ChangeType.RESOLVED,
)  # fmt: skip

RULE = f"""\
rule: test.zone
condition: zone
on: vessel.position
when: WHEN
zones: {PORT}
edge_m: 50
good_for: 30m
levels:
  - LEVEL
lateness: 10m
gap: 30m
title: {{vi: "{{asset}} {{zone}}", en: "{{asset}} {{zone}}"}}
detail: {{vi: b, en: b}}
runbook: {{vi: c, en: c}}
"""


def book(tmp_path, when, level):
    (tmp_path / "rule.yaml").write_text(RULE.replace("WHEN", when).replace("LEVEL", level), encoding="utf-8")
    return Rulebook.load([tmp_path / "rule.yaml"])


def boat(minute, place, *, number=1, delay_min=0.0):
    lon_deg, lat_deg = place
    return make_event(
        f"vessel.57400000{number}", VesselPosition(sog_kn=1.0), START + timedelta(minutes=minute),
        delay_s=60 * delay_min, lon_deg=lon_deg, lat_deg=lat_deg,
    )  # fmt: skip


def told(lives):
    return [
        (change.type, int((change.observed_at - START) / timedelta(minutes=1)))
        for change in lives.changes
        if change.type is not ChangeType.UPDATED
    ]


def test_it_fires_when_something_enters_and_ends_when_it_has_left(tmp_path):
    rules = book(tmp_path, "inside", "{severity: minor}")
    lives = run(rules, WORLD, [boat(0, AT_SEA), boat(5, IN_PORT), boat(10, IN_PORT), boat(15, AT_SEA)])
    assert told(lives) == [(FIRED, 5), (RESOLVED, 15)]
    assert lives.changes[0].zone_id == PORT
    assert not [key for key in lives.state[EVENTS] if key.rule_id]


def test_a_dwell_is_to_be_inside_for_a_time_the_boundary_included(tmp_path):
    rules = book(tmp_path, "inside", "{severity: minor, for: 20m}")
    assert told(run(rules, WORLD, [boat(minute, IN_PORT) for minute in (0, 10, 19)])) == []
    assert told(run(rules, WORLD, [boat(minute, IN_PORT) for minute in (0, 10, 20)])) == [(FIRED, 20)]


def test_a_dwell_that_is_broken_by_an_absence_begins_anew(tmp_path):
    rules = book(tmp_path, "inside", "{severity: minor, for: 20m}")
    away = [boat(0, IN_PORT), boat(10, IN_PORT), boat(15, AT_SEA), boat(18, IN_PORT), boat(30, IN_PORT)]
    assert told(run(rules, WORLD, away)) == []
    silent = [boat(0, IN_PORT), boat(40, IN_PORT)]
    assert told(run(rules, WORLD, silent)) == []


def test_leaving_fires_for_what_was_inside_and_for_nothing_else_until_it_is_back(tmp_path):
    rules = book(tmp_path, "left", "{severity: major}")
    assert told(run(rules, WORLD, [boat(minute, AT_SEA) for minute in range(5)])) == []
    lives = run(rules, WORLD, [boat(0, IN_PORT), boat(5, AT_SEA), boat(10, AT_SEA), boat(15, IN_PORT)])
    assert told(lives) == [(FIRED, 5), (RESOLVED, 15)]


def test_jitter_of_thirty_metres_on_the_edge_is_neither_leaving_nor_entering_again(tmp_path):
    jitter = [boat(number, (ON_EDGE + (0.0003 if number % 2 else -0.0003), 20.9265)) for number in range(60)]
    assert told(run(book(tmp_path, "left", "{severity: major}"), WORLD, jitter)) == []
    assert told(run(book(tmp_path, "inside", "{severity: minor}"), WORLD, jitter)) == [(FIRED, 0)]
    gone = boat(61, (ON_EDGE + 0.0008, 20.9265))
    assert told(run(book(tmp_path, "left", "{severity: major}"), WORLD, [*jitter, gone])) == [(FIRED, 61)]


def test_repeated_late_and_out_of_order_positions_move_nothing(tmp_path):
    rules = book(tmp_path, "inside", "{severity: minor}")
    events = [boat(0, AT_SEA), boat(20, AT_SEA), boat(5, IN_PORT, delay_min=18), boat(21, IN_PORT, delay_min=60)]
    assert told(run(rules, WORLD, events)) == []


@pytest.mark.parametrize("cut", [None, *range(1, 9)])
def test_a_zone_counts_who_is_in_it_and_forgets_who_left_or_fell_silent(tmp_path, cut):
    rules = book(tmp_path, "count", "{severity: minor, when: inside_count >= 3, clear: inside_count < 2}")
    events = [
        boat(0, IN_PORT, number=1), boat(1, IN_PORT, number=2), boat(2, IN_PORT, number=1), boat(3, IN_PORT, number=3),
        boat(10, AT_SEA, number=3), boat(11, IN_PORT, number=1), boat(12, AT_SEA, number=2),
        boat(20, IN_PORT, number=1), boat(60, IN_PORT, number=4), boat(61, IN_PORT, number=5),
    ]  # fmt: skip
    lives = run(rules, WORLD, events, frozenset() if cut is None else frozenset({cut}))
    assert told(lives) == [(FIRED, 3), (RESOLVED, 12)]
    assert (lives.changes[0].zone_id, lives.changes[0].asset_id, lives.changes[0].value) == (PORT, None, 3.0)
    assert [key.key for key in lives.state[SIGNALS] if key.rule_id] == [f"zone_count:test.zone:{PORT}"]


COUNT = "{severity: minor, when: inside_count >= 4, for: 1m}"


def crowd(until_min, *, numbers=range(1, 5), since_min=0.0):
    """Boats that lie in port, each heard every ten seconds."""
    return [
        boat(since_min + step / 6, IN_PORT, number=number)
        for step in range(int((until_min - since_min) * 6) + 1)
        for number in numbers
    ]


def decided(lives):
    return [
        (change.type, (change.decided_at - START) / timedelta(minutes=1))
        for change in lives.changes
        if change.type is not ChangeType.UPDATED
    ]


def with_gap(tmp_path, level, gap, more=""):
    text = RULE.replace("WHEN", "count").replace("LEVEL", level).replace("gap: 30m", f"gap: {gap}{more}")
    (tmp_path / "rule.yaml").write_text(text, encoding="utf-8")
    return Rulebook.load([tmp_path / "rule.yaml"])


@pytest.mark.parametrize("gap", ["30s", "5m", "30m"])
def test_a_count_that_stands_fires_when_its_time_is_over_though_nobody_comes_or_goes(tmp_path, gap):
    lives = run(with_gap(tmp_path, COUNT, gap), WORLD, crowd(40))
    assert decided(lives) == [(FIRED, 1)]
    assert (lives.changes[0].started_at, lives.changes[0].value, lives.changes[0].zone_id) == (START, 4.0, PORT)


def test_a_count_known_with_a_delay_stands_until_what_left_meanwhile_would_be_known(tmp_path):
    rules = with_gap(tmp_path, COUNT, "5m")
    came = [boat(0, IN_PORT, number=number, delay_min=3) for number in range(1, 5)]
    left = [boat(0.5, AT_SEA, number=4, delay_min=3)]
    assert decided(run(rules, WORLD, [*came, *left, boat(9, AT_SEA, number=5)])) == []
    assert decided(run(rules, WORLD, [*came, boat(9, AT_SEA, number=5)])) == [(FIRED, 4)]


def test_a_count_of_boats_that_are_not_heard_of_for_too_long_has_not_stood(tmp_path):
    rules = with_gap(tmp_path, "{severity: minor, when: inside_count >= 4, for: 50m}", "2h")
    assert decided(run(rules, WORLD, [*crowd(10), boat(100, AT_SEA, number=5)])) == []
    # One falls silent and is counted no more from 30 minutes on; another one comes after that.
    silent = [boat(0, IN_PORT, number=4)]
    later = [*crowd(29, numbers=(1, 2, 3)), *crowd(90, numbers=(5, 1, 2, 3), since_min=31)]
    assert decided(run(rules, WORLD, sorted([*silent, *later], key=lambda event: event.received_at))) == [(FIRED, 81)]


def test_a_higher_level_of_a_count_fires_in_its_time_while_the_alert_is_open(tmp_path):
    levels = "{severity: minor, when: inside_count >= 3}\n  - {severity: major, when: inside_count >= 4, for: 3m}"
    assert decided(run(with_gap(tmp_path, levels, "1m"), WORLD, crowd(20))) == [(FIRED, 0), (SEVERITY, 3)]


def test_a_level_whose_count_is_not_known_any_more_when_its_time_is_over_changes_nothing_of_the_alert(tmp_path):
    levels = "{severity: minor, when: inside_count >= 3}\n  - {severity: major, when: inside_count >= 4, for: 50m}"
    lives = run(with_gap(tmp_path, levels, "1m"), WORLD, [*crowd(10), boat(100, AT_SEA, number=5)])
    assert decided(lives) == [(FIRED, 0)]


def test_an_alert_of_a_count_ends_when_its_keep_is_over_though_nobody_comes_or_goes(tmp_path):
    rules = with_gap(tmp_path, COUNT, "1m", more="\nkeep: 4m")
    events = [*crowd(5), *(boat(5.5 + minute, AT_SEA, number=1) for minute in range(20))]
    assert decided(run(rules, WORLD, events)) == [(FIRED, 1), (RECOVERING, 5.5), (RESOLVED, 9.5)]


def test_a_restart_anywhere_changes_nothing_of_what_a_count_decides_in_its_time(tmp_path):
    levels = (
        "{severity: minor, when: inside_count >= 2, for: 3m}\n  - {severity: major, when: inside_count >= 3, for: 7m}"
    )
    rules = with_gap(tmp_path, levels, "1m", more="\nkeep: 4m")
    events = [
        boat(minute, AT_SEA if (minute + 2 * number) % 31 > 17 else IN_PORT, number=number, delay_min=number / 4)
        for minute in range(0, 90, 2)
        for number in (1, 2, 3)
    ]
    events.sort(key=lambda event: event.received_at)
    whole = run(rules, WORLD, events).changes
    assert {FIRED, SEVERITY, RECOVERING, RESOLVED} <= {change.type for change in whole}
    for cut in range(1, len(events)):
        assert run(rules, WORLD, events, frozenset({cut})).changes == whole


def test_batches_of_any_size_change_nothing_of_what_a_count_decides_in_its_time(tmp_path):
    rules = with_gap(tmp_path, COUNT, "1m", more="\nkeep: 4m")
    events = [*crowd(5), boat(5.5, AT_SEA, number=1), *crowd(20, numbers=(2, 3), since_min=6)]

    def play(size):
        engine = Engine(rules, WORLD)
        steps = [engine.step(EVENTS, events[first : first + size]) for first in range(0, len(events), size)]
        signals = [signal for step in steps for signal in step.signals]
        told = [engine.step(SIGNALS, signals[first : first + size]) for first in range(0, len(signals), size)]
        return [change for step in told for change in step.changes]

    whole = play(1)
    assert [change.type for change in whole if change.type is not ChangeType.UPDATED] == [FIRED, RECOVERING, RESOLVED]
    assert all(play(size) == whole for size in (2, 3, 7, 1_000))


@pytest.mark.parametrize("when", ["inside", "left"])
def test_a_restart_anywhere_changes_nothing(tmp_path, when):
    rules = book(tmp_path, when, "{severity: minor, for: 4m}")
    week = (AT_SEA, IN_PORT, IN_PORT, IN_PORT, AT_SEA, AT_SEA, AT_SEA)
    events = [boat(2 * number, week[number % 7]) for number in range(45)]
    whole = told(run(rules, WORLD, events))
    assert FIRED in [kind for kind, _ in whole]
    for cut in range(1, len(events)):
        assert told(run(rules, WORLD, events, frozenset({cut}))) == whole


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("when: inside", "when: near"), "one of inside, left, count"),
        ((f"zones: {PORT}", "zone_kinds: [harbour]"), "no kind 'harbour'"),
        ((f"zones: {PORT}\n", ""), "name them, or give zone_kinds"),
        (("  - {severity: minor}", "  []"), "at least one"),
    ],
)
def test_its_faults_are_named(tmp_path, change, says):
    text = RULE.replace("WHEN", "inside").replace("LEVEL", "{severity: minor}")
    (tmp_path / "rule.yaml").write_text(text.replace(*change), encoding="utf-8")
    faults = rule_tests.check([tmp_path / "rule.yaml"])
    assert any(says in fault.what for fault in faults), faults


def test_a_zone_that_the_world_does_not_have_is_named_with_the_nearest_that_it_has(tmp_path):
    text = RULE.replace("WHEN", "inside").replace("LEVEL", "{severity: minor}")
    wrong = text.replace(f"zones: {PORT}", f"zones: [{PORT}, ha-long-bayy, xxxxxxxx]")
    (tmp_path / "rule.yaml").write_text(text + "---\n" + wrong.replace("test.zone", "test.other"), encoding="utf-8")
    found = rule_tests.check([tmp_path / "rule.yaml"], WORLD)
    assert [(fault.line, fault.what) for fault in found] == [
        (16, "zones: no zone 'ha-long-bayy'; did you mean ha-long-bay?"), (16, "zones: no zone 'xxxxxxxx'"),
    ]  # fmt: skip
    assert rule_tests.check([tmp_path / "rule.yaml"]) == []


def test_a_version_with_a_zone_that_the_world_does_not_have_is_refused_and_one_in_force_goes_on():
    text = RULE.replace("WHEN", "inside").replace("LEVEL", "{severity: minor}")
    assert check_version(text, "rule", WORLD, Rulebook([])).rule.rule_id == "test.zone"
    with pytest.raises(RulebookError, match="did you mean"):
        check_version(text.replace(PORT, f"{PORT}x"), "rule", WORLD, Rulebook([]))
    assert read_version(text.replace(PORT, f"{PORT}x"), "rule").rule.rule_id == "test.zone"
