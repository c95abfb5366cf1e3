"""Vessels that are lost, found, warned and gone from a water, over restarts and changes of the rules."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

import pytest

from alerts.rulebook.book import Rulebook
from ioc.bootstrap.knowledge import load_world
from ioc.domain.alerts import ChangeType, ResolveReason, Severity
from ioc.domain.events import Event
from ioc.domain.kinds import VesselPosition, WeatherWarning
from tests.support.engine_runs import EVENTS, SIGNALS, Lives, find_open, make_event, play

START = datetime(2026, 11, 23, 2, tzinfo=UTC)
RULES = Path(str(resources.files("alerts").joinpath("rules")))
WORLD = load_world()
LOST, WARNED, OTHER_RULES = (
    Rulebook.load([RULES / f"{name}.yaml"]) for name in ("23-vessel-lost", "21-vessel-warned", "28-crowd")
)
BAY, NEXT_BAY, PORT = (107.12, 20.86), (107.435, 20.99), (106.988, 20.9265)
BOAT, OTHER_BOAT = "vessel.574000001", "vessel.574000002"
FIRED, RECOVERING, RESOLVED = ChangeType.FIRED, ChangeType.RECOVERING, ChangeType.RESOLVED


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def sails(minutes: Iterable[float], where: tuple[float, float] = BAY, *, boat: str = BOAT) -> list[Event]:
    return [
        make_event(boat, VesselPosition(sog_kn=8.0), at(minute), lon_deg=where[0], lat_deg=where[1])
        for minute in minutes
    ]


def warned(status: str = "actual", minute: float = 0) -> list[Event]:
    """Hạ Long Bay is warned of a squall for eight hours, or no longer."""
    data = WeatherWarning(
        warning_key="W-1", hazard="squall", severity="severe", zone_id="ha-long-bay", status=status,
        onset_at=at(0), expires_at=at(480),
    )  # fmt: skip
    return [make_event("area.ha-long-bay", data, at(minute))]


def told(lives: Lives) -> list[tuple[ChangeType, float]]:
    """What became of an alert, and in which minute."""
    return [
        (change.type, (change.decided_at - START) / timedelta(minutes=1))
        for change in lives.changes
        if change.type is not ChangeType.UPDATED
    ]


def open_for_people(lives: Lives) -> set[str | None]:
    """What stands open once the store has taken every change in."""
    return {alert.asset_id for alert in find_open(lives.changes)}


def test_a_loss_that_outlasts_its_rules_absence_is_told_anew_as_another_alert():
    lives = play(Lives(LOST, WORLD), sails(range(6)), sails(range(30), boat=OTHER_BOAT))
    assert told(lives) == [(FIRED, 10.0)]
    lives.change_rules(OTHER_RULES)
    play(lives, sails(range(30, 40), boat=OTHER_BOAT))
    assert lives.changes[-1].reason is ResolveReason.RULE_DELETED
    lives.change_rules(LOST)
    play(lives, sails(range(40, 50), boat=OTHER_BOAT))
    assert open_for_people(lives) == {BOAT}
    play(lives, sails([50]), sails([50], boat=OTHER_BOAT))
    assert open_for_people(lives) == set()


def test_a_vessel_that_is_heard_again_after_a_restart_is_found():
    def live(*, is_restarted: bool) -> list[tuple[ChangeType, float]]:
        lives = play(Lives(LOST, WORLD), sails(minute / 6 for minute in range(31)))
        for minute in range(6, 16):
            lives.wait(at(minute))
        if is_restarted:
            lives.die()
        play(lives, sails([18, 18.5]))
        for minute in range(19, 25):
            lives.wait(at(minute))
        return told(lives)

    assert live(is_restarted=True) == live(is_restarted=False) == [(FIRED, 10.0), (RESOLVED, 18.0), (FIRED, 23.5)]


@pytest.mark.parametrize(
    ("made_at", "where", "ends_at"), [(6, BAY, 24), (14, BAY, 24), (15.1, BAY, 20), (14, PORT, 20)]
)
def test_a_position_that_was_under_way_for_long_finds_no_lost_vessel_unless_it_lay_in_port(made_at, where, ends_at):
    data = VesselPosition(sog_kn=8.0)
    late = make_event(BOAT, data, at(made_at), delay_s=60 * (20 - made_at), lon_deg=where[0], lat_deg=where[1])
    lives = play(Lives(LOST, WORLD), sails(range(6)), sails(range(28), boat=OTHER_BOAT), [late], sails([24]))
    assert told(lives) == [(FIRED, 10.0), (RESOLVED, float(ends_at))]


def test_a_lost_vessel_is_told_of_once_however_often_the_process_restarts():
    lives = play(Lives(LOST, WORLD), sails(range(6)), sails(range(60), boat=OTHER_BOAT))
    for hour in (1, 2):
        lives.die()
        play(lives, sails(range(60 * hour, 60 * (hour + 1)), boat=OTHER_BOAT))
    assert [change.type for change in lives.changes] == [FIRED]
    play(lives, sails([180]), sails([180], boat=OTHER_BOAT))
    assert open_for_people(lives) == set()
    assert not [key for key in lives.state[EVENTS] if key.rule_id], "what was kept of the loss is let go"


@pytest.mark.parametrize("dies_at", [None, 1, 5, 13, 22])
def test_a_slow_vessel_is_not_taken_for_lost_after_a_restart(dies_at):
    """It speaks every four minutes, so twenty minutes of silence are lost; the other boat moves the time on."""
    lives = Lives(LOST, WORLD)
    slow, others = sails(range(0, 21, 4)), sails(range(60), boat=OTHER_BOAT)
    for event in sorted([*slow, *others], key=lambda event: event.received_at):
        if event is others[dies_at or 0] and dies_at is not None:
            lives.die()
        play(lives, [event])
    assert told(lives) == [(FIRED, 40.0)]
    play(lives, sails([60], PORT), sails([60], boat=OTHER_BOAT))
    assert not [key for key in lives.state[EVENTS] if key.rule_id], "the rhythm of a trip ends with it"


def test_a_rule_that_becomes_less_patient_still_knows_how_often_vessels_speak(tmp_path):
    """Every fifty seconds: less than a minute, which the first version has no need to tell apart."""
    text = (RULES / "23-vessel-lost.yaml").read_text(encoding="utf-8")
    (tmp_path / "lost.yaml").write_text(text.replace("least: 5m", "least: 2m"), encoding="utf-8")
    others = sails((minute / 4 for minute in range(160)), boat=OTHER_BOAT)
    lives = play(Lives(LOST, WORLD), sails(number * 5 / 6 for number in range(25)), others[:81])
    lives.change_rules(Rulebook.load([tmp_path]))
    play(lives, others[81:])
    assert told(lives) == [(FIRED, 25.0)]


def test_of_vessels_that_speak_often_no_rhythm_is_kept():
    lives = play(Lives(LOST, WORLD), sails(minute / 6 for minute in range(31)))
    assert not [key for key in lives.state[EVENTS] if key.rule_id]


@pytest.mark.parametrize("restarted_at", [None, 32])
def test_the_alert_of_a_vessel_that_left_the_warned_water_ends_after_keep(restarted_at):
    """Nothing more comes of it there: the other boat only moves the time on."""
    lives = play(Lives(WARNED, WORLD), warned(), sails(range(1, 31)), sails([31], NEXT_BAY))
    others = sails(range(32, 60), NEXT_BAY, boat=OTHER_BOAT)
    for event in others:
        if event.observed_at == (restarted_at and at(restarted_at)):
            lives.die()
        lives.take(event)
    assert told(lives) == [(FIRED, 1.0), (RECOVERING, 31.0), (RESOLVED, 33.0)]


def test_the_alert_of_a_vessel_that_is_not_heard_after_the_warning_ends_after_keep():
    lives = play(Lives(WARNED, WORLD), warned(), sails(range(1, 59)), warned("cancel", 60))
    play(lives, sails(range(61, 90), NEXT_BAY, boat=OTHER_BOAT))
    assert told(lives) == [(FIRED, 1.0), (RECOVERING, 60.0), (RESOLVED, 62.0)]


def test_a_vessel_that_comes_back_before_its_alert_has_ended_keeps_it():
    lives = play(Lives(WARNED, WORLD), warned(), sails(range(1, 31)), sails([31], NEXT_BAY), sails(range(32, 60)))
    assert told(lives) == [(FIRED, 1.0), (RECOVERING, 31.0)]


@pytest.mark.parametrize("cut", [Lives.die, lambda lives: lives.change_rules(WARNED)])
@pytest.mark.parametrize("cut_at", [30, 31, 32])
def test_a_vessel_that_crosses_to_another_water_while_the_process_restarts_has_left_the_old_one(cut, cut_at):
    events = [*sails(range(1, 31)), *sails(range(31, 60), NEXT_BAY)]
    lives = play(Lives(WARNED, WORLD), warned(), events[: cut_at - 1])
    cut(lives)
    play(lives, events[cut_at - 1 :])
    assert told(lives) == [(FIRED, 1.0), (RECOVERING, 31.0), (RESOLVED, 33.0)]


def test_a_rule_that_comes_in_hears_of_a_vessel_that_lies_where_it_lay():
    """It is at rest, so nothing of it would be sent otherwise."""
    lying = [
        make_event(BOAT, VesselPosition(sog_kn=0.1), at(minute), lon_deg=BAY[0], lat_deg=BAY[1]) for minute in range(20)
    ]
    lives = play(Lives(LOST, WORLD), lying[:10])
    lives.change_rules(WARNED)
    play(lives, lying[10:])
    assert [key.key for key in lives.state[SIGNALS] if key.rule_id] == [f"zone:ha-long-bay\x1f{BOAT}"]


def test_a_position_that_comes_too_late_to_be_judged_is_kept_all_the_same():
    """What a process goes on with after a restart is what it had in mind before."""
    lives = play(Lives(WARNED, WORLD), sails([0]))
    late = make_event(BOAT, VesselPosition(sog_kn=0.0), at(1), lon_deg=BAY[0], lat_deg=BAY[1])
    lives.take(sails([30], boat=OTHER_BOAT)[0])
    lives.take(late)
    in_mind = lives.engine._memories[SIGNALS].series[0][f"zone:ha-long-bay\x1f{BOAT}"]
    assert in_mind.event == late
    lives.die()
    assert lives.engine._memories[SIGNALS].series[0][f"zone:ha-long-bay\x1f{BOAT}"] == in_mind


def fleet(count: int, until: float, since: float = 0) -> list[Event]:
    """So many boats under way, three seconds behind each other and heard every half a minute."""
    minutes = [since + step / 2 for step in range(int(2 * (until - since)))]
    return [
        event
        for number in range(count)
        for event in sails([minute + number / 20 for minute in minutes], boat=f"vessel.57400010{number}")
    ]


def open_ids(lives: Lives) -> set[str | None]:
    """What stands open and may be seen."""
    return {alert.asset_id for alert in find_open(lives.changes) if not alert.shadow}


def elsewhere(until: float) -> list[Event]:
    """A boat in another water goes on being heard."""
    return sails(range(int(until)), NEXT_BAY, boat=OTHER_BOAT)


@pytest.mark.parametrize("dies_at", [*range(15, 30), None])
def test_boats_that_fall_silent_together_are_told_as_one_over_a_restart(dies_at):
    """A death while they are lost, while they come back one by one, or while one stays behind changes nothing."""
    lives = Lives(LOST, WORLD)
    seen: dict[float, set[str | None]] = {}
    for event in sorted([*fleet(8, 10), *fleet(7, 30, since=20), *elsewhere(31)], key=lambda item: item.received_at):
        minute = (event.received_at - START) / timedelta(minutes=1)
        if event.asset_id == OTHER_BOAT and minute == dies_at:
            lives.die()
        lives.take(event)
        seen[minute] = open_ids(lives)
    water = [change for change in lives.changes if change.asset_id is None]
    assert [change.type for change in water if change.type is not ChangeType.UPDATED] == [FIRED, RESOLVED]
    assert (seen[14.0], seen[16.0], seen[20.0], seen[25.0]) == (set(), {None}, {None}, set())
    assert seen[30.0] == {"vessel.574000107"}


def test_a_water_tells_how_many_are_silent_and_is_critical_under_a_warning():
    lives = play(Lives(LOST, WORLD), fleet(9, 10), elsewhere(18))
    [water] = [alert for alert in find_open(lives.changes) if alert.asset_id is None]
    assert (water.value, water.limit, water.severity, water.zone_id) == (9.0, 5.0, Severity.MAJOR, "ha-long-bay")
    assert open_ids(lives) == {None}
    play(lives, warned(minute=18))
    [water] = [alert for alert in find_open(lives.changes) if alert.asset_id is None]
    assert water.severity is Severity.CRITICAL
    assert open_ids(lives) == {None}


def test_a_boat_that_was_lost_before_the_others_keeps_its_own_alert():
    lives = play(Lives(LOST, WORLD), sails([0, 1, 2]), fleet(6, 15), elsewhere(24))
    assert open_ids(lives) == {BOAT, None}


def test_a_water_that_falls_silent_again_has_another_alert():
    events = [*fleet(6, 10), *fleet(6, 30, since=20), *elsewhere(40)]
    lives = play(Lives(LOST, WORLD), events)
    begun = [change for change in lives.changes if change.asset_id is None and change.type is FIRED]
    assert len({change.alert_id for change in begun}) == len(begun) == 2
    assert open_ids(lives) == {None}
