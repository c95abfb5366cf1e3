"""A batch gives what its items give one at a time: the same changes, signals, faults and kept state.

The whole shipped rulebook looks at streams of everything, with readings that come late, again and out of order, with
holes in between, and of kinds that no rule looks at.
"""

from __future__ import annotations

from datetime import timedelta
from importlib import resources
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.engine.stepping import Engine, Step
from alerts.rulebook.book import Rulebook
from ioc.bootstrap.knowledge import load_world
from ioc.domain.kinds import WeatherObservation
from tests.support.engine_runs import make_event
from tests.support.streams import AIR, MAKERS, START, STREAMS, to_stream

RULES = Rulebook.load([Path(str(resources.files("alerts").joinpath("rules")))])
ENGINE = Engine(RULES, load_world())
"""One for all plays, since formulas take long to compile; each play forgets what it was told."""
EVENTS, SIGNALS = "events", "signals"


def _play(events, size):
    events_whole, signals_whole = Step(), Step()
    for first in range(0, len(events), size):
        events_whole = events_whole.merge(ENGINE.step(EVENTS, events[first : first + size]))
    signals = events_whole.signals
    for first in range(0, len(signals), size):
        signals_whole = signals_whole.merge(ENGINE.step(SIGNALS, signals[first : first + size]))
    ENGINE.forget(EVENTS)
    ENGINE.forget(SIGNALS)
    return events_whole, signals_whole


@settings(max_examples=80, deadline=None)
@given(STREAMS, st.sampled_from([1, 4, 15]), st.integers(2, 80))
def test_batches_of_any_size_give_what_single_items_give(rows, step_s, size):
    events = to_stream(rows, step_s)
    assert _play(events, size) == _play(events, 1)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 400), min_size=1, max_size=40), st.integers(2, 40))
def test_what_no_rule_looks_at_moves_time_on_as_it_does_alone(gaps_s, size):
    """A silence of two minutes is one only where nothing at all arrived."""
    at, events = START, [make_event("met.1", WeatherObservation(wind_m_s=1.0), START)]
    for number, gap_s in enumerate(gaps_s):
        at += timedelta(seconds=gap_s)
        who = ("camera.1", "air.hong-gai")[number % 5 == 4]
        events.append(make_event(who, MAKERS[who](at, 1), at, **AIR))
    assert _play(events, size) == _play(events, 1)
