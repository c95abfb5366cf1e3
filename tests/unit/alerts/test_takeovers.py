"""What a partition's next owner decides from what was kept: what the one before would have, at no earlier time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from alerts.engine.handover import CLOCK
from alerts.engine.stepping import Engine
from alerts.memory.hours import Hours
from alerts.rulebook.book import Rulebook
from ioc.bootstrap.knowledge import load_world
from ioc.domain.alert_machines import decide_condition
from ioc.domain.alerts import StateKey
from ioc.domain.kinds import IndicatorValue, WeatherObservation
from tests.support.engine_runs import EVENTS, Lives, make_event

START = datetime(2026, 11, 23, 2, tzinfo=UTC)
WORLD = load_world()
WIND = """\
rule: test.rule
condition: threshold
on: met.obs
levels: [{severity: major, when: gust_m_s >= 17.2}]
no_data: {policy: keep_last, after: 10m}
title: {vi: a, en: a}
detail: {vi: b, en: b}
runbook: {vi: c, en: c}
"""


def at(minutes):
    return START + timedelta(minutes=minutes)


def wind(minute, gust_m_s, asset_id="met.x"):
    return make_event(asset_id, WeatherObservation(wind_m_s=1.0, gust_m_s=gust_m_s), at(minute))


def lives_of(*texts):
    return Lives(Rulebook([rule for text in texts for rule in Rulebook.read(text, "test").rules]), WORLD)


def pulse(lives, minutes):
    """Let the clock run on second by second, as it does on a partition that is read to its end."""
    for second in range(int(60 * minutes) + 1):
        lives.wait(START + timedelta(seconds=second))


def ended(changes):
    """Tell which alerts the store takes for ended."""
    known = {}
    for change in changes:
        known |= {alert.alert_id: alert for alert in decide_condition(known.get(change.alert_id), change)}
    return [alert.ended_at is not None for alert in known.values()]


@pytest.mark.parametrize("clock_is", ["kept", "older"])
def test_log_time_never_goes_back_behind_what_a_timer_has_decided(clock_is):
    lives = lives_of(WIND)
    lives.take(wind(0, 20.0))
    before = lives.state[EVENTS][CLOCK]
    pulse(lives, 10.1)
    if clock_is == "older":  # what a version kept that did not keep log time with the decisions of timers
        lives.state[EVENTS][CLOCK] = before
    lives.die()
    lives.take(wind(9.9, 1.0))
    assert [change.type.value for change in lives.changes] == ["fired", "no_data", "resolved"]
    decided = [change.decided_at for change in lives.changes]
    assert decided == sorted(decided)
    assert ended(lives.changes) == [True]


def test_a_second_in_which_nothing_happens_keeps_nothing():
    engine = Engine(Rulebook.read(WIND, "test"), WORLD)
    engine.step(EVENTS, [wind(0, 20.0)])
    kept = [minute for minute in range(1, 30) if engine.advance(EVENTS, at(minute)).state]
    assert kept == [10]


MINOR_AND_MAJOR = WIND.replace(
    "[{severity: major, when: gust_m_s >= 17.2}]",
    "[{severity: minor, when: gust_m_s >= 10, clear: gust_m_s < 5},"
    " {severity: major, when: gust_m_s >= 17, clear: gust_m_s < 15}]",
)
MAJOR_AND_CRITICAL = WIND.replace(
    "[{severity: major, when: gust_m_s >= 17.2}]",
    "[{severity: major, when: gust_m_s >= 17, clear: gust_m_s < 8},"
    " {severity: critical, when: gust_m_s >= 30, clear: gust_m_s < 15}]",
)


def change_rules(lives, text, way):
    """Give other rules to the partition: to a process that begins with them, or to the one that runs."""
    lives._rules = Rulebook.read(text, "test")
    if way == "restart":
        lives.die()
        return
    made = Engine(lives._rules, WORLD)
    made.inherit(EVENTS, lives.state[EVENTS], lives.engine)
    lives.engine = made


@pytest.mark.parametrize("way", ["restart", "renewal"])
@pytest.mark.parametrize(
    ("first", "then", "gusts", "expected"),
    [
        (MINOR_AND_MAJOR, MAJOR_AND_CRITICAL, (20.0, 18.0, 31.0), ["major", "major", "critical"]),
        (MAJOR_AND_CRITICAL, MINOR_AND_MAJOR, (31.0, 18.0), ["critical", "major"]),
        (MINOR_AND_MAJOR, WIND, (12.0, 20.0), ["minor", "major"]),
    ],
)
def test_a_severity_keeps_what_it_reached_when_other_levels_come(first, then, gusts, expected, way):
    lives = lives_of(first)
    lives.take(wind(0, gusts[0]))
    change_rules(lives, then, way)
    for minute, gust_m_s in enumerate(gusts[1:], start=2):
        lives.take(wind(minute, gust_m_s))
    assert [change.severity.value for change in lives.changes] == expected
    assert len({change.alert_id for change in lives.changes}) == 1


@pytest.mark.parametrize("way", ["restart", "renewal"])
def test_state_that_does_not_tell_of_its_levels_goes_on_as_before(way):
    lives = lives_of(MINOR_AND_MAJOR)
    lives.take(wind(0, 20.0))
    (key,) = [key for key in lives.state[EVENTS] if key != CLOCK]
    lives.state[EVENTS][key] = without(lives.state[EVENTS][key], "severities")
    change_rules(lives, MINOR_AND_MAJOR if way == "restart" else MAJOR_AND_CRITICAL, way)
    lives.take(wind(2, 18.0))
    assert {change.severity.value for change in lives.changes} == {"major"}
    if way == "restart":  # and from here on it tells
        change_rules(lives, MAJOR_AND_CRITICAL, way)
        lives.take(wind(3, 18.0))
        assert {change.severity.value for change in lives.changes} == {"major"}


def without(kept, *fields):
    """Give kept state as it is without some fields."""
    told = msgspec.msgpack.decode(kept)
    return msgspec.msgpack.encode({name: value for name, value in told.items() if name not in fields})


USUAL = """\
rule: test.usual
condition: baseline
on: kpi.published
of: [value]
same: hour_of_day
weeks: 1
enough: 3
levels: [{severity: major, above: 100000}]
title: {vi: a, en: a}
detail: {vi: b, en: b}
runbook: {vi: c, en: c}
"""


def published(minute, value):
    data = IndicatorValue(period="2026", unit="VND", method_version="1", value=value)
    return make_event("kpi.budget", data, at(minute))


@pytest.mark.parametrize("value", [1e12, 5.5e13, 1e15, -1e15])
def test_a_rule_over_the_greatest_values_of_a_kind_goes_on_after_a_restart(value):
    lives = lives_of(USUAL)
    lives.take(published(0, value))
    lives.die()
    lives.take(published(1, value))
    (hours,) = lives.engine._memories[EVENTS].windows[0].values()
    assert hours.running(int(at(0).timestamp() // 3_600)) == 2 * value


def test_state_that_cannot_be_kept_is_a_fault_of_its_rule_and_stops_no_other(monkeypatch):
    lives = lives_of(WIND, USUAL)

    def fail(*_):
        raise OverflowError("too great")

    monkeypatch.setattr(Hours, "pack", fail)
    step = lives.engine.step(EVENTS, [published(0, 2.0), wind(0, 20.0)])
    assert [(fault.rule_id, fault.asset_id) for fault in step.rule_errors] == [("test.usual", "kpi.budget")]
    assert "cannot be kept: OverflowError: too great" in step.rule_errors[0].reason
    assert {key.rule_id for key in step.state} == {"", "test.rule"}
    assert lives.engine.step(EVENTS, [wind(1, 20.0)]).rule_errors == []


OTHER = WIND.replace("test.rule", "test.other")
MOST = WIND.replace("threshold", "window\nwindows: {m: {of: gust_m_s, max: 5m}}").replace("when: gust_m_s", "when: m")


def take_over_with_broken(lives, key, kept):
    """Let a process begin with a piece of state that nobody can read; give what it says of that."""
    lives.state[EVENTS][key] = kept
    lives.die()
    step = lives.engine.advance(EVENTS, at(1))
    lives._keep(EVENTS, step)
    (fault,) = step.rule_errors
    assert "cannot be read" in fault.reason
    return fault


@pytest.mark.parametrize("kept", [b"\xc1", b"", msgspec.msgpack.encode({"shape": 3}), msgspec.msgpack.encode([1])])
def test_state_that_cannot_be_read_is_left_aside_as_a_fault_and_the_partition_is_taken_over(kept):
    lives = Lives(Rulebook([*Rulebook.read(WIND, "a").rules, *Rulebook.read(OTHER, "b").rules]), WORLD, may_fail=True)
    lives.take(wind(0, 20.0))
    broken = StateKey("test.rule", "met.x")
    fault = take_over_with_broken(lives, broken, kept)
    assert (fault.rule_id, fault.asset_id) == ("test.rule", "met.x")
    assert lives.state[EVENTS][broken] == kept
    lives.take(wind(2, 1.0))
    assert [(change.rule_id, change.type.value) for change in lives.changes[2:]] == [("test.other", "resolved")]


@pytest.mark.parametrize("kept", [b"\xc1", msgspec.msgpack.encode((("gust_m_s",), b"123", [b"123"]))])
def test_readings_that_cannot_be_read_are_left_aside_as_a_fault(kept):
    lives = Lives(Rulebook.read(MOST, "test"), WORLD, may_fail=True)
    lives.take(wind(0, 1.0))
    (broken,) = [key for key in lives.state[EVENTS] if key != CLOCK]
    fault = take_over_with_broken(lives, broken, kept)
    assert (fault.rule_id, fault.asset_id) == ("test.rule", "met.x")
    lives.take(wind(2, 20.0))
    assert [change.type.value for change in lives.changes] == ["fired"]


def test_an_alert_that_cannot_be_read_goes_on_as_the_same_while_its_condition_holds():
    lives = Lives(Rulebook.read(WIND, "test"), WORLD, may_fail=True)
    lives.take(wind(0, 20.0))
    key = StateKey("test.rule", "met.x")
    told = msgspec.msgpack.decode(lives.state[EVENTS][key])
    del told["last"]["title_vi"]
    assert "title_vi" in take_over_with_broken(lives, key, msgspec.msgpack.encode(told)).reason
    for minute, gust_m_s in ((2, 20.0), (3, 1.0)):
        lives.take(wind(minute, gust_m_s))
    assert len({change.alert_id for change in lives.changes}) == 1
    assert ended(lives.changes) == [True]
