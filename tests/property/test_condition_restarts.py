"""Wherever a process is restarted, rules about sensors and meeting places say what they would have said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from alerts.rulebook.book import Rulebook
from ioc.bootstrap.knowledge import load_world
from ioc.domain.kinds import (
    AirReading,
    CaseStep,
    Outage,
    PassengerCount,
    Rain,
    TruckStep,
    VesselArrival,
    VesselDeparture,
    VesselManifest,
    VesselPosition,
    WaterLevel,
    WeatherObservation,
)
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


def _trips(rows):
    """Boats that leave with and without lists and positions on two trips each, and some that arrive."""
    events = []
    for number, (boat, what, minute, count) in enumerate(rows):
        at, asset_id = START + timedelta(minutes=minute, seconds=number), f"vessel.57400000{boat}"
        trip = {"trip": f"T{boat}-{minute % 2}", "port": "tuan-chau"}
        data = {
            "left": VesselDeparture(pax_count=count, **trip),
            "list": VesselManifest(pax_count=count, **trip),
            "seen": VesselPosition(sog_kn=float(count)),
            "back": VesselArrival(**trip),
        }[what]
        events.append(make_event(asset_id, data, at, delay_s=count % 5, lon_deg=107.0, lat_deg=20.9))
    return sorted(events, key=lambda event: event.received_at)


def _trucks(rows):
    """Trucks that come into two yards and leave them."""
    steps = [
        (minute, truck, step)
        for truck, (came, stayed) in enumerate(rows)
        for minute, step in ((came, "arrive_yard"), (came + stayed // 2, "scan"), (came + stayed, "cross"))
    ]
    return [
        make_event(
            f"truck.{truck}",
            TruckStep(step=step, gate=("bac-luan-2", "km3-4")[truck % 2], direction="export"),
            START + timedelta(minutes=minute, seconds=truck),
        )
        for minute, truck, step in sorted(steps)
    ]


def _weather(rows):
    """Dust, wind, rain, rivers and reservoirs, outages of three units, and boats that lie and drift."""
    events = []
    for number, (what, minute, level, delay_s) in enumerate(rows):
        at, place = START + timedelta(minutes=minute, seconds=number), number % 3
        asset_id, (lon_deg, lat_deg) = list(PLACES.items())[place]
        name, data = {
            "dust": (asset_id, AirReading(pm10_ug_m3=100.0 * level)),
            "wind": (f"met.{place}", WeatherObservation(wind_m_s=(1.0, 5.0, 12.0, 19.0)[level])),
            "rain": (f"rain.{place}", Rain(rain_mm=20.0 * level)),
            "crest": ("water.yen-lap", WaterLevel(level_m=28.5 + 0.4 * level)),
            "dark": (f"unit.0665{number % 5}", Outage(customers_off_count=2_000 * level, customers_count=6_000)),
            "boat": ("vessel.574000001", VesselPosition(sog_kn=0.3)),
        }[what]
        shift_deg = 0.002 * level if what == "boat" else 0.0
        there = {"lon_deg": (107.05 if what == "boat" else lon_deg) + shift_deg, "lat_deg": lat_deg}
        events.append(make_event(name, data, at, delay_s=delay_s, **there))
    return sorted(events, key=lambda event: event.received_at)


def _wet(rows):
    """Days of rain at one gauge."""
    events = [
        make_event(
            "rain.ba-che", Rain(rain_mm=float(rain_mm)), START + timedelta(hours=hour, seconds=number), delay_s=late
        )
        for number, (hour, rain_mm, late) in enumerate(rows)
    ]
    return sorted(events, key=lambda event: event.received_at)


def _passengers(rows):
    """Fifteen mornings at a gate as usual, then one with more people, late counts and repeated ones."""
    usual = [(24 * 60 * day + minute, 100, "all", 0) for day in range(15) for minute in range(60, 120, 10)]
    last = [(24 * 60 * 15 + minute, count, group, late_s) for minute, count, group, late_s in rows]
    events = [
        make_event(
            "gate.bac-luan-1", PassengerCount(in_count=count, group=group), START + timedelta(minutes=minute),
            delay_s=late_s,
        )
        for minute, count, group, late_s in [*usual, *last]
    ]  # fmt: skip
    return sorted(events, key=lambda event: event.received_at)


def _cases(rows):
    """Cases of two units that are finished in time or late, told at once, late or twice."""
    events = [
        make_event(
            f"case.{number % 30}",
            CaseStep(
                procedure="1.001", status="done", filed_at=START, due_at=START + timedelta(days=2),
                done_at=START + timedelta(hours=done_h),
            ),
            START + timedelta(hours=done_h, seconds=number), delay_s=late_s, unit_code=unit_code,
        )
        for number, (done_h, unit_code, late_s) in enumerate(rows)
    ]  # fmt: skip
    return sorted(events, key=lambda event: event.received_at)


WEATHER = st.lists(
    st.tuples(
        st.sampled_from(["dust", "wind", "rain", "crest", "dark", "boat"]),
        st.integers(0, 150),
        st.integers(0, 3),
        st.sampled_from([0, 0, 2, 400, 4_000]),
    ),
    min_size=20,
    max_size=70,
)
STREAMS = {
    "07-stuck": st.lists(st.tuples(*[st.sampled_from([30.0] * 12 + [31.0])] * 3), min_size=20, max_size=30),
    "08-spike": st.lists(st.tuples(*[st.sampled_from([30.0, 30.0, 30.0, 31.0, 500.0])] * 3), min_size=20, max_size=30),
    "26-manifest": st.lists(
        st.tuples(
            st.integers(1, 2), st.sampled_from(["left", "list", "seen", "back"]), st.integers(0, 40), st.integers(3, 5)
        ),
        min_size=3,
        max_size=25,
    ),
    "30-truck-dwell": st.lists(st.tuples(st.integers(0, 200), st.integers(300, 900)), min_size=8, max_size=20),
}
STREAMS["27-departure-unseen"] = STREAMS["26-manifest"]
WEATHERED = ("06-dust-calm", "15-reservoir", "17-coincident", "25-mooring", "35-outage")
STREAMS |= dict.fromkeys(WEATHERED, WEATHER)
STREAMS["06-dust-calm"] = st.lists(
    st.tuples(
        st.sampled_from(["dust", "dust", "wind"]),
        st.integers(0, 90),
        st.sampled_from([0, 3]),
        st.sampled_from([0, 0, 0, 2, 4_000]),
    ),
    min_size=20,
    max_size=50,
)
STREAMS["13-flash-flood"] = st.lists(
    st.tuples(st.integers(0, 80), st.integers(0, 25), st.sampled_from([0, 600])), min_size=15, max_size=40
)
STREAMS["33-passengers"] = st.lists(
    st.tuples(
        st.integers(0, 300),
        st.integers(0, 400),
        st.sampled_from(["all", "chinese", "vietnamese"]),
        st.sampled_from([0, 0, 0, 300, 5_000]),
    ),
    min_size=10,
    max_size=60,
)
STREAMS["34-cases"] = st.lists(
    st.tuples(st.integers(0, 60), st.sampled_from(["06652", "06658"]), st.sampled_from([0, 60, 200_000])),
    min_size=30,
    max_size=90,
)
MAKERS = {
    "34-cases": _cases,
    "33-passengers": _passengers,
    "07-stuck": _stations,
    "08-spike": _stations,
    "26-manifest": _trips,
    "27-departure-unseen": _trips,
    "30-truck-dwell": _trucks,
} | dict.fromkeys(WEATHERED, _weather)
MAKERS["13-flash-flood"] = _wet


@pytest.mark.parametrize("name", STREAMS)
# Without the phase that explains: it traces every line of the engine, which takes minutes.
@settings(max_examples=15, deadline=None, phases=(Phase.generate, Phase.shrink))
@given(data=st.data())
def test_a_restart_anywhere_changes_no_alert(name, data):
    rules = Rulebook.load([SHIPPED / f"{name}.yaml"])
    events = MAKERS[name](data.draw(STREAMS[name]))
    cuts = data.draw(st.frozensets(st.integers(1, len(events) - 1), max_size=8))
    assert run(rules, WORLD, events, cuts).changes == run(rules, WORLD, events).changes
