"""The store takes a worker's batch whole or not at all, and takes each reading once, on every edition."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

import psycopg
import pytest

from ioc.domain.events import DeadLetter, Event
from ioc.domain.ids import event_id
from ioc.domain.kinds import AirReading, Observation, UnitReport, VesselPosition
from ioc.errors import PositionConflictError, StoreUnavailableError
from ioc.ports import Checkpoint, Slice, StateKey, Topic, TopicPartition
from ioc.storage.batches import PostgresBatchStore
from ioc.storage.pool import Database
from tests.support.alerts import no_alerts

START = datetime(2026, 11, 23, 2, tzinfo=UTC)
FIRST = TopicPartition(Topic.EVENTS, 0)
SECOND = TopicPartition(Topic.EVENTS, 1)


def _air(minute: float, *, station: str = "air.hong-gai", pm25: float | None = 35.0, feed: str = "air") -> Event:
    observed_at = START + timedelta(minutes=minute)
    return Event(
        event_id=event_id(feed, station, observed_at, "env.air.reading"),
        feed_id=feed,
        asset_id=station,
        observed_at=observed_at,
        received_at=observed_at + timedelta(seconds=2),
        data=AirReading(pm25_ug_m3=pm25, rh_pct=80),
        unit_code="06652",
    )


def _slice(first: int, count: int, *, partition: TopicPartition = FIRST) -> Slice:
    end = first + count
    return Slice(partition=partition, first_offset=first, next_offset=end, end_offset=end, items=())


@pytest.fixture
async def store(address):
    async with Database(address, max_size=3) as database:
        yield PostgresBatchStore(database, alerts=no_alerts)


@pytest.fixture
async def ask(address):
    async with await psycopg.AsyncConnection.connect(address, autocommit=True) as connection:

        async def rows(statement: str):
            return await (await connection.execute(statement)).fetchall()

        yield rows


async def _record(store, *events, group="process"):
    async with store.begin(group) as transaction:
        return await transaction.record(events)


async def test_a_reading_comes_back_as_it_was_written(store, ask):
    vessel = Event(
        event_id=event_id("vessels", "574000123", START, "vessel.position"),
        feed_id="vessels",
        asset_id="vessel.574000123",
        observed_at=START + timedelta(microseconds=123456),
        received_at=START + timedelta(seconds=1, microseconds=1),
        data=VesselPosition(sog_kn=12.25, nav_status=0, name="HẠ LONG 08", pax_count=48),
        lon_deg=107.05,
        lat_deg=20.91,
        quality=1,
    )
    result = await _record(store, vessel)
    assert (result.stored_count, result.duplicate_count, result.unstorable_count) == (1, 0, 0)
    columns = "asset_id, observed_at, received_at, event_id, quality, feed_id, unit_code, lon_deg, lat_deg"
    payload = "sog_kn, cog_deg, heading_deg, nav_status, name, pax_count"
    assert await ask(f"SELECT {columns}, {payload} FROM vessel_position") == [
        (
            vessel.asset_id, vessel.observed_at, vessel.received_at, UUID(bytes=vessel.event_id), 1, "vessels", None,
            107.05, 20.91, 12.25, None, None, 0, "HẠ LONG 08", 48,
        )
    ]  # fmt: skip


async def test_dates_and_instants_of_a_report_come_back_as_they_were_written(store, ask):
    due_at = START + timedelta(hours=8)
    report = Event(
        event_id=event_id("units", "06652", START, "unit.report"),
        feed_id="units",
        asset_id="unit.06652",
        observed_at=START,
        received_at=START,
        data=UnitReport(report_on=START.date(), status="submitted", due_at=due_at, items_count=12),
        unit_code="06652",
    )
    await _record(store, report)
    assert await ask("SELECT report_on, status, due_at, items_count FROM unit_report") == [
        (START.date(), "submitted", due_at, 12)
    ]


async def test_a_redelivered_batch_writes_nothing_twice(store, ask):
    events = [_air(minute, station=station) for minute in range(5) for station in ("air.hong-gai", "air.uong-bi")]
    assert (await _record(store, *events)).stored_count == 10
    again = await _record(store, *events)
    assert (again.stored_count, again.duplicate_count, again.late_ids) == (0, 10, frozenset())
    assert await ask("SELECT count(*) FROM env_air_reading") == [(10,)]


async def test_another_process_that_gets_the_batch_again_writes_nothing_twice(store, address, ask):
    events = [_air(minute) for minute in range(5)]
    await _record(store, *events)
    async with Database(address) as database:
        other = PostgresBatchStore(database, alerts=no_alerts)
        result = await _record(other, *events, _air(5))
    assert (result.stored_count, result.duplicate_count) == (1, 5)
    assert await ask("SELECT count(*) FROM env_air_reading") == [(6,)]


async def test_a_reading_that_stands_twice_in_one_batch_is_written_once(store, ask):
    result = await _record(store, _air(1), _air(1), _air(0), _air(0), _air(2))
    assert (result.stored_count, result.duplicate_count) == (3, 2)
    assert result.late_ids == {_air(0).event_id}
    assert await ask("SELECT count(*), count(DISTINCT event_id) FROM env_air_reading") == [(3, 3)]


async def test_two_feeds_may_report_one_asset_at_one_instant(store, ask):
    result = await _record(store, _air(1, feed="air"), _air(1, feed="air-backup"))
    assert (result.stored_count, result.duplicate_count) == (2, 0)
    assert result.late_ids == frozenset()


async def test_a_late_reading_is_stored_marked_and_not_shown_as_newest(store, ask):
    await _record(store, _air(10, pm25=10.0))
    result = await _record(store, _air(3, pm25=3.0), _air(11, pm25=11.0), _air(4, pm25=4.0))
    assert result.stored_count == 3
    assert result.late_ids == {_air(3).event_id, _air(4).event_id}
    newest = await ask("SELECT observed_at, (data ->> 'pm25_ug_m3')::float8, event_id FROM latest")
    assert newest == [(START + timedelta(minutes=11), 11.0, UUID(bytes=_air(11).event_id))]


async def test_a_late_reading_after_a_restart_does_not_become_the_newest(store, address, ask):
    await _record(store, _air(10))
    async with Database(address) as database:
        result = await _record(PostgresBatchStore(database, alerts=no_alerts), _air(3))
    assert result.late_ids == {_air(3).event_id}
    assert await ask("SELECT observed_at FROM latest") == [(START + timedelta(minutes=10),)]


async def test_counts_add_up_to_the_events_given(store, ask):
    random = Random(7)
    events = [_air(random.randrange(40), station=f"air.s{random.randrange(5)}") for _ in range(400)]
    stored = duplicates = 0
    for start in range(0, 400, 57):
        part = events[start : start + 57]
        result = await _record(store, *part)
        assert result.stored_count + result.duplicate_count + result.unstorable_count == len(part)
        stored, duplicates = stored + result.stored_count, duplicates + result.duplicate_count
    distinct = len({event.event_id for event in events})
    assert (stored, duplicates) == (distinct, 400 - distinct)
    assert await ask("SELECT count(*) FROM env_air_reading") == [(distinct,)]
    newest = {event.asset_id: event.observed_at for event in sorted(events, key=lambda event: event.observed_at)}
    assert dict(await ask("SELECT asset_id, observed_at FROM latest")) == newest


@pytest.mark.parametrize("broken", ["air.a\x00b", "a" * 3000, "air.\ud800"])
async def test_an_event_that_no_table_can_hold_is_buried_and_holds_nothing_up(store, ask, broken):
    unstorable = Event(
        event_id=b"0123456789abcdef", feed_id="air", asset_id=broken, observed_at=START, received_at=START,
        data=Observation(quantity="x", value=1.0),
    )  # fmt: skip
    result = await _record(store, _air(0), unstorable)
    assert (result.stored_count, result.duplicate_count, result.unstorable_count) == (1, 0, 1)
    letters = await ask("SELECT feed_id, reason FROM dead_letter")
    assert [feed for feed, _ in letters] == ["air"]
    assert letters[0][1].startswith("store: ")


async def _take(store, slices, events, *, failure: Exception | None = None):
    async with store.begin("process") as transaction:
        await transaction.advance(slices)
        result = await transaction.record(events)
        await transaction.checkpoint([Checkpoint(partition=FIRST, changed={StateKey("r", "k"): b"1"})])
        if failure is not None:
            raise failure
    return result


async def test_a_batch_that_fails_leaves_nothing_and_is_taken_when_it_comes_again(store, ask):
    with pytest.raises(RuntimeError, match="on purpose"):
        await _take(store, [_slice(0, 2)], [_air(0), _air(1)], failure=RuntimeError("on purpose"))
    for table in ("env_air_reading", "latest", "log_position", "engine_state", "rollup_mark", "dead_letter"):
        assert await ask(f"SELECT count(*) FROM {table}") == [(0,)]
    result = await _take(store, [_slice(0, 2)], [_air(0), _air(1)])
    assert (result.stored_count, result.late_ids) == (2, frozenset())


async def test_positions_move_only_from_where_they_stand(store, ask):
    async with store.begin("process") as transaction:
        await transaction.advance([_slice(0, 10), _slice(0, 5, partition=SECOND)])
    async with store.begin("process") as transaction:
        await transaction.advance([_slice(10, 1)])
    assert await store.positions("process", frozenset({FIRST, SECOND})) == {FIRST: 11, SECOND: 5}
    assert await store.positions("other", frozenset({FIRST})) == {}


@pytest.mark.parametrize(("first", "found"), [(0, 10), (9, 10), (11, 10)])
async def test_a_batch_from_another_position_is_fenced_and_leaves_nothing(store, ask, first, found):
    async with store.begin("process") as transaction:
        await transaction.advance([_slice(0, 10)])
    with pytest.raises(PositionConflictError) as caught:
        await _take(store, [_slice(0, 3, partition=SECOND), _slice(first, 5)], [_air(0)])
    assert (caught.value.topic, caught.value.partition) == ("events", 0)
    assert (caught.value.expected, caught.value.found) == (first, found)
    assert await store.positions("process", frozenset({FIRST, SECOND})) == {FIRST: 10}
    assert await ask("SELECT count(*) FROM env_air_reading") == [(0,)]


async def test_a_partition_without_a_position_begins_at_zero(store):
    with pytest.raises(PositionConflictError) as caught:
        async with store.begin("process") as transaction:
            await transaction.advance([_slice(4, 5)])
    assert (caught.value.expected, caught.value.found) == (4, None)


async def test_of_two_replicas_with_the_same_batch_one_writes_and_one_is_fenced(store, address, ask):
    async with Database(address) as database:
        other = PostgresBatchStore(database, alerts=no_alerts)
        await _take(store, [_slice(0, 2)], [_air(0), _air(1)])
        with pytest.raises(PositionConflictError):
            await _take(other, [_slice(0, 2)], [_air(0), _air(1)])
    assert await ask("SELECT count(*) FROM env_air_reading") == [(2,)]


async def test_a_series_that_somebody_else_wrote_is_read_again_and_then_written_rightly(store, address, ask):
    await _record(store, _air(0))
    async with Database(address) as database:
        await _record(PostgresBatchStore(database, alerts=no_alerts), _air(5))
    with pytest.raises(StoreUnavailableError):
        await _record(store, _air(5), _air(6))
    result = await _record(store, _air(5), _air(6), _air(2))
    assert (result.stored_count, result.duplicate_count, result.late_ids) == (2, 1, {_air(2).event_id})
    assert await ask("SELECT count(*) FROM env_air_reading") == [(4,)]


async def test_engine_state_is_kept_changed_and_deleted(store):
    async with store.begin("process") as transaction:
        await transaction.checkpoint([
            Checkpoint(partition=FIRST, changed={StateKey("r1", "a"): b"\x00\x01", StateKey("r1", "b"): b"2"}),
            Checkpoint(partition=SECOND, changed={StateKey("r1", "a"): b"3"}),
        ])  # fmt: skip
    async with store.begin("process") as transaction:
        await transaction.checkpoint([
            Checkpoint(partition=FIRST, changed={StateKey("r1", "a"): b"4", StateKey("r1", "b"): None})
        ])  # fmt: skip
    both = frozenset({FIRST, SECOND})
    assert await store.engine_state("process", both) == {
        FIRST: {StateKey("r1", "a"): b"4"},
        SECOND: {StateKey("r1", "a"): b"3"},
    }
    assert await store.engine_state("other", both) == {FIRST: {}, SECOND: {}}


async def test_a_dead_letter_is_kept_once_with_its_bytes(store, ask):
    letter = DeadLetter(
        dead_letter_id=b"abcdefghijklmnop",
        feed_id="air",
        received_at=START,
        reason="bad \x00 JSON",
        raw=b"\x00{",
        source="http",
    )
    for _ in range(2):
        async with store.begin("process") as transaction:
            await transaction.bury([letter])
    assert await ask("SELECT dead_letter_id, feed_id, reason, raw, state FROM dead_letter") == [
        (UUID(bytes=b"abcdefghijklmnop"), "air", "bad \\x00 JSON", b"\x00{", "new")
    ]


async def test_two_records_in_one_transaction_write_both(store, ask):
    async with store.begin("process") as transaction:
        await transaction.record([_air(0), _air(3)])
        second = await transaction.record([_air(3), _air(2), _air(4)])
    assert (second.stored_count, second.duplicate_count) == (2, 1)
    assert await ask("SELECT observed_at FROM latest") == [(START + timedelta(minutes=4),)]


async def test_minutes_with_new_readings_are_marked_for_the_rollups(store, ask):
    await _record(store, _air(0), _air(0.5), _air(3))
    marks = await ask("SELECT DISTINCT kind, bucket FROM rollup_mark ORDER BY bucket")
    assert marks == [("env.air.reading", START), ("env.air.reading", START + timedelta(minutes=3))]


async def test_a_database_that_is_not_there_is_an_unavailable_store():
    async with Database("host=127.0.0.1 port=1 dbname=x user=x", min_size=0, deadline=timedelta(seconds=1)) as database:
        with pytest.raises(StoreUnavailableError):
            await PostgresBatchStore(database, alerts=no_alerts).positions("process", frozenset({FIRST}))
