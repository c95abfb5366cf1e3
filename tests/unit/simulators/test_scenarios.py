"""Scenarios are data: faults are named with their line, and the demonstration shows what it is meant to show."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alerts.engine.stepping import Engine
from alerts.rulebook.book import Rulebook
from connectors.feed import Form
from ioc.bootstrap.knowledge import load_world
from ioc.domain.alerts import AlertChange, ChangeType
from ioc.domain.events import Event
from ioc.errors import ConfigurationError
from simulators.city import FEEDS, City
from simulators.message import Message
from simulators.scenario import Effect, list_scenarios, load_scenario, read_scenario
from tests.support.feeds import fresh_feed

EVENING = datetime(2026, 11, 23, 12, 15, tzinfo=UTC)
RULES = Path(__file__).parents[3] / "alerts" / "rules"
TITLE = "title: {vi: Thử, en: Trial}\n"


class Watch:
    """Parses a city's messages and lets the real rules judge them, as far as one process does."""

    def __init__(self, city: City) -> None:
        self._city, self._engine = city, Engine(Rulebook.load([RULES]), load_world())
        self._feeds = {feed_id: fresh_feed(feed_id) for feed_id in FEEDS}
        self.changes: list[AlertChange] = []

    def run(self, span: timedelta) -> list[AlertChange]:
        self._step([event for message in self._city.beginning() for event in self._parse(message)], EVENING)
        now = EVENING
        while now < EVENING + span:
            now += timedelta(seconds=5)
            self._step([event for message in self._city.messages(now) for event in self._parse(message)], now)
        return self.changes

    def _parse(self, message: Message) -> list[Event]:
        form = {"vessels": Form.NMEA, "transit": Form.GTFS_RT}.get(message.feed_id, Form.JSON)
        parsed = self._feeds[message.feed_id].parse(message.payload, received_at=max(EVENING, message.at), form=form)
        assert not parsed.rejected, (message, parsed.rejected)
        return list(parsed.events)

    def _step(self, events: list[Event], now: datetime) -> None:
        for step in (self._engine.step("events", events), self._engine.advance("events", now)):
            judged = self._engine.step("signals", step.signals)
            assert not step.rule_errors
            assert not judged.rule_errors
            self.changes += [*step.changes, *judged.changes]
        self.changes += self._engine.advance("signals", now).changes


@pytest.mark.parametrize("name", list_scenarios())
def test_every_shipped_scenario_can_be_read(name: str) -> None:
    scenario = load_scenario(name)
    assert scenario.title_vi
    assert scenario.title_en


def test_the_demonstration_shows_each_of_its_events_within_ten_minutes() -> None:
    changes = Watch(City(load_scenario("demo-day"), start_at=EVENING)).run(timedelta(minutes=10))
    fired = Counter((change.rule_id, change.asset_id) for change in changes if change.type is ChangeType.FIRED)
    rules = Counter(rule_id for rule_id, _ in fired)
    assert fired["air.vn_aqi_hour", "air.ha-tu"] == 1
    assert fired["crowd.density", "site.ti-top"] == 1
    assert fired["station.silent", "air.cua-ong"] == 1
    assert fired["gate.queue", "gate.km3-4"] == 1
    assert rules["power.outage"] == 1
    assert rules["wind.suspension"] == 2
    assert rules["vessel.signal_lost"] == 2
    assert 10 <= rules["vessel.under_warning"] <= 80


def test_on_a_normal_day_nothing_fires_but_what_offices_are_behind_with() -> None:
    changes = Watch(City(load_scenario("normal-day"), start_at=EVENING)).run(timedelta(minutes=10))
    fired = Counter(change.rule_id for change in changes if change.type is ChangeType.FIRED)
    assert fired == {"tthc.case_due": 9, "directive.overdue": 2}


def test_faults_are_named_with_file_and_line() -> None:
    text = TITLE + (
        "begins_at: 25\n"
        "effects:\n"
        "  - {effect: air.episode, station: air.nowhere, add_ug_m3: much}\n"
        "  - {effect: earthquake}\n"
        "  - effect: border.queue\n"
        "    gate: km3-4\n"
        "    lorries: 5\n"
        "  - {effect: wire.fault, feed: vessels, kind: drift, field: sog}\n"
        "  - {effect: air.silent, station: air.hong-gai, at: soon}\n"
    )
    with pytest.raises(ConfigurationError) as refused:
        read_scenario(text, "mine.yaml")
    found = sorted(fault.partition(": ")[0] for fault in refused.value.faults)
    assert found == sorted(
        ["mine.yaml:2", "mine.yaml:4", "mine.yaml:4", "mine.yaml:5", "mine.yaml:6", "mine.yaml:6", "mine.yaml:9",
         "mine.yaml:9", "mine.yaml:10"]
    )  # fmt: skip


def test_text_that_is_no_yaml_is_named_with_its_line() -> None:
    with pytest.raises(ConfigurationError, match=r"mine\.yaml:3: "):
        read_scenario(TITLE + "effects: [\n}", "mine.yaml")


def test_a_scenario_that_does_not_exist_says_which_ones_do() -> None:
    with pytest.raises(ConfigurationError, match="demo-day"):
        load_scenario("doomsday")


def test_a_scenario_of_ones_own_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(TITLE + "effects:\n  - {effect: air.silent, station: air.hong-gai, at: 1}\n", encoding="utf-8")
    assert load_scenario(str(path)).effects[0].at == timedelta(minutes=1)


def test_a_silent_boat_is_chosen_by_area_and_heard_no_more() -> None:
    text = TITLE + (
        'begins_at: "09:30"\neffects:\n  - {effect: vessels.silent, at: 2, lasts: 60, area: ha-long-bay, count: 3}\n'
    )
    quiet, all_speak = (
        City(scenario, start_at=EVENING)
        for scenario in (read_scenario(text, "mine.yaml"), read_scenario(TITLE + 'begins_at: "09:30"\n', "mine.yaml"))
    )
    heard = []
    for city in (quiet, all_speak):
        feed = fresh_feed("vessels")
        late = Counter[str]()
        for message in city.messages(EVENING + timedelta(minutes=6)):
            if message.feed_id == "vessels":
                for event in feed.parse(message.payload, received_at=message.at, form=Form.NMEA).events:
                    late[event.asset_id] += message.at > EVENING + timedelta(minutes=2)
        heard.append({asset_id for asset_id, count in late.items() if count})
    assert len(heard[1] - heard[0]) == 3


def test_an_effect_grows_holds_and_fades() -> None:
    minute = timedelta(minutes=1)
    effect = Effect(name="x", at=10 * minute, lasts=20 * minute, ramp=5 * minute)
    strengths = [effect.strength(at * minute) for at in (9, 10, 12.5, 15, 20, 27.5, 30)]
    assert strengths == [0.0, 0.0, 0.5, 1.0, 1.0, 0.5, 0.0]
