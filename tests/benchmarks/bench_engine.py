"""The engine alone: events a second on one core with the shipped rules, quiet and with alerts coming and going."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

from alerts.engine import Engine
from alerts.rulebook import Rulebook
from ioc.bootstrap.knowledge import load_world
from ioc.domain.events import Event
from ioc.domain.ids import event_id
from ioc.domain.kinds import AirReading, BorderQueue, Crowd, Payload, VesselPosition, WeatherObservation
from ioc.messaging.codec import decode_block, encode_block
from ioc.ports import Topic

RUNS = 5
BATCH = 4_000
BATCHES = 10
START = datetime(2026, 11, 23, 2, tzinfo=UTC)


def measure() -> list[dict[str, Any]]:
    """Measure the engine beside the decoding of the same events, which every reader of the log pays."""
    rulebook = Rulebook.load([Path(str(resources.files("alerts").joinpath("rules")))])
    results = []
    for name, make in (("quiet crowds and queues", _quiet), ("vessels under way", _vessels), ("air stations", _air)):
        batches = [make(number) for number in range(BATCHES)]
        rate = statistics.median(_run(rulebook, batches) for _ in range(RUNS))
        decoding = statistics.median(_decode(batches) for _ in range(RUNS))
        results.append(
            {
                "name": f"engine, {len(rulebook.rules)} rules: {name}", "value": rate, "unit": "events/s",
                "beside": "decoding the same events", "ratio": rate / decoding,
            }
        )  # fmt: skip
    return results


def _run(rulebook: Rulebook, batches: Sequence[Sequence[Event]]) -> float:
    engine = Engine(rulebook, load_world())
    began = time.perf_counter()
    for batch in batches:
        engine.step("events", batch)
    return sum(map(len, batches)) / (time.perf_counter() - began)


def _decode(batches: Sequence[Sequence[Event]]) -> float:
    blocks = [bytes(encode_block(list(batch))) for batch in batches]
    began = time.perf_counter()
    for block in blocks:
        decode_block(Topic.EVENTS, block, first_offset=0)
    return sum(map(len, batches)) / (time.perf_counter() - began)


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
    return [
        _event(
            f"vessel.{place}", VesselPosition(sog_kn=8.0, cog_deg=90.0), at,
            lon_deg=106.9 + 0.0002 * place, lat_deg=20.8 + 0.0001 * (place + number),
        )
        for place in range(BATCH)
    ]  # fmt: skip


def _air(number: int) -> list[Event]:
    at = START + timedelta(seconds=60 * number)
    return [
        _event(f"air.{place}", AirReading(pm25_ug_m3=30.0, pm10_ug_m3=50.0, o3_ug_m3=60.0), at)
        for place in range(BATCH)
    ]
