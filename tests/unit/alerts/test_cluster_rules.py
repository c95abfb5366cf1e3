"""Stations over a limit together, for a time: they are told of again every ten minutes, and stand in between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from alerts.rulebook.book import Rulebook
from ioc.bootstrap.knowledge import load_world
from ioc.domain.alerts import ChangeType
from ioc.domain.kinds import AirReading, WeatherObservation
from tests.support.engine_runs import make_event, run

START = datetime(2026, 11, 23, 2, tzinfo=UTC)
WORLD = load_world()
FIRED, RECOVERING, RESOLVED = ChangeType.FIRED, ChangeType.RECOVERING, ChangeType.RESOLVED
PLACES = {"hong-gai": (107.078, 20.954), "bai-chay": (107.032, 20.962)}

RULE = """\
rule: test.cluster
condition: cluster
on: env.air.reading
when: pm10_ug_m3 > 250
stations: 2
near_km: 10
wind_below_m_s: 2
wind_near_km: 40
severity: major
for: 25m
keep: 15m
gap: 5m
lateness: 20m
no_data: {policy: keep_last, after: 3h}
title: {vi: "{asset}", en: "{asset}"}
detail: {vi: b, en: b}
runbook: {vi: c, en: c}
"""


@pytest.fixture
def rules(tmp_path):
    (tmp_path / "rule.yaml").write_text(RULE, encoding="utf-8")
    return Rulebook.load([tmp_path / "rule.yaml"])


def dust(name, minutes, pm10=300.0):
    lon_deg, lat_deg = PLACES[name]
    return [
        make_event(
            f"air.{name}", AirReading(pm10_ug_m3=pm10), START + timedelta(minutes=minute),
            lon_deg=lon_deg, lat_deg=lat_deg,
        )
        for minute in minutes
    ]  # fmt: skip


def calm(minutes, wind_m_s=1.2):
    at = [START + timedelta(minutes=minute) for minute in minutes]
    return [
        make_event("met.bai-chay", WeatherObservation(wind_m_s=wind_m_s), when, lon_deg=107.04, lat_deg=20.955)
        for when in at
    ]


def in_order(*streams):
    return sorted((event for stream in streams for event in stream), key=lambda event: event.received_at)


def decided(lives):
    return [
        (change.type, (change.decided_at - START) / timedelta(minutes=1))
        for change in lives.changes
        if change.type is not ChangeType.UPDATED
    ]


def test_a_cluster_that_stands_fires_and_ends_when_its_time_is_over(rules):
    events = in_order(
        calm(range(0, 100, 4)), dust("hong-gai", range(1, 40)), dust("bai-chay", range(1, 40)),
        dust("bai-chay", range(40, 90), pm10=100.0),
    )  # fmt: skip
    assert decided(run(rules, WORLD, events)) == [(FIRED, 26), (RECOVERING, 40), (RESOLVED, 55)]


def test_a_cluster_with_a_station_that_was_silent_for_too_long_has_not_stood(tmp_path):
    (tmp_path / "rule.yaml").write_text(RULE.replace("for: 25m", "for: 1h"), encoding="utf-8")
    rules = Rulebook.load([tmp_path / "rule.yaml"])
    others = in_order(calm(range(0, 120, 4)), dust("hong-gai", range(1, 120)))
    assert decided(run(rules, WORLD, in_order(others, dust("bai-chay", range(1, 120, 5))))) == [(FIRED, 61)]
    back = [1.0, *(41.5 + 5 * number for number in range(15))]
    assert decided(run(rules, WORLD, in_order(others, dust("bai-chay", back)))) == [(FIRED, 101.5)]
    assert decided(run(rules, WORLD, in_order(others, dust("bai-chay", [1])))) == []


def test_a_restart_anywhere_changes_nothing(rules):
    swinging = [dust("bai-chay", [minute], pm10=100.0 if minute % 70 > 45 else 300.0) for minute in range(0, 140, 2)]
    events = in_order(calm(range(0, 140, 10)), dust("hong-gai", range(1, 140, 3)), *swinging)
    whole = run(rules, WORLD, events).changes
    assert {FIRED, RECOVERING, RESOLVED} <= {change.type for change in whole}
    for cut in range(1, len(events)):
        assert run(rules, WORLD, events, frozenset({cut})).changes == whole
