"""What was stored comes back in the order of its arrival, late or not, from the store and from the archive."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from ioc.clocks import ReplayClock
from ioc.domain.events import Event
from ioc.domain.ids import event_id
from ioc.domain.kinds import AirReading, Observation, Payload, TruckStep, UnitReport, VesselPosition
from ioc.errors import NotFoundError
from ioc.storage.archive import Archive
from ioc.storage.batches import PostgresBatchStore
from ioc.storage.migrate import migrate_database
from ioc.storage.partitions import create_partitions
from ioc.storage.pool import Database
from ioc.storage.retention import Retention, RetentionJob
from ioc.storage.stored_events import StoredEvents

NOW = datetime.now(UTC).replace(hour=15, minute=30, second=0, microsecond=0)
"""Today: TimescaleDB's own jobs go by its server's clock."""
START = NOW - timedelta(days=6)
KEEP = Retention(readings=timedelta(days=3), rollups=dict.fromkeys(Retention().rollups, timedelta(days=12)))
KINDS = ("env.air.reading", "vessel.position", "border.truck", "unit.report", "observation")


@pytest.fixture
async def plain(plain_postgres_url, fresh_database):
    async with Database(await fresh_database(plain_postgres_url, prepare=migrate_database), max_size=3) as database:
        yield database


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "archive"


def _event(number: int, data: Payload, *, late: timedelta = timedelta(0), asset: str = "") -> Event:
    received_at = START + timedelta(seconds=11 * number, microseconds=number)
    at = received_at - timedelta(seconds=1) - late
    asset_id = asset or f"asset.{number % 7}"
    return Event(
        event_id=event_id("test", asset_id, at, f"{data.KIND}{number}"), feed_id=f"feed-{number % 2}",
        asset_id=asset_id, observed_at=at, received_at=received_at, data=data,
        unit_code="06652" if number % 3 else None,
        lon_deg=107.08 if number % 2 else None, lat_deg=20.95 if number % 2 else None, quality=number % 3,
    )  # fmt: skip


def _mix(count: int, *, every: int = 1) -> list[Event]:
    """Make events of five kinds over six days; some come hours and days late."""
    random, events = Random(3), []
    for place in range(count):
        number = place * every
        late = timedelta(hours=random.choice((5, 30, 60))) if random.random() < 0.1 else timedelta(0)
        data: Sequence[Payload] = (
            AirReading(pm25_ug_m3=None if place % 4 else float(place), rh_pct=80.0),
            VesselPosition(sog_kn=place % 20 / 2, cog_deg=1.0, name="HẠ LONG 08", pax_count=48),
            TruckStep(step="weigh", gate="bac-luan-2", direction="export", lane="green", goods="fruit", mass_t=18.5),
            UnitReport(report_on=START.date(), status="received", due_at=START),
            Observation(quantity="radon_bq_m3", value=float(place)),
        )
        events.append(_event(number, data[place % 5], late=late))
    return events


async def _record(database: Database, events: Sequence[Event]) -> None:
    async def refuse(connection, changes) -> None:
        raise AssertionError("no alert changes in this test")

    async with PostgresBatchStore(database, alerts=refuse).begin("test") as transaction:
        await transaction.record(events)


async def _read(stored: StoredEvents, **asked) -> list[Event]:
    asked = {"kinds": KINDS, "start": START, "end": NOW} | asked
    found = []
    async for events in stored.read(**asked):
        assert 0 < len(events) <= asked.get("chunk", 4_000)
        found += events
    return found


def _in_order(events: Sequence[Event]) -> list[Event]:
    return sorted(events, key=lambda event: (event.received_at, event.event_id))


async def _age(database: Database, folder, clock=None) -> None:
    """Let the days past the retention go to the archive."""
    clock = clock or ReplayClock(NOW)
    await RetentionJob(database, clock, keep=KEEP, archive=Archive(database, clock, folder)).enforce()


async def test_late_and_repeated_events_of_many_kinds_come_once_in_the_order_of_arrival(database):
    events = _mix(2_000, every=5)
    await _record(database, Random(1).sample(events, len(events)))
    await _record(database, events[:500])
    stored = StoredEvents(database, slice_rows=300)
    assert await _read(stored, chunk=77) == _in_order(events)
    assert await stored.count(kinds=KINDS, start=START, end=NOW) == len(events)


async def test_a_span_of_arrival_cuts_exactly_between_two_events(database):
    events = _mix(400)
    await _record(database, events)
    start, end = events[100].received_at, events[300].received_at
    found = await _read(StoredEvents(database), start=start, end=end)
    assert found == _in_order(event for event in events if start <= event.received_at < end)
    assert len(found) == 200


async def test_kinds_and_assets_that_nobody_asked_for_stay_away(database):
    events = _mix(300)
    await _record(database, events)
    found = await _read(StoredEvents(database), kinds=KINDS[1:3], asset_ids=["asset.1", "asset.3"])
    expected = [event for event in events if event.kind in KINDS[1:3] and event.asset_id in ("asset.1", "asset.3")]
    assert found == _in_order(expected)
    assert await _read(StoredEvents(database), asset_ids=[]) == []


async def test_an_empty_store_and_an_empty_span_give_nothing(database, folder):
    for stored in (StoredEvents(database), StoredEvents(database, folder)):
        assert await _read(stored) == []
        assert await _read(stored, end=START) == []
        assert await stored.count(kinds=KINDS, start=START, end=NOW) == 0


async def test_a_kind_that_is_not_there_is_refused(plain):
    with pytest.raises(NotFoundError):
        await _read(StoredEvents(plain), kinds=["no.such.kind"])


async def test_what_went_to_the_archive_comes_as_if_it_had_stayed(database, folder):
    events = _mix(1_500, every=31)
    async with database.transaction() as connection:
        for table in ("env_air_reading", "vessel_position"):
            await create_partitions(connection, table, first_on=START.date() - timedelta(days=1), day_count=5)
    await _record(database, events)
    await _age(database, folder)
    in_store = await _read(StoredEvents(database))
    assert 0 < len(in_store) < len(events)
    stored = StoredEvents(database, folder, slice_rows=200)
    found = await _read(stored)
    assert found == _in_order(events)
    assert not stored.unreadable_files
    start, end = events[200].received_at, events[900].received_at
    part = await _read(stored, start=start, end=end, asset_ids=["asset.2"])
    assert part == _in_order(e for e in events if start <= e.received_at < end and e.asset_id == "asset.2")


async def test_days_that_go_to_the_archive_during_the_read_are_neither_missing_nor_double(plain, folder):
    events = _mix(1_500, every=31)
    await _record(plain, events)
    found: list[Event] = []
    async for piece in StoredEvents(plain, folder, slice_rows=100).read(kinds=KINDS, start=START, end=NOW):
        if not found:
            await _age(plain, folder)
        found += piece
    assert found == _in_order(events)


async def test_more_than_fits_is_counted_more_finely_before_it_is_read(plain):
    burst = [_event(0, VesselPosition(sog_kn=1.0), asset=f"vessel.{number}") for number in range(900)]
    spread = [_event(number, VesselPosition(sog_kn=2.0), asset=f"vessel.{number}") for number in range(1, 900)]
    await _record(plain, [*burst, *spread])
    assert await _read(StoredEvents(plain, slice_rows=40)) == _in_order([*burst, *spread])


async def test_a_file_that_cannot_be_read_is_named_and_the_rest_comes(plain, folder):
    events = _mix(1_000, every=31)
    await _record(plain, events)
    await _age(plain, folder)
    harmed = min(folder.rglob("*.parquet"))
    harmed.write_bytes(harmed.read_bytes()[:50])
    stored = StoredEvents(plain, folder)
    found = await _read(stored)
    assert list(stored.unreadable_files) == [str(harmed.relative_to(folder))]
    assert 0 < len(found) < len(events)
    assert set(found) <= set(events)
    assert found == _in_order(found)


async def test_a_field_that_is_newer_than_a_row_has_its_default(plain):
    event = _event(1, AirReading(pm25_ug_m3=1.0))
    await _record(plain, [event])
    async with plain.connection() as connection:
        await connection.execute("UPDATE env_air_reading SET rh_pct = NULL")
    [found] = await _read(StoredEvents(plain))
    assert found.data.rh_pct is None
