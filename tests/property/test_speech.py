"""A backtest that leaves out readings of which rules only ask whether they came says what it says with all of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib import resources
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
from hypothesis import event as note
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.backtest.speech import Hearings, Listener
from alerts.backtest.trial import Trial
from alerts.engine.stepping import JUMP
from alerts.rulebook.book import Rulebook
from ioc.bootstrap.backtest_feed import Feed
from ioc.bootstrap.knowledge import load_world
from ioc.domain.events import Event
from ioc.domain.ids import event_id
from ioc.domain.kinds import AirReading, Feeder, TrafficFlow

START = datetime(2026, 11, 23, 2, tzinfo=UTC)
_SHIPPED = Path(str(resources.files("alerts").joinpath("rules")))
_SILENT = (_SHIPPED / "09-station-silent.yaml").read_text(encoding="utf-8").partition("tests:")[0]
RULEBOOKS = [
    Rulebook.load([_SHIPPED / "09-station-silent.yaml"]),
    Rulebook.load([_SHIPPED / "09-station-silent.yaml", _SHIPPED / "04-pm25-day.yaml"]),
    # Judged at once, so that the shortest silence makes an alert.
    Rulebook.read(_SILENT.replace("settle: 60s", "settle: 0s").replace("least: 3", "least: 99"), "at-once.yaml"),
]
WORLD = load_world()
_US = timedelta(microseconds=1)

_waits = st.one_of(st.sampled_from((0, 1, 59, 60, 119, 121, 179, 180, 181, 182, 600)), *[st.integers(1, 50)] * 4)
_steps = st.tuples(_waits, st.integers(0, 4), st.sampled_from((0, 0, 0, 0, 30, 200, 4_000)), st.booleans())


def _make(steps: Sequence[tuple[int, int, int, bool]]) -> list[Event]:
    """Make readings of five stations: seconds waited, whose it is, how late it is, and of which kind."""
    events, at = [], START
    for number, (wait_s, station, late_s, is_traffic) in enumerate(steps):
        at += timedelta(seconds=wait_s)
        # The last station reports two kinds; the first an air reading, which other rules look into.
        data = AirReading(pm25_ug_m3=20.0) if station == 0 else Feeder(power_kw=1.0)
        if station == 1 or (station == 4 and is_traffic):
            data = TrafficFlow(vehicles_count=1)
        asset_id, observed_at = f"station.{station}", at - timedelta(seconds=1 + late_s)
        events.append(Event(
            event_id=event_id("test", asset_id, observed_at, f"{data.KIND}{number}"), feed_id="test",
            asset_id=asset_id, observed_at=observed_at, received_at=at, data=data, unit_code="06652",
        ))  # fmt: skip
    return sorted(events, key=lambda event: (event.received_at, event.event_id))


def _hearings(events: Sequence[Event]) -> Hearings:
    return Hearings(
        asset_ids=[event.asset_id for event in events], received_at=[event.received_at for event in events],
        observed_us=np.array([(event.observed_at - START) // _US for event in events], np.int64),
        received_us=np.array([(event.received_at - START) // _US for event in events], np.int64),
        ids=b"".join(event.event_id for event in events),
    )  # fmt: skip


def _play(rulebook: Rulebook, slices: Sequence[Sequence[Event]], *, is_sifted: bool) -> tuple[list[object], int]:
    trial = Trial(rulebook, rulebook, WORLD)
    listeners = {kind: Listener(silence) for kind, silence in trial.heard_kinds().items()}
    ours = [
        (one.received_at, other.received_at)
        for one, other in pairwise(chain.from_iterable(slices))
        if other.received_at - one.received_at > JUMP
    ]
    # As the command does: where nothing at all came, the silence was ours.
    feed, taken = Feed(trial, ours), 0
    for events in slices:
        kept, speaking = [event for event in events if event.kind not in listeners or not is_sifted], {}
        for kind, listener in listeners.items() if is_sifted else ():
            mine = [event for event in events if event.kind == kind]
            heard = listener.listen(_hearings(mine))
            kept += [mine[place] for place in heard.places]
            for asset_id, stretches in heard.stretches.items():
                speaking.setdefault(asset_id, []).extend(stretches)
        kept.sort(key=lambda event: (event.received_at, event.event_id))
        taken += len(kept)
        trial.assure(speaking)
        for event in kept:
            feed.let_pass(event.received_at)
            trial.take([event])
        if events:
            feed.let_pass(events[-1].received_at)
    return list(trial.finish()[0]), taken


@settings(max_examples=150, deadline=None)
@given(steps=st.lists(_steps, min_size=20, max_size=200), cut=st.integers(1, 40))
def test_what_is_left_out_changes_no_alert(steps, cut):
    events = _make(steps)
    slices: list[list[Event]] = []
    for event in events:
        # A slice ends between two instants, as the store's do.
        if not slices or (len(slices[-1]) >= cut and slices[-1][-1].received_at < event.received_at):
            slices.append([])
        slices[-1].append(event)
    for rulebook in RULEBOOKS:
        looked_at_all, count = _play(rulebook, slices, is_sifted=False)
        sifted, taken = _play(rulebook, slices, is_sifted=True)
        assert sifted == looked_at_all
        note("left out" if taken < count else "nothing left out")
        note("alerts" if sifted else "no alert")


def test_a_station_that_always_speaks_is_looked_at_once_a_slice():
    events = _make([(20, 2, 0, False)] * 900)
    slices = [events[place : place + 300] for place in range(0, 900, 300)]
    assert _play(RULEBOOKS[0], slices, is_sifted=True) == ([], 4)
