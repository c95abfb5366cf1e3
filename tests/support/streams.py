"""Streams of everything that the shipped rules look at, and of what they do not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import strategies as st

from ioc.domain.events import Event
from ioc.domain.kinds import (
    AirReading,
    BorderQueue,
    CameraEvent,
    CaseStep,
    Crowd,
    DatabaseCalls,
    LaneStatus,
    NowcastCell,
    Observation,
    Outage,
    PassengerCount,
    Payload,
    Rain,
    Tide,
    TruckStep,
    VesselArrival,
    VesselDeparture,
    VesselManifest,
    VesselPosition,
    WaterLevel,
    WeatherObservation,
    WeatherWarning,
)
from tests.support.engine_runs import make_event

START = datetime(2026, 11, 23, 2, tzinfo=UTC)
AIR = {"lon_deg": 107.078, "lat_deg": 20.954, "unit_code": "06685"}
SEA = {"lon_deg": 107.12, "lat_deg": 20.86}
TRIP = {"trip": "T1", "port": "tuan-chau"}
BOAT = "vessel.574000001"


def _warning(at: datetime, level: int) -> WeatherWarning:
    return WeatherWarning(
        warning_key=f"W{level % 2}", hazard=("squall", "storm")[level % 2], severity="severe", zone_id="ha-long-bay",
        status="cancel" if level == 4 else "actual", onset_at=at, expires_at=at + timedelta(minutes=15),
    )  # fmt: skip


def _cell(at: datetime, level: int) -> NowcastCell:
    return NowcastCell(
        polygon_wkt="POLYGON ((107.1 20.8, 107.2 20.8, 107.2 20.9, 107.1 20.9, 107.1 20.8))", gust_m_s=25.0,
        move_dir_deg=90.0, move_m_s=float(level), valid_until=at + timedelta(minutes=10),
    )  # fmt: skip


MAKERS: dict[str, Callable[[datetime, int], Payload]] = {
    "site.bai-chay-beach": lambda at, level: Crowd(
        density_p_m2=float(level), people_count=500 * level, capacity_count=1_000
    ),
    "site.x": lambda at, level: Crowd(people_count=2_000) if level else Crowd(density_p_m2=float("inf")),
    "gate.bac-luan-2": lambda at, level: BorderQueue(vehicles_count=80 * level, perishable_oldest_min=100.0 * level),
    "lane.1": lambda at, level: LaneStatus(
        gate="bac-luan-2", status="closed" if level else "open", opens_at=START, closes_at=START + timedelta(hours=2)
    ),
    "pax.1": lambda at, level: PassengerCount(in_count=900 * level, out_count=level),
    "met.bai-chay": lambda at, level: WeatherObservation(
        wind_m_s=5.0 * level, gust_m_s=6.0 * level, visibility_m=900.0
    ),
    "met.1": lambda at, level: WeatherObservation(wind_m_s=0.5 * level, temp_celsius=20.0),
    "area.ha-long-bay": _warning,
    "cell.1": _cell,
    "air.hong-gai": lambda at, level: AirReading(
        pm25_ug_m3=90.0 * level, pm10_ug_m3=100.0 * level, so2_ug_m3=100.0 * level, temp_celsius=21.0
    ),
    "air.bai-chay": lambda at, level: AirReading(pm10_ug_m3=110.0 * level, o3_ug_m3=60.0),
    "rain.ba-che": lambda at, level: Rain(rain_mm=25.0 * level),
    "water.yen-lap": lambda at, level: WaterLevel(level_m=28.5 + 0.4 * level),
    "tide.1": lambda at, level: Tide(level_m=2.0 + 0.5 * level, predicted_m=2.0),
    "unit.06652": lambda at, level: Outage(customers_off_count=2_000 * level, customers_count=9_000),
    "unit.06653": lambda at, level: Outage(customers_off_count=level, customers_count=100),
    "ndb.1": lambda at, level: DatabaseCalls(calls_count=30, errors_count=level),
    "case.1": lambda at, level: CaseStep(
        procedure="1", status=("processing", "done")[level > 2], filed_at=START, due_at=START + timedelta(hours=1)
    ),
    "truck.1": lambda at, level: TruckStep(
        step=("arrive_yard", "scan", "cross")[level % 3], gate="km3-4", direction="export"
    ),
    BOAT: lambda at, level: VesselPosition(sog_kn=3.0 * level, cog_deg=90.0),
    "vessel.2": lambda at, level: VesselPosition(sog_kn=0.2 if level else None),
    "vessel.574000001 leaves": lambda at, level: VesselDeparture(pax_count=level, **TRIP),
    "vessel.574000001 lists": lambda at, level: VesselManifest(pax_count=2, **TRIP),
    "vessel.574000001 arrives": lambda at, level: VesselArrival(**TRIP),
    "camera.1": lambda at, level: CameraEvent(label="person", confidence_pct=50.0),
    "obs.1": lambda at, level: Observation(quantity=f"q{level}", value=float(level)),
}
PLACES = {"air": AIR, "met": AIR, "rain": AIR, "water": AIR, "vessel": SEA, "cell": SEA}

STREAMS = st.lists(
    st.tuples(
        st.sampled_from(sorted(MAKERS)),
        st.integers(0, 900),
        st.sampled_from([0, 0, 0, 1, 40, 1_200, 8_000]),
        st.integers(0, 4),
        st.sampled_from([0, 0, 0, 0, 1, 3]),
    ),
    min_size=1,
    max_size=80,
)


def to_stream(rows: Sequence[tuple[str, int, int, int, int]], step_s: int) -> list[Event]:
    """Make a stream in the order of arrival; some readings come twice, and neighbours may have changed places."""
    events: list[Event] = []
    for who, tick, delay_s, level, quality in rows:
        at, asset_id = START + timedelta(seconds=step_s * tick), who.partition(" ")[0]
        place = dict(PLACES.get(asset_id.partition(".")[0], {}))
        if asset_id == BOAT:
            place["lon_deg"] += 0.01 * level
        event = make_event(asset_id, MAKERS[who](at, level), at, delay_s=delay_s, **place)
        events.append(msgspec.structs.replace(event, quality=quality))
        if level == 3:
            events.append(msgspec.structs.replace(event, received_at=event.received_at + timedelta(seconds=tick % 90)))
    events.sort(key=lambda event: event.received_at)
    for place in range(2, len(events), 7):
        events[place - 1], events[place] = events[place], events[place - 1]
    return events
