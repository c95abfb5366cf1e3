"""Offices, hotline, networks and registers keep the province's hours and volumes, and show what a scenario says."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise

import pytest

from ioc.domain.events import Event
from ioc.domain.kinds import CaseStep, CyberAlert, DatabaseCalls, Directive, NetLink
from ioc.domain.quantities import Quality
from ioc.errors import ConfigurationError
from simulators.city import SOURCES
from simulators.effects import DATABASES
from simulators.province import World
from simulators.scenario import Scenario, read_scenario
from simulators.working_time import WorkingTime
from tests.support.feeds import fresh_feed

MONDAY = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
SATURDAY = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)
NORMAL = "title: {vi: Thử, en: Trial}\n"
TROUBLE = NORMAL + (
    "effects:\n"
    "  - {effect: cyber.incident, at: 10, lasts: 20, id: CA-X, severity: critical, category: ransomware,\n"
    '     links: ["06652"]}\n'
    '  - {effect: network.down, at: 10, lasts: 20, units: ["06994"]}\n'
    "  - {effect: network.down, at: 40, lasts: 10, share: 0.5}\n"
    "  - {effect: ndb.errors, at: 10, lasts: 20, database: land, error_pct: 40}\n"
)


def scenario(text: str) -> Scenario:
    return read_scenario(text, "mine.yaml")


@cache
def heard(feed_id: str, text: str, start_at: datetime, hours: float) -> tuple[list[Event], list[Event]]:
    """What a source hands over and then sends, read by the real parser."""
    source = next(source for source in SOURCES if source.feed_id == feed_id)
    feed = fresh_feed(feed_id)
    process = source(World(scenario(text), start_at, 7, 1.0, lambda at: at))
    read: tuple[list[Event], list[Event]] = ([], [])
    for events, messages in zip(
        read, (process.beginning(), process.run_until(start_at + timedelta(hours=hours))), strict=True
    ):
        for message in messages:
            parsed = feed.parse(message.payload, received_at=max(start_at, message.at))
            assert not parsed.rejected, (message, parsed.rejected)
            events += parsed.events
    return read


def steps(events: list[Event]) -> list[tuple[str, CaseStep]]:
    return [(event.asset_id, event.data) for event in events if isinstance(event.data, CaseStep)]


@pytest.mark.parametrize("feed_id", ["tthc", "citizens", "networks", "registers"])
def test_little_is_handed_over_at_the_start_and_all_of_it_is_believed(feed_id: str) -> None:
    begun, sent = heard(feed_id, NORMAL, MONDAY, 2)
    assert 0 < len(begun) < 600
    assert all(event.observed_at <= MONDAY for event in begun)
    assert {event.quality for event in begun + sent} == {Quality.GOOD}


def test_a_working_day_has_the_cases_that_the_province_has() -> None:
    _, sent = heard("tthc", NORMAL, MONDAY, 9)
    received = [data for _, data in steps(sent) if data.status == "received"]
    assert 3_700 <= len(received) <= 4_500
    _, quiet = heard("tthc", NORMAL, SATURDAY, 9)
    assert sum(data.status == "received" for _, data in steps(quiet)) < 0.12 * len(received)


def test_a_case_walks_from_desk_to_desk_and_is_closed_once() -> None:
    _, sent = heard("tthc", NORMAL, MONDAY, 9)
    walks: dict[str, list[str]] = defaultdict(list)
    for asset_id, data in steps(sent):
        walks[asset_id].append(data.status)
    follows = {"received": {"processing"}, "processing": {"supplement", "done"}, "supplement": {"processing"}}
    new = [walk for walk in walks.values() if walk[0] == "received"]
    assert Counter(walk[-1] for walk in new)["done"] > 300
    for walk in new:
        for before, after in pairwise(walk):
            assert after in follows[before]


def test_three_of_a_hundred_open_cases_are_overdue_at_the_start() -> None:
    begun, _ = heard("tthc", NORMAL, MONDAY, 2)
    waiting = [data for _, data in steps(begun) if data.done_at is None]
    assert len(waiting) == 300
    assert sum(data.due_at < MONDAY for data in waiting) == 9


def test_cases_that_stall_are_not_done() -> None:
    stalled = NORMAL + "effects:\n  - {effect: tthc.slow, at: 0, lasts: 600, share: 0.9}\n"
    done = [
        sum(data.status == "done" for _, data in steps(heard("tthc", text, MONDAY, 9)[1])) for text in (NORMAL, stalled)
    ]
    assert done[1] < 0.2 * done[0]


def test_every_link_and_every_database_speaks_once_a_minute() -> None:
    _, sent = heard("networks", NORMAL, MONDAY, 1)
    counts = Counter(event.asset_id for event in sent if isinstance(event.data, NetLink | DatabaseCalls))
    assert len(counts) == 54 + len(DATABASES) == 68
    assert set(counts.values()) == {60}


def test_links_go_down_with_the_network_and_with_the_incident_and_come_back() -> None:
    _, sent = heard("networks", TROUBLE, MONDAY, 1)
    down: dict[int, set[str]] = defaultdict(set)
    for event in sent:
        if isinstance(event.data, NetLink) and event.data.status == "down":
            down[(event.observed_at - MONDAY) // timedelta(minutes=10)].add(event.asset_id)
    assert down[1] == down[2] == {"link.06652", "link.06994"}
    assert len(down[4]) == 27
    assert set(down) == {1, 2, 4}


def test_an_incident_is_open_until_it_is_over() -> None:
    _, sent = heard("networks", TROUBLE, MONDAY, 1)
    alerts = [event for event in sent if event.asset_id == "cyber.CA-X"]
    assert [event.data.status for event in alerts if isinstance(event.data, CyberAlert)] == ["open", "closed"]
    assert [(event.observed_at - MONDAY) / timedelta(minutes=1) for event in alerts] == [10, 30]


def test_calls_to_a_database_fail_as_often_as_is_said() -> None:
    _, sent = heard("networks", TROUBLE, MONDAY, 1)
    shares = []
    for first, last in ((0, 10), (10, 30), (31, 60)):
        calls = [
            event.data
            for event in sent
            if event.asset_id == "ndb.land"
            and isinstance(event.data, DatabaseCalls)
            and timedelta(minutes=first) <= event.observed_at - MONDAY < timedelta(minutes=last)
        ]
        shares.append(sum(call.errors_count for call in calls) / sum(call.calls_count for call in calls))
    assert shares[0] < 0.02 > shares[2]
    assert shares[1] == pytest.approx(0.4, abs=0.06)


def test_all_47_tasks_stand_in_the_register_and_some_are_done() -> None:
    begun, _ = heard("registers", NORMAL, MONDAY, 2)
    tasks = [event.data for event in begun if isinstance(event.data, Directive)]
    assert len(tasks) == 47
    assert Counter(task.status for task in tasks) == {"open": 28, "done": 19}


@pytest.mark.parametrize(
    ("at", "hours", "then"),
    [
        ("2026-11-23T08:00:00+07:00", 1.0, "2026-11-23T09:00:00+07:00"),
        ("2026-11-23T11:00:00+07:00", 1.0, "2026-11-23T14:00:00+07:00"),
        ("2026-11-23T16:00:00+07:00", 2.0, "2026-11-24T08:30:00+07:00"),
        ("2026-11-23T22:00:00+07:00", 0.5, "2026-11-24T08:00:00+07:00"),
        ("2026-11-27T16:30:00+07:00", 1.0, "2026-11-30T08:00:00+07:00"),
        ("2026-11-28T10:00:00+07:00", 7.5, "2026-12-01T07:30:00+07:00"),
    ],
)
def test_working_hours_pass_while_offices_are_open(at: str, hours: float, then: str) -> None:
    time = WorkingTime(World(scenario(NORMAL), MONDAY, 7, 1.0, lambda at: at))
    found = time.add(datetime.fromisoformat(at), hours)
    assert abs(found - datetime.fromisoformat(then)) < timedelta(seconds=1)


def test_offices_of_a_scenario_are_open_by_its_own_hour() -> None:
    time = WorkingTime(
        World(scenario(NORMAL + 'begins_at: "09:00"\n'), MONDAY + timedelta(hours=12), 7, 1.0, lambda at: at)
    )
    assert time.is_open(MONDAY + timedelta(hours=12))
    assert not time.is_open(MONDAY + timedelta(hours=15))


def test_a_network_that_is_down_says_where() -> None:
    with pytest.raises(ConfigurationError, match="needs units or share"):
        scenario(NORMAL + "effects:\n  - {effect: network.down, at: 1}\n")
