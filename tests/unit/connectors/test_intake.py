"""What came in one payload keeps its order where only arrivals are kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

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


def test_readings_of_different_things_arrive_when_they_came():
    events = [make_event(name, WeatherObservation(wind_m_s=3.0), NOW) for name in "abc"]
    assert put_in_sequence(events) is events
