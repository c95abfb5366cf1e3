"""Stations that fall silent and speak again, one by one and together: each silence is an alert of its own, and ends."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

import pytest
from msgspec.structs import replace

from alerts.engine.stepping import Engine
from alerts.rulebook.book import Rulebook
from ioc.bootstrap.knowledge import load_world
from ioc.domain.alerts import ChangeType, ResolveReason, Severity
from ioc.domain.events import Event, Signal
from ioc.domain.kinds import WeatherObservation
from ioc.domain.quantities import Quality
from tests.support.engine_runs import Lives, find_open, make_event, play

START = datetime(2026, 11, 23, 2, tzinfo=UTC)
RULES = Path(str(resources.files("alerts").joinpath("rules")))
WORLD = load_world()
OTHER_RULES = Rulebook.load([RULES / "28-crowd.yaml"])
SILENT = Rulebook.load([RULES / "09-station-silent.yaml"])
UNIT, OTHER_UNIT = "06652", "06658"
FIRED, RESOLVED = ChangeType.FIRED, ChangeType.RESOLVED


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def heard(asset_id: str, minutes: Iterable[int], *, unit: str = UNIT) -> list[Event]:
    return [make_event(asset_id, WeatherObservation(wind_m_s=9.0), at(minute), unit_code=unit) for minute in minutes]


def told(lives: Lives) -> list[tuple[str, ChangeType, float]]:
    """Who it is about, what became of it, and in which minute."""
    return [
        (labels.get("asset") or labels["blackout"], change.type, (change.decided_at - START) / timedelta(minutes=1))
        for change in lives.changes
        for labels in [dict(change.labels)]
        if change.type in {FIRED, RESOLVED}
    ]


def open_for_people(lives: Lives) -> set[str]:
    """What stands open once the store has taken every change in."""
    labels = (dict(alert.labels) for alert in find_open(lives.changes) if not alert.shadow)
    return {named.get("asset") or named["blackout"] for named in labels}


def test_a_second_blackout_is_another_though_two_stations_were_silent_all_along():
    lives = play(
        Lives(SILENT, WORLD),
        *(heard(name, range(10)) for name in ("met.a", "met.b")),
        heard("met.c", [*range(10), *range(60, 70)]),
        *(heard(name, range(200)) for name in ("met.d", "met.e")),
    )
    blackouts = [change for change in lives.changes if "blackout" in dict(change.labels)]
    assert [change.type for change in blackouts] == [FIRED, RESOLVED, FIRED]
    assert blackouts[0].alert_id == blackouts[1].alert_id != blackouts[2].alert_id
    assert open_for_people(lives) == {f"unit:{UNIT}"}


def test_blackouts_that_come_and_go_within_one_instant_are_not_one_and_the_same():
    """Stations that share a poll fall silent and return in one instant, and the unit is judged at each return."""

    def signal(name: str, minute: float, *, is_silent: bool = True) -> Signal:
        reading = make_event(f"met.{name}", WeatherObservation(wind_m_s=9.0), at(minute), unit_code=UNIT)
        return Signal(
            scope=f"unit:{UNIT}", event=replace(reading, quality=Quality.STALE if is_silent else Quality.GOOD)
        )

    engine = Engine(SILENT, WORLD)
    first = engine.step("signals", [*(signal(name, 0) for name in "abc"), signal("f", 5, is_silent=False)])
    swaps = [("a", "de", "b"), ("c", "gh", "d")]  # one ends it, two fall silent, the return of another begins it
    second = engine.step(
        "signals",
        [
            signal(name, 10, is_silent=name in silent)
            for back, silent, again in swaps
            for name in (back, *silent, again)
        ],
    )
    blackouts = [
        change for change in [*first.changes, *second.changes] if change.severity is Severity.MAJOR
        and change.type is not ChangeType.UPDATED
    ]  # fmt: skip
    assert [change.type for change in blackouts] == [FIRED, RESOLVED, FIRED, RESOLVED, FIRED]
    assert len({change.alert_id for change in blackouts}) == 3


def test_a_silence_that_outlasts_its_rules_absence_is_told_anew_as_another_alert():
    lives = play(Lives(SILENT, WORLD), heard("met.b", range(10)), heard("met.a", range(60)))
    assert told(lives) == [("met.b", FIRED, 40.0)]
    lives.change_rules(OTHER_RULES)
    play(lives, heard("met.a", range(60, 70)))
    assert (lives.changes[-1].type, lives.changes[-1].reason) == (RESOLVED, ResolveReason.RULE_DELETED)
    lives.change_rules(SILENT)
    play(lives, heard("met.a", range(70, 100)))
    assert open_for_people(lives) == {"met.b"}
    play(lives, heard("met.b", range(100, 110)))
    assert open_for_people(lives) == set()


@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_station_that_returns_in_another_unit_is_silent_in_none(is_restarted):
    others = [heard(name, range(400)) for name in ("met.a", "met.c", "met.d")]
    lives = play(Lives(SILENT, WORLD), heard("met.b", range(10)), *([*part[:60]] for part in others))
    assert told(lives) == [("met.b", FIRED, 40.0)]
    if is_restarted:
        lives.die()
    play(lives, heard("met.b", range(60, 70), unit=OTHER_UNIT), *(part[60:] for part in others))
    assert told(lives)[1:] == [("met.b", RESOLVED, 60.0), ("met.b", FIRED, 100.0)]
    assert [change.unit_code for change in lives.changes] == [UNIT, UNIT, OTHER_UNIT]
    play(lives, heard("met.b", [400], unit=OTHER_UNIT))
    assert open_for_people(lives) == set()


def test_a_station_that_has_left_counts_no_longer_among_those_of_a_unit():
    """Of two that stay and one that left two are silent: all that are there."""
    rules = (RULES / "09-station-silent.yaml").read_text(encoding="utf-8").partition("tests:")[0]
    book = Rulebook.read(rules.replace("least: 3", "least: 2").replace("share: 0.3", "share: 1.0"), "all.yaml")
    moved = [*heard("met.b", range(10)), *heard("met.b", range(60, 200), unit=OTHER_UNIT)]
    lives = play(Lives(book, WORLD), *(heard(name, range(80)) for name in ("met.a", "met.c")), moved)
    assert "unit:06652" in {name for name, *_ in told(lives)}


@pytest.mark.parametrize("name", ["province.hall", "province", "unit:06652"])
def test_a_station_may_be_called_as_a_scope_is(name):
    lives = play(Lives(SILENT, WORLD), heard(name, range(10)), heard("met.a", range(60)))
    assert told(lives) == [(name, FIRED, 40.0)]
