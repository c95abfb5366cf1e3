"""A backtest that leaves out readings of which rules only ask whether they came says what it says with all of them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib import resources
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
from hypothesis import event as note
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.backtest.speech import Hearings
from alerts.backtest.trial import Occurrence, Trial
from alerts.engine.stepping import JUMP
from alerts.rulebook.book import Rulebook
from ioc.bootstrap.backtest_feed import Arrived, Feed, Silence
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
_AFTER = re.search(r"^after: .*$", _SILENT, re.MULTILINE)[0]


def _hear(rule_id: str, after: str) -> str:
    """Write a rule that hears these kinds and judges at once."""
    changed = _SILENT.replace(_AFTER, f"after: {{{after}}}").replace("rule: station.silent", f"rule: {rule_id}")
    return changed.replace("settle: 60s", "settle: 0s").replace("least: 3", "least: 99")


# One hears a kind that the other does not, or waits longer for it.
RULEBOOKS += [
    Rulebook([*Rulebook.read(_hear("feeder.silent", "energy.feeder: 3m"), "feeder.yaml").rules,
              *Rulebook.read(_hear("traffic.silent", "traffic.flow: 5m"), "traffic.yaml").rules]),
    Rulebook([*Rulebook.read(_hear("feeder.silent", "energy.feeder: 3m"), "feeder.yaml").rules,
              *Rulebook.read(_hear("any.silent", "energy.feeder: 3m, traffic.flow: 10m"), "any.yaml").rules]),
]  # fmt: skip
WORLD = load_world()
_US = timedelta(microseconds=1)

_waits = st.one_of(st.sampled_from((0, 1, 59, 60, 119, 121, 179, 180, 181, 182, 600)), *[st.integers(1, 50)] * 4)
_steps = st.tuples(_waits, st.integers(0, 4), st.sampled_from((0, 0, 0, 0, 30, 200, 4_000)), st.booleans())


def _make(steps: Sequence[tuple[int, int, int, bool]], grid_s: int = 1) -> list[Event]:
    """Make readings of five stations: seconds waited, whose it is, how late it is, and of which kind.

    With a grid of a minute many come in one instant, and silences are due in instants in which others speak.
    """
    events, elapsed_s = [], 0
    for number, (wait_s, station, late_s, is_traffic) in enumerate(steps):
        elapsed_s += wait_s
        at = START + timedelta(seconds=elapsed_s // grid_s * grid_s)
        # The last station reports two kinds; the first an air reading, which other rules look into.
        data = AirReading(pm25_ug_m3=20.0) if station == 0 else Feeder(power_kw=1.0)
        if station == 1 or (station == 4 and is_traffic):
            data = TrafficFlow(vehicles_count=1)
        asset_id, observed_at = f"station.{station}", at - timedelta(seconds=1 + late_s)
        events.append(Event(
            event_id=event_id("test", asset_id, observed_at, f"{data.KIND}{number}"), feed_id="test",
            asset_id=asset_id, observed_at=observed_at, received_at=at, data=data, unit_code="06652",
        ))  # fmt: skip
    return sorted(events, key=_order_of)


def _order_of(event: Event) -> tuple[datetime, bytes]:
    return event.received_at, event.event_id


def _hearings(events: Sequence[Event]) -> Hearings:
    return Hearings(
        asset_ids=[event.asset_id for event in events], received_at=[event.received_at for event in events],
        observed_us=np.array([(event.observed_at - START) // _US for event in events], np.int64),
        received_us=np.array([(event.received_at - START) // _US for event in events], np.int64),
        ids=b"".join(event.event_id for event in events),
    )  # fmt: skip


class _Slice:
    """A slice as the feed takes it."""

    silences: Sequence[Silence] = ()

    def __init__(self, events: Sequence[Event]) -> None:
        self._events = events

    def __len__(self) -> int:
        return len(self._events)

    def assets_beside(self, heard: Collection[str]) -> set[str]:
        return {event.asset_id for event in self._events if event.kind not in heard}

    def hear(self, kind: str) -> Hearings:
        return _hearings([event for event in self._events if event.kind == kind])

    def to_events(self, places: Mapping[str, Sequence[int]]) -> Sequence[Event]:
        kept = [event for event in self._events if event.kind not in places]
        for kind, asked in places.items():
            mine = [event for event in self._events if event.kind == kind]
            kept += [mine[place] for place in asked]
        return sorted(kept, key=_order_of)


def _look_at_all(rulebook: Rulebook, slices: Sequence[Sequence[Event]]) -> list[Occurrence]:
    trial = Trial(rulebook, rulebook, WORLD)
    for events in slices:
        trial.take(events)
    return trial.finish()[0]


def _sift(rulebook: Rulebook, slices: Sequence[Sequence[Event]]) -> tuple[list[Occurrence], int]:
    """Play as the commands do; give also how many events were looked at."""
    trial = Trial(rulebook, rulebook, WORLD)
    taken = 0

    async def compute(work: Callable[..., int], found: Arrived) -> int:
        return work(found)

    async def read() -> AsyncGenerator[Arrived, None]:
        for events in slices:
            yield _Slice(events)

    async def play() -> None:
        # Where nothing at all came, the silence was ours.
        silences = [
            (one.received_at, other.received_at)
            for one, other in pairwise(chain.from_iterable(slices))
            if other.received_at - one.received_at > JUMP
        ]
        feed = Feed(trial, silences, compute=compute)
        assert sum([count async for count in feed.run(read())]) == sum(map(len, slices))
        if slices:
            feed.let_pass(slices[-1][-1].received_at)

    def take(events: Sequence[Event], *, over: Callable[[datetime], None] | None = None) -> None:
        nonlocal taken
        taken += len(events)
        look(events, over=over)

    look, trial.take = trial.take, take
    asyncio.run(play())
    return trial.finish()[0], taken


@settings(max_examples=150, deadline=None)
@given(
    steps=st.lists(_steps, min_size=20, max_size=200), cut=st.integers(1, 40), grid_s=st.sampled_from((1, 1, 60)),
    is_cut_between_instants=st.booleans(),
)  # fmt: skip
def test_what_is_left_out_changes_no_alert(steps, cut, grid_s, is_cut_between_instants):
    events = _make(steps, grid_s)
    slices: list[list[Event]] = []
    for event in events:
        # The store's slices end between two instants, those of files anywhere.
        may_cut = not slices or not is_cut_between_instants or slices[-1][-1].received_at < event.received_at
        if not slices or (len(slices[-1]) >= cut and may_cut):
            slices.append([])
        slices[-1].append(event)
    for rulebook in RULEBOOKS:
        sifted, taken = _sift(rulebook, slices)
        assert sifted == _look_at_all(rulebook, slices)
        note("left out" if taken < len(events) else "nothing left out")
        note("alerts" if sifted else "no alert")


def test_a_station_that_always_speaks_is_looked_at_once_a_slice():
    events = _make([(20, 2, 0, False)] * 900)
    slices = [events[place : place + 300] for place in range(0, 900, 300)]
    assert _sift(RULEBOOKS[0], slices) == ([], 4)


def test_who_speaks_again_in_the_instant_in_which_its_silence_is_due_was_silent():
    """Four of a unit: one is silent already, three fall silent in one instant, in which one of them speaks again."""
    # What comes late between them says that the silence was not ours, and nothing else.
    steps = [(0, 3, 0), (60, 1, 0), (0, 4, 0), (0, 2, 0), (120, 2, 200), (60, 2, 0), (60, 2, 0)]
    events = _make([(wait_s, station, late_s, False) for wait_s, station, late_s in steps], 60)
    found, _ = _sift(RULEBOOKS[0], [events])
    assert found == _look_at_all(RULEBOOKS[0], [events])
    assert [item.started_at - START for item in found if item.asset_id is None] == [timedelta(minutes=4)]
