"""What silence does to an open alert: each one is noticed, and where it ends the alert, that says why it ended."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from alerts.rulebook.book import Rulebook
from ioc.bootstrap.knowledge import load_world
from ioc.domain.alerts import ChangeType, ResolveReason
from ioc.domain.events import Event
from ioc.domain.kinds import Crowd, Directive, Observation, WeatherObservation
from ioc.domain.quantities import Quality
from tests.support.engine_runs import Lives, make_event

START = datetime(2026, 11, 23, 2, tzinfo=UTC)
WORLD = load_world()
STATION, TASK, SITE = "weather.bai-chay", "directive.1", "site.bai-chay-beach"
TEXTS = """\
title: {vi: a, en: a}
detail: {vi: b, en: b}
runbook: {vi: c, en: c}
"""
WIND = "condition: threshold\non: met.obs\nlevels: [{severity: major, when: gust_m_s >= 17.2}]\n"
NOISE = """\
condition: expression
on: observation
levels:
  - {severity: major, when: quantity == "noise" && value >= 80.0}
"""
FORMULA = """\
condition: expression
on: directive.update
levels:
  - {severity: major, when: timestamp(title) < timestamp("2030-01-01T00:00:00Z")}
"""
RESOLVES = "no_data: {policy: resolve, after: 10m}\n"
QUIET = "clear_if_quiet_for: 10m\n"


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def wind(minute: float, gust: float | None, quality: Quality = Quality.GOOD) -> Event:
    return make_event(STATION, WeatherObservation(wind_m_s=9.0, gust_m_s=gust), at(minute), quality=quality)


def noise(minute: float, quantity: str, value: float) -> Event:
    return make_event(STATION, Observation(quantity=quantity, value=value), at(minute))


def task(minute: float, title: str) -> Event:
    directive = Directive(owner="Sở X", status="open", due_on=date(2026, 12, 1), title=title)
    return make_event(TASK, directive, at(minute))


def other(minute: float) -> Event:
    """Something that no rule here looks at: time passes, and nothing is silent because of us."""
    return make_event(SITE, Crowd(density_p_m2=0.1), at(minute))


SOUND, BROKEN = "2020-01-01T00:00:00Z", "no instant"
ONLY_FIRST: list[Event] = []


@pytest.mark.parametrize("dies_at", [None, 3, 12])
@pytest.mark.parametrize(
    ("rule", "first", "then", "reason"),
    [
        (WIND + RESOLVES, wind(0, 20), ONLY_FIRST, ResolveReason.NO_DATA),
        (WIND + RESOLVES, wind(0, 20), [wind(minute, None) for minute in range(1, 20)], ResolveReason.MISSING_SERIES),
        (WIND + QUIET, wind(0, 20), [wind(minute, None) for minute in range(1, 20)], ResolveReason.CONDITION),
        (
            NOISE + RESOLVES, noise(0, "noise", 90), [noise(minute, "dust", 1) for minute in range(1, 20)],
            ResolveReason.MISSING_SERIES,
        ),
        (NOISE + RESOLVES, noise(0, "noise", 90), ONLY_FIRST, ResolveReason.NO_DATA),
        (FORMULA + RESOLVES, task(0, SOUND), [task(minute, BROKEN) for minute in range(1, 20)], ResolveReason.ERROR),
        (FORMULA + QUIET, task(0, SOUND), [task(minute, BROKEN) for minute in range(1, 20)], ResolveReason.ERROR),
        (FORMULA + RESOLVES, task(0, SOUND), ONLY_FIRST, ResolveReason.NO_DATA),
        (FORMULA + QUIET, task(0, SOUND), ONLY_FIRST, ResolveReason.CONDITION),
    ],
)  # fmt: skip
def test_an_alert_that_is_judged_no_more_ends_with_the_reason(tmp_path, rule, first, then, reason, dies_at):
    lives = live(tmp_path, rule, [first, *then], until=20, dies_at=dies_at)
    ends = [change for change in lives.changes if change.type is not ChangeType.UPDATED]
    assert [change.type for change in ends] == [ChangeType.FIRED, ChangeType.RESOLVED]
    assert (ends[-1].reason, ends[-1].decided_at) == (reason, first.received_at + timedelta(minutes=10))


def test_a_failure_that_is_over_is_no_reason(tmp_path):
    events = [task(0, SOUND), task(1, BROKEN), task(2, SOUND)]
    lives = live(tmp_path, FORMULA + RESOLVES, events, until=20, dies_at=5)
    assert lives.changes[-1].reason is ResolveReason.NO_DATA
    assert lives.changes[-1].decided_at == events[-1].received_at + timedelta(minutes=10)


def test_a_rule_that_fails_ends_nothing_where_silence_does_not(tmp_path):
    events = [task(0, SOUND), *(task(minute, BROKEN) for minute in range(1, 60))]
    lives = live(tmp_path, FORMULA + "no_data: {policy: keep_last, after: 10m}\n", events, until=60, dies_at=None)
    assert [change.type for change in lives.changes] == [ChangeType.FIRED, ChangeType.NO_DATA]


CROWDED = """\
condition: baseline
on: tourism.crowd
of: people_count
value: max
same: hour_of_day
weeks: 1
enough: 3
levels: [{severity: major, above: 1000}]
"""
BEGAN, ENDED, UNHEARD = (ChangeType.FIRED, "major"), (ChangeType.RESOLVED, "minor"), (ChangeType.NO_DATA, "major")


def crowd(minute: float, people_count: int) -> Event:
    return make_event(SITE + "-2", Crowd(people_count=people_count), at(minute))


@pytest.mark.parametrize("dies_at", [None, 5, 12, 15.2, 16.5, 30])
@pytest.mark.parametrize(
    ("rule", "events"),
    [
        (WIND, [wind(0, 20), wind(15, 20), wind(16, 20)]),
        (CROWDED, [crowd(0, 2_000), crowd(15, 10), crowd(16, 10)]),
    ],
)
@pytest.mark.parametrize("policy", ["keep_last", "alert"])
def test_every_silence_during_an_alert_is_noticed(tmp_path, rule, events, policy, dies_at):
    told = f"no_data: {{policy: {policy}, after: 10m}}\n"
    lives = live(tmp_path, rule + told, events, until=60, dies_at=dies_at)
    marked = (UNHEARD, (ChangeType.FIRED, "minor")) if policy == "alert" else (UNHEARD,)
    over = (ENDED,) if policy == "alert" else ()
    said = [change for change in lives.changes if change.type is not ChangeType.UPDATED]
    assert [(change.type, change.severity.value) for change in said] == [BEGAN, *marked, *over, *marked]
    assert {change.decided_at for change in said} == {at(minute) for minute in (0, 10, 26, *([15] if over else []))}


def live(tmp_path, rule: str, events: list[Event], *, until: int, dies_at: float | None) -> Lives:
    (tmp_path / "rule.yaml").write_text(f"rule: test.rule\n{rule}{TEXTS}", encoding="utf-8")
    lives = Lives(Rulebook.load([tmp_path]), WORLD, may_fail=True)
    everything = [*events, *(other(minute + 0.5) for minute in range(until))]
    for event in sorted(everything, key=lambda event: event.received_at):
        if dies_at is not None and event.received_at >= at(dies_at):
            lives.die()
            dies_at = None
        lives.take(event)
    return lives
