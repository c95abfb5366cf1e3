"""Papers of every trip, people at the gates, and what may go wrong with them, as their feeds read them."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta

import pytest

from ioc.domain.events import Event
from ioc.domain.kinds import EgateCount, PassengerCount, VesselArrival, VesselDeparture, VesselManifest, VesselSos
from simulators.city import City, Stamps
from simulators.scenario import Scenario, list_scenarios, load_scenario, read_scenario
from tests.support.feeds import fresh_feed

MORNING = datetime(2026, 11, 23, 0, 30, tzinfo=UTC)


def heard(scenario: Scenario, feed_id: str, minutes: float, source: str | None = None) -> list[Event]:
    """What a feed makes of its part of the city: nothing may be refused."""
    city = City(scenario, start_at=MORNING, stamps=Stamps.WORLD)
    until = MORNING + timedelta(minutes=minutes)
    sources = city.sources[source or feed_id]
    feed, events = fresh_feed(feed_id), []
    for message in [*sources.beginning(), *sources.run_until(until)]:
        if message.feed_id == feed_id:
            parsed = feed.parse(message.payload, received_at=max(message.at, MORNING))
            assert not parsed.rejected, parsed.rejected
            events += parsed.events
    return events


@pytest.fixture(scope="module")
def papers() -> list[Event]:
    return heard(load_scenario("normal-day"), "ports", 45, "vessels")


def test_every_departure_has_its_list_with_the_people_who_are_on_board(papers: list[Event]) -> None:
    departures = {event.data.trip: event for event in papers if isinstance(event.data, VesselDeparture)}
    lists = {event.data.trip: event for event in papers if isinstance(event.data, VesselManifest)}
    assert len(departures) > 30
    assert lists.keys() == departures.keys()
    for trip, left in departures.items():
        assert lists[trip].data.pax_count == left.data.pax_count
        assert lists[trip].observed_at < left.observed_at
        assert lists[trip].asset_id == left.asset_id


def test_boats_that_arrive_are_those_that_left(papers: list[Event]) -> None:
    trips = defaultdict(list)
    for event in papers:
        if isinstance(event.data, VesselDeparture | VesselArrival):
            trips[event.data.trip].append(type(event.data))
    assert Counter(map(len, trips.values()))[2] > 3
    assert all(kinds in ([VesselDeparture], [VesselDeparture, VesselArrival]) for kinds in trips.values())


def test_a_trip_has_about_as_many_people_as_in_the_bay(papers: list[Event]) -> None:
    people = [event.data.pax_count for event in papers if isinstance(event.data, VesselDeparture)]
    assert 20 < sum(people) / len(people) < 60


def scenario_of(effect: str) -> Scenario:
    text = f"title: {{vi: a, en: b}}\nbegins_at: '07:30'\neffects:\n  - {effect}\n"
    return read_scenario(text, "mine.yaml")


def test_lists_may_be_missing_or_have_another_number() -> None:
    missing = heard(scenario_of("{effect: ports.no_manifest, at: 0, lasts: 60, share: 1}"), "ports", 20, "vessels")
    later = [event for event in missing if event.observed_at > MORNING]
    assert any(isinstance(event.data, VesselDeparture) for event in later)
    assert not any(isinstance(event.data, VesselManifest) for event in later)
    wrong = heard(scenario_of("{effect: ports.mismatch, at: 0, lasts: 60, share: 1}"), "ports", 20, "vessels")
    counts = defaultdict(dict)
    for event in wrong:
        if event.received_at > MORNING and isinstance(event.data, VesselDeparture | VesselManifest):
            counts[event.data.trip][type(event.data)] = event.data.pax_count
    whole = [item for item in counts.values() if len(item) == 2]
    assert whole
    assert all(item[VesselDeparture] != item[VesselManifest] for item in whole)


def test_a_boat_in_distress_calls_from_where_it_is_with_those_on_board() -> None:
    effect = "{effect: vessels.sos, at: 2, lasts: 1, vessel: 3, cause: engine-failure}"
    (call,) = [
        event for event in heard(scenario_of(effect), "ports", 5, "vessels") if isinstance(event.data, VesselSos)
    ]
    assert (call.asset_id, call.data.status, call.data.cause) == ("vessel.574000003", "active", "engine-failure")
    assert call.lon_deg is not None


def surge_at(minute: int) -> Scenario:
    return scenario_of(f"{{effect: passengers.surge, at: {minute}, lasts: 200, gate: bac-luan-1, times: 2}}")


def test_a_day_has_as_many_passengers_as_the_gates_count() -> None:
    events = heard(surge_at(2_000), "passengers", 1_440)
    people = sum(e.data.in_count + e.data.out_count for e in events if isinstance(e.data, PassengerCount))
    assert 11_500 < people < 18_500
    assert any(isinstance(event.data, EgateCount) and event.data.seconds_p50 for event in events)


def test_a_surge_doubles_the_people_of_its_gate_only() -> None:
    calm = heard(surge_at(900), "passengers", 120)
    surge = heard(surge_at(0), "passengers", 120)

    def people(events: list[Event], gate: str) -> int:
        counts = [e.data for e in events if isinstance(e.data, PassengerCount) and e.asset_id == f"gate.{gate}"]
        return sum(count.in_count + count.out_count for count in counts)

    assert 1.7 < people(surge, "bac-luan-1") / people(calm, "bac-luan-1") < 2.3
    assert 0.7 < people(surge, "bac-luan-2") / people(calm, "bac-luan-2") < 1.3


def test_the_new_scenarios_are_among_those_that_ship() -> None:
    assert {"cyber-incident", "busy-border"} <= set(list_scenarios())
    assert load_scenario("cyber-incident").title_en == "A cyber incident"
