"""Where a backtest cuts the stream decides nothing, neither about single things nor about what several have in common.

The whole shipped rulebook looks at streams of everything, with readings that come late and again and holes in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from importlib import resources
from itertools import accumulate
from pathlib import Path

from hypothesis import event as note
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from alerts.backtest.trial import Occurrence, Trial
from alerts.rulebook.book import Rulebook
from ioc.bootstrap.knowledge import load_world
from ioc.domain.events import Event
from ioc.domain.kinds import CameraEvent, Outage
from tests.support.engine_runs import make_event
from tests.support.streams import MAKERS, START, to_stream

SHIPPED = Path(str(resources.files("alerts").joinpath("rules")))
RULES = Rulebook.load([SHIPPED])
WORLD = load_world()


def _play(rules: Rulebook, events: Sequence[Event], size: int) -> list[Occurrence]:
    trial = Trial(rules, rules, WORLD)
    for first in range(0, len(events), size):
        trial.take(events[first : first + size])
    return trial.finish()[0]


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from([1, 4, 15]), st.integers(1, 40))
def test_where_the_stream_is_cut_decides_nothing(random, step_s, size):
    names = sorted(MAKERS)
    rows = [
        (random.choice(names), random.randint(0, 900), random.choice((0, 0, 0, 1, 40)), random.randint(0, 4), 0)
        for _ in range(500)
    ]
    came = to_stream(rows, step_s)
    arrivals = accumulate([event.received_at for event in came], max)
    events = [structs.replace(event, received_at=at) for event, at in zip(came, arrivals, strict=True)]
    found = _play(RULES, events, len(events))
    assert _play(RULES, events, size) == found
    note("about several" if any(item.asset_id is None for item in found) else "about single things only")


def test_that_no_unit_reports_is_no_silence_of_the_log():
    """Cameras speak while no unit does: the province's alert ends an hour after the last report, as it did live."""
    text = (SHIPPED / "35-outage.yaml").read_text(encoding="utf-8").partition("---\n")[2].partition("tests:")[0]
    rules = Rulebook.read(text + "no_data: {policy: resolve, after: 1h}\n", "resolve.yaml")
    dark = Outage(customers_off_count=8_000, customers_count=9_000)
    reports = [
        make_event(f"unit.{unit}", dark, START + timedelta(minutes=minute))
        for minute in (0, 6, 12, 300)
        for unit in range(6)
    ]
    cameras = [
        make_event("camera.1", CameraEvent(label="person", confidence_pct=50.0), START + timedelta(minutes=minute))
        for minute in range(310)
    ]
    events = sorted([*reports, *cameras], key=lambda event: event.received_at)
    found = _play(rules, events, len(events))
    assert found == _play(rules, events, 1)
    ends = [item.ended_at for item in found if item.rule_id == "power.outage_province"]
    assert ends[0] == START + timedelta(minutes=72)
