"""Lanes, gates, tickets, stays and ratings of the pretend province, as their feeds read them."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta

from ioc.domain.events import Event
from ioc.domain.kinds import Feedback, GateStatus, LaneStatus, Stay, TicketSale, TruckStep
from ioc.indicators.flows import CLEARANCES, Clearance
from simulators.city import City, Stamps
from simulators.feeds.border_lanes import LANES, GateDesk
from simulators.province import World
from simulators.scenario import Scenario, load_scenario, read_scenario
from tests.support.feeds import fresh_feed

MORNING = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
NIGHT = datetime(2026, 11, 22, 19, 0, tzinfo=UTC)
CLOSED = """
title: {vi: "Đóng làn", en: "Closed"}
effects:
  - {effect: border.lane_closed, at: 5, lasts: 30, gate: bac-luan-2, lane: "2"}
  - {effect: border.gate_closed, at: 10, lasts: 30, gate: km3-4, reason: works}
"""


def heard(scenario: Scenario, feed_id: str, minutes: float, start: datetime = MORNING) -> list[Event]:
    city = City(scenario, start_at=start, stamps=Stamps.WORLD)
    source = city.sources[feed_id]
    feed, events = fresh_feed(feed_id), []
    for message in [*source.beginning(), *source.run_until(start + timedelta(minutes=minutes))]:
        parsed = feed.parse(message.payload, received_at=max(message.at, start))
        assert not parsed.rejected, parsed.rejected
        events += parsed.events
    return events


def test_lanes_are_open_by_day_and_closed_outside_their_published_hours() -> None:
    for start, wanted in ((MORNING, "open"), (NIGHT, "closed")):
        events = heard(load_scenario("normal-day"), "border", 20, start)
        lanes = [event.data for event in events if isinstance(event.data, LaneStatus) and event.data.opens_at]
        assert lanes
        assert {lane.status for lane in lanes} == {wanted}
        for event in events:
            if isinstance(event.data, LaneStatus | GateStatus) and event.data.opens_at:
                is_within = event.data.opens_at <= event.observed_at < event.data.closes_at
                assert is_within is (event.data.status == "open")


def test_a_scenario_closes_a_lane_and_a_gate_with_all_of_its_lanes() -> None:
    events = heard(read_scenario(CLOSED, "closed.yaml"), "border", 25)
    closed = defaultdict(list)
    for event in events:
        if isinstance(event.data, LaneStatus | GateStatus) and event.data.opens_at and event.data.status == "closed":
            closed[event.asset_id].append(event)
    gate = {f"lane.km3-4.{lane.number}" for lane in LANES["km3-4"] if not lane.is_reserve}
    assert closed.keys() == {"lane.bac-luan-2.2", "gate.km3-4", *gate}
    assert {event.data.reason for event in closed["gate.km3-4"]} == {"works"}


def test_a_reserve_lane_opens_when_many_wait_and_closes_when_few_do() -> None:
    world = World(load_scenario("normal-day"), MORNING, 7, 1.0, lambda at: at)
    desk = GateDesk(world, "bac-luan-2")
    told = []
    for minute, waiting in enumerate((5, 30, 15, 5)):
        records = desk.report(MORNING + timedelta(minutes=minute), waiting)
        told += [record["status"] for record in records if record.get("lane") == "3"]
    assert told == ["closed", "open", "closed"]


def test_clearance_is_known_from_the_first_minute_and_nobody_crossed_twice() -> None:
    events = heard(load_scenario("normal-day"), "border", 0)
    steps = Counter((event.asset_id, event.data.step) for event in events if isinstance(event.data, TruckStep))
    assert max(steps.values()) == 1
    (definition, share), _ = CLEARANCES
    indicator = Clearance(definition, share)
    for event in events:
        indicator.take(event)
    hours = indicator.figure(MORNING).value
    assert hours is not None
    assert 1 < hours < 10


def test_visitors_buy_stay_and_rate_by_day_and_stay_by_night() -> None:
    kinds = {}
    for start in (MORNING, NIGHT):
        events = heard(load_scenario("normal-day"), "tourism", 130, start)
        kinds[start] = defaultdict(list)
        for event in events:
            kinds[start][type(event.data)].append(event)
    day, night = kinds[MORNING], kinds[NIGHT]
    assert not night[TicketSale]
    assert not night[Feedback]
    assert {event.data.group for event in day[TicketSale]} == {"domestic", "international"}
    sold = sum(event.data.tickets_count for event in day[TicketSale])
    assert 5_000 < sold < 40_000, "two hours before noon of 69,000 visitors a day"
    assert day[Feedback]
    assert {event.data.category for event in day[Feedback]} > {"cleanliness", "service"}
    guests = defaultdict(int)
    for event in night[Stay]:
        guests[event.observed_at.replace(second=0), event.data.group] += event.data.guests_count
        assert 0 <= event.data.rooms_taken_pct <= 100
    assert 10_000 < sum(guests.values()) / len({minute for minute, _ in guests}) < 40_000


def test_what_a_visitor_wrote_and_who_wrote_it_is_sent_and_not_kept() -> None:
    city = City(load_scenario("normal-day"), start_at=MORNING, stamps=Stamps.WORLD)
    messages = [item.payload.decode() for item in city.sources["tourism"].run_until(MORNING + timedelta(hours=2))]
    ratings = [message for message in messages if '"feedback"' in message]
    assert all("Khách số" in rating for rating in ratings)
    feed = fresh_feed("tourism")
    for rating in ratings:
        (event,) = feed.parse(rating.encode(), received_at=MORNING + timedelta(hours=2)).events
        assert "Khách" not in repr(event)
        assert "F-2026" not in repr(event)
