"""Wherever a process is restarted, rules about sensors and meeting places say what they would have said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.rulebook import Rulebook
from ioc.bootstrap.knowledge import load_world
from ioc.domain.kinds import AirReading
from tests.support.engine_runs import make_event, run

START = datetime(2026, 11, 23, 2, tzinfo=UTC)
SHIPPED = Path(str(resources.files("alerts").joinpath("rules")))
WORLD = load_world()
PLACES = {"air.hong-gai": (107.078, 20.954), "air.bai-chay": (107.032, 20.962), "air.van-don": (107.479, 21.157)}


def _air(asset_id, minute, value, delay_s=0):
    lon_deg, lat_deg = PLACES[asset_id]
    at = START + timedelta(minutes=minute)
    reading = AirReading(pm25_ug_m3=value, pm10_ug_m3=value)
    return make_event(asset_id, reading, at, delay_s=delay_s, lon_deg=lon_deg, lat_deg=lat_deg, unit_code="06685")


def _stations(values):
    """A reading of each station every twenty minutes."""
    return [
        _air(asset_id, 20 * number + place, value)
        for number, row in enumerate(values)
        for place, (asset_id, value) in enumerate(zip(PLACES, row, strict=True))
    ]


STREAMS = {
    "07-stuck": st.lists(st.tuples(*[st.sampled_from([30.0, 30.0, 30.0, 31.0])] * 3), min_size=20, max_size=30),
    "08-spike": st.lists(st.tuples(*[st.sampled_from([30.0, 30.0, 30.0, 31.0, 500.0])] * 3), min_size=20, max_size=30),
}
MAKERS = {"07-stuck": _stations, "08-spike": _stations}


@pytest.mark.parametrize("name", STREAMS)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_a_restart_anywhere_changes_no_alert(name, data):
    rules = Rulebook.load([SHIPPED / f"{name}.yaml"])
    events = MAKERS[name](data.draw(STREAMS[name]))
    cuts = data.draw(st.frozensets(st.integers(1, len(events) - 1), max_size=8))
    assert run(rules, WORLD, events, cuts).changes == run(rules, WORLD, events).changes
