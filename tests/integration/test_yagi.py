"""The typhoon, the dark, and the back-fill after it: the expected alerts, and no stale one."""

from __future__ import annotations

import heapq
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

import pytest
import yaml

from alerts.backtest.trial import Occurrence, Run
from alerts.rulebook.book import Rulebook
from connectors.inventory import load_inventory
from connectors.registry import open_feed
from ioc.bootstrap.knowledge import load_world
from simulators.city import City, Stamps
from simulators.scenario import load_scenario
from tests.support.servers import REPOSITORY

EXPECTED = yaml.safe_load((REPOSITORY / "tests" / "golden" / "yagi.yaml").read_text(encoding="utf-8"))
BEGIN = datetime(2026, 9, 6, 22, 30, tzinfo=UTC)
MIDNIGHT = BEGIN - timedelta(hours=5, minutes=30)
END = MIDNIGHT + timedelta(hours=22, minutes=30)
FEEDS = ("weather", "water", "energy")
RULES = Rulebook.load([Path(str(resources.files("alerts").joinpath("rules")))])


def clock(text: str) -> datetime:
    hours, minutes = text.split(":")
    return MIDNIGHT + timedelta(hours=int(hours), minutes=int(minutes))


@pytest.fixture(scope="module")
def seen() -> list[Occurrence]:
    """Every alert of the day, by the rules that ship and the readings as their parsers understand them."""
    city = City(load_scenario("yagi"), start_at=BEGIN, stamps=Stamps.WORLD)
    inventory = load_inventory(None)
    feeds = {feed_id: open_feed(feed_id, stations=inventory, pseudonym_key=b"k" * 32) for feed_id in FEEDS}
    streams = [city.faults[feed_id].through(city.sources[feed_id].run_until(END)) for feed_id in FEEDS]
    run, waiting = Run(RULES, load_world()), []
    for message in heapq.merge(*streams, key=lambda message: message.at):
        if message.feed_id == "energy" and b"outage" not in message.payload:
            continue  # the loads of feeders: many, and no rule reads them
        parsed = feeds[message.feed_id].parse(message.payload, received_at=message.at)
        assert not parsed.rejected, parsed.rejected
        waiting += parsed.events
        if len(waiting) >= 1_000:
            run.take(waiting)
            waiting = []
    run.take(waiting)
    assert run.faults_count == 0, run.faults
    return run.finish()


@pytest.mark.parametrize("line", EXPECTED["fires"], ids=lambda line: f"{line['rule']} {line.get('asset', '')}".strip())
def test_what_should_fire_fires_in_its_time(seen, line):
    found = [
        item
        for item in seen
        if item.rule_id == line["rule"]
        and line.get("asset") in (None, item.asset_id)
        and line.get("severity") in (None, item.severity.value)
        and clock(line["from"]) <= item.started_at < clock(line["to"])
    ]
    assert len({item.asset_id for item in found}) >= line.get("least", 1)


def test_while_the_lines_are_down_nothing_fires(seen):
    begin, end = clock(EXPECTED["silent"]["from"]), clock(EXPECTED["silent"]["to"])
    assert [item for item in seen if begin <= item.started_at < end] == []


def test_no_alert_rests_on_a_reading_that_is_older_than_its_rule_allows(seen):
    lateness = {rule.rule_id: rule.lateness for rule in RULES.rules}
    backfilled = [item for item in seen if item.started_at >= clock("22:00")]
    assert backfilled
    assert all(item.started_at - item.observed_at <= lateness[item.rule_id] for item in seen)


@pytest.mark.parametrize("line", EXPECTED["open_at_the_end"], ids=lambda line: line["rule"])
def test_what_still_holds_after_the_back_fill_is_open(seen, line):
    found = [item for item in seen if item.rule_id == line["rule"] and item.ended_at is None]
    assert len({item.asset_id for item in found}) >= line["least"]


def test_rules_that_have_nothing_to_do_with_it_are_silent(seen):
    assert {item.rule_id for item in seen}.isdisjoint(EXPECTED["never"])
