"""The engine alone: events a second on one core with the shipped rules, and on the province's own mix with its signals.

Rates are by process time, since whatever else runs on the machine takes wall time from it; those by the wall's clock
stand beside. Each is compared with the same engine that is given one event at a time, which is what batches save, and
with the decoding of the same events, which every reader of the log pays.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from alerts.backtest.trial import Run
from alerts.rulebook.book import Rulebook
from alerts.world import World
from ioc.bootstrap.knowledge import load_world
from ioc.domain.events import Event
from ioc.domain.ids import event_id
from ioc.domain.kinds import (
    AirReading,
    BorderQueue,
    CameraEvent,
    CameraStatus,
    CaseStep,
    CitizenReport,
    Crowd,
    DatabaseCalls,
    Directive,
    Feeder,
    GateCount,
    LightStatus,
    NetLink,
    Outage,
    PassengerCount,
    Payload,
    PlateRead,
    Rain,
    Tide,
    TrafficFlow,
    TruckStep,
    VesselPosition,
    WaterLevel,
    WeatherObservation,
)
from ioc.messaging.codec import decode_block, encode_block
from ioc.ports import Topic

RUNS = 3
BATCH = 4_000
BATCHES = 10
SINGLE = 1_000
"""Events that are given one at a time, in the last batches: windows are no emptier then than for the others."""
MIX_BATCHES, MIX_SECONDS = 20, 4
START = datetime(2026, 11, 23, 2, tzinfo=UTC)


class Rates(NamedTuple):
    """Events a second by process time and by the wall's clock, of batches and of single events."""

    by_process: float
    by_wall: float
    single: float


def measure() -> list[dict[str, Any]]:
    """Measure quiet kinds, each alone, and the province's mix."""
    rulebook, world = Rulebook.load([Path(str(resources.files("alerts").joinpath("rules")))]), load_world()
    results = []
    for name, make, count in (
        ("quiet crowds and queues", _quiet, BATCHES),
        ("vessels under way", _vessels, BATCHES),
        ("air stations", _air, BATCHES),
        ("the province's mix", _mix, MIX_BATCHES),
    ):
        batches = [make(number) for number in range(count)]
        runs = [_run(rulebook, world, batches) for _ in range(RUNS)]
        rates = Rates(*(statistics.median(values) for values in zip(*runs, strict=True)))
        decoding = statistics.median(_decode(batches) for _ in range(RUNS))
        title = f"engine, {len(rulebook.rules)} rules: {name}"
        results += [
            {
                "name": title, "value": rates.by_process, "unit": "events/s of a core",
                "beside": "one event at a time", "ratio": rates.by_process / rates.single,
            },
            {
                "name": f"{title}, by the clock", "value": rates.by_wall, "unit": "events/s",
                "beside": "decoding the same events", "ratio": rates.by_wall / decoding,
            },
        ]  # fmt: skip
    return results


def _run(rulebook: Rulebook, world: World, batches: Sequence[Sequence[Event]]) -> Rates:
    """Run as a backtest does: events, the signals that come of them, and timers."""
    run = Run(rulebook, world)
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    for batch in batches:
        run.take(batch)
    wall_s, cpu_s, count = time.perf_counter() - began_s, time.process_time() - began_cpu_s, sum(map(len, batches))
    run, last = Run(rulebook, world), [event for batch in batches for event in batch][-SINGLE:]
    began_s = time.process_time()
    for event in last:
        run.take([event])
    return Rates(count / cpu_s, count / wall_s, len(last) / (time.process_time() - began_s))


def _decode(batches: Sequence[Sequence[Event]]) -> float:
    blocks = [bytes(encode_block(list(batch))) for batch in batches]
    began_s = time.perf_counter()
    for block in blocks:
        decode_block(Topic.EVENTS, block, first_offset=0)
    return sum(map(len, batches)) / (time.perf_counter() - began_s)


def _event(asset_id: str, data: Payload, at: datetime, **place: Any) -> Event:
    return Event(
        event_id=event_id("bench", asset_id, at, data.KIND), feed_id="bench", asset_id=asset_id, observed_at=at,
        received_at=at + timedelta(seconds=1), data=data, **place,
    )  # type: ignore[arg-type]  # fmt: skip


def _quiet(number: int) -> list[Event]:
    at = START + timedelta(seconds=10 * number)
    kinds: Sequence[Payload] = (
        Crowd(density_p_m2=0.4, people_count=400), BorderQueue(vehicles_count=20, perishable_oldest_min=30.0),
        WeatherObservation(wind_m_s=3.0, gust_m_s=5.0),
    )  # fmt: skip
    return [_event(f"thing.{place}", kinds[place % 3], at) for place in range(BATCH)]


def _vessels(number: int) -> list[Event]:
    at = START + timedelta(seconds=10 * number)
    return [_vessel(place, number, at) for place in range(BATCH)]


def _vessel(place: int, number: int, at: datetime) -> Event:
    return _event(
        f"vessel.{place}", VesselPosition(sog_kn=8.0, cog_deg=90.0), at,
        lon_deg=106.9 + 0.0002 * (place % BATCH), lat_deg=20.8 + 0.0001 * (place % BATCH + number),
    )  # fmt: skip


def _air(number: int) -> list[Event]:
    at = START + timedelta(seconds=60 * number)
    return [
        _event(f"air.{place}", AirReading(pm25_ug_m3=30.0, pm10_ug_m3=50.0, o3_ug_m3=60.0), at)
        for place in range(BATCH)
    ]


def _crowd(n: int) -> Crowd:
    return Crowd(density_p_m2=0.4 + n % 7 / 10, people_count=400 + n % 90, capacity_count=900)


def _truck(n: int) -> TruckStep:
    return TruckStep(step=("scan", "cross")[n // 2_000 % 2], gate="km3-4", direction="export")


def _case(at: datetime) -> CaseStep:
    return CaseStep(procedure="1.1", status="processing", filed_at=START, due_at=at + timedelta(days=9))


def _directive(at: datetime) -> Directive:
    return Directive(owner="dept", status="open", due_on=at.date() + timedelta(days=30))


Make = Callable[[int, datetime], Payload]
SHARES: Sequence[tuple[str, int, int, Make]] = (
    ("camera", 540, 900, lambda n, at: CameraEvent(label="person", confidence_pct=80.0, objects_count=n % 9)),
    ("camera", 60, 900, lambda n, at: CameraStatus(status="ok", frames_per_s=25.0)),
    ("road", 100, 1_000, lambda n, at: TrafficFlow(vehicles_count=n % 40, speed_km_h=42.0)),
    ("gantry", 100, 400, lambda n, at: PlateRead(plate_hash=f"{n:016x}")),
    ("feeder", 60, 600, lambda n, at: Feeder(power_kw=900.0 + n % 90)),
    ("light", 39, 2_000, lambda n, at: LightStatus(lamps_on_count=90 + n % 9, lamps_count=100)),
    ("unit", 1, 54, lambda n, at: Outage(customers_off_count=n % 40, customers_count=12_000)),
    ("site", 60, 300, lambda n, at: GateCount(in_count=n % 30)),
    ("site", 20, 300, lambda n, at: _crowd(n)),
    ("truck", 18, 2_000, lambda n, at: _truck(n)),
    ("gate", 2, 6, lambda n, at: BorderQueue(vehicles_count=20 + n % 90, perishable_oldest_min=30.0)),
    ("gate", 50, 200, lambda n, at: PassengerCount(in_count=n % 9, out_count=n % 7)),
    ("case", 60, 9_000, lambda n, at: _case(at)),
    ("report", 10, 900, lambda n, at: CitizenReport(category="road", status="open")),
    ("link", 30, 60, lambda n, at: NetLink(status="up")),
    ("ndb", 20, 14, lambda n, at: DatabaseCalls(calls_count=30 + n % 9, errors_count=n % 50 == 0)),
    ("directive", 100, 4_700, lambda n, at: _directive(at)),
    ("rain", 3, 180, lambda n, at: Rain(rain_mm=0.2 * (n % 3))),
    ("water", 5, 300, lambda n, at: WaterLevel(level_m=2.0 + n % 11 / 100)),
    ("tide", 2, 120, lambda n, at: Tide(level_m=2.0 + n % 11 / 100, predicted_m=2.0)),
)  # fmt: skip
"""Of the feeds of domain.md at ten times today's peaks: asset class, events a second, assets, what they say."""
VESSELS_PER_S, VESSELS = 500, 5_000
AIR_PER_S, AIR_STATIONS = 30, 1_800
MET_PER_S, MET_STATIONS = 10, 600


def _mix(number: int) -> list[Event]:
    """Give some seconds of the province: each asset in its turn, all of a second in the order of their arrival."""
    events = []
    for second in range(number * MIX_SECONDS, (number + 1) * MIX_SECONDS):
        at = START + timedelta(seconds=second)
        made = [
            (turn / per_s, f"{name}.{n % assets}", make(n, at), {})
            for name, per_s, assets, make in SHARES
            for turn, n in enumerate(range(second * per_s, (second + 1) * per_s))
        ]
        for turn, n in enumerate(range(second * AIR_PER_S, (second + 1) * AIR_PER_S)):
            reading = AirReading(pm25_ug_m3=30.0 + n % 7, pm10_ug_m3=50.0 + n % 5, o3_ug_m3=60.0 + n % 3)
            made.append((turn / AIR_PER_S, f"air.{n % AIR_STATIONS}", reading, {"unit_code": f"{n % 54:05d}"}))
        for turn, n in enumerate(range(second * MET_PER_S, (second + 1) * MET_PER_S)):
            wind = WeatherObservation(wind_m_s=3.0 + n % 5, gust_m_s=5.0 + n % 5, temp_celsius=20.0 + n % 3)
            made.append(
                (
                    turn / MET_PER_S,
                    f"met.{n % MET_STATIONS}",
                    wind,
                    {"lon_deg": 107.0, "lat_deg": 20.9, "unit_code": "06685"},
                )
            )
        events += [_event(asset, data, at + timedelta(seconds=part), **place) for part, asset, data, place in made]
        events += [
            _vessel(n % VESSELS, second, at + timedelta(seconds=turn / VESSELS_PER_S))
            for turn, n in enumerate(range(second * VESSELS_PER_S, (second + 1) * VESSELS_PER_S))
        ]
    return sorted(events, key=lambda event: event.received_at)
