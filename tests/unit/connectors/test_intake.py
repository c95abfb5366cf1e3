"""What came in one payload keeps its order where only arrivals are kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from connectors.intake import put_in_sequence
from ioc.domain.kinds import WeatherObservation
from tests.support.engine_runs import make_event

NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)
payloads = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5)), max_size=12)


@given(payloads)
def test_readings_of_one_thing_arrive_one_after_the_other(payload):
    given_events = [
        make_event(name, WeatherObservation(wind_m_s=3.0), NOW - timedelta(minutes=ago), delay_s=60.0 * ago)
        for name, ago in payload
    ]
    found = put_in_sequence(list(given_events))
    assert [event.event_id for event in found] == [event.event_id for event in given_events]
    for name in "abc":
        mine = [event for event in found if event.asset_id == name]
        assert sorted(mine, key=lambda event: event.received_at) == mine
        for one, other in pairwise(mine):
            is_same_instant = one.observed_at == other.observed_at
            assert (one.received_at == other.received_at) is is_same_instant
    assert all(event.received_at - NOW < timedelta(milliseconds=1) for event in found)


@given(st.lists(payloads.filter(bool), min_size=1, max_size=4), st.sampled_from([0, 1, 3, 20_000]))
def test_payloads_that_come_at_nearly_the_same_time_come_one_behind_the_other(found, apart_us):
    after, arrivals = None, []
    for number, payload in enumerate(found):
        came_at = NOW + number * timedelta(microseconds=apart_us)
        events = [
            msgspec.structs.replace(
                make_event(name, WeatherObservation(wind_m_s=3.0), NOW - timedelta(minutes=ago)), received_at=came_at
            )
            for name, ago in payload
        ]
        events = put_in_sequence(events, after)
        after = max(event.received_at for event in events)
        arrivals += [[event.received_at for event in events if event.asset_id == name] for name in "abc"]
    for place in range(3):
        mine = [at for some in arrivals[place::3] for at in some]
        assert mine == sorted(mine)


def test_payloads_of_one_instant_keep_it():
    event = make_event("a", WeatherObservation(wind_m_s=3.0), NOW)
    assert put_in_sequence([event], NOW) == [event]


def test_an_arrival_that_goes_far_back_stays_what_it_is():
    event = make_event("a", WeatherObservation(wind_m_s=3.0), NOW)
    assert put_in_sequence([event], NOW + timedelta(days=1)) == [event]


def test_readings_of_different_things_arrive_when_they_came():
    events = [make_event(name, WeatherObservation(wind_m_s=3.0), NOW) for name in "abc"]
    assert put_in_sequence(events) is events
