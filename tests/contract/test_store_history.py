"""History equals what brute force makes of the readings, before and after roll-ups, on every edition."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random

import psycopg
import pytest

from ioc.clocks import ReplayClock
from ioc.domain.events import DeadLetter, Event
from ioc.domain.ids import event_id
from ioc.domain.kinds import AirReading, Observation, Payload, TruckStep, UnitReport, WeatherWarning
from ioc.domain.quantities import Quality
from ioc.errors import ConfigurationError, NotFoundError
from ioc.storage.batches import PostgresBatchStore
from ioc.storage.buckets import Bucket, floor_to_bucket
from ioc.storage.letters import DeadLetterStore, LetterState
from ioc.storage.retention import Retention, RetentionJob
from ioc.storage.rollups import RollupJob
from ioc.storage.series import Aggregate, Fill, HistoryStore
from tests.support.alerts import no_alerts

START = datetime(2026, 11, 22, 15, 30, tzinfo=UTC)
STATION = "air.hong-gai"
AIR = "env.air.reading"


def _event(at: datetime, data: Payload, *, asset_id: str = STATION, quality: int = Quality.GOOD) -> Event:
    return Event(
        event_id=event_id("test", asset_id, at, data.KIND),
        feed_id="test",
        asset_id=asset_id,
        observed_at=at,
        received_at=at + timedelta(seconds=1),
        data=data,
        unit_code="06652",
        lon_deg=107.08,
        lat_deg=20.95,
        quality=quality,
    )


def _air(at: datetime, pm25: float | None, **rest) -> Event:
    return _event(at, AirReading(pm25_ug_m3=pm25), **rest)


@pytest.fixture
def record(database) -> Callable:
    store = PostgresBatchStore(database, alerts=no_alerts)

    async def write(*events: Event) -> None:
        async with store.begin("process") as transaction:
            await transaction.record(events)

    return write


@pytest.fixture
def history(database) -> HistoryStore:
    return HistoryStore(database)


def _brute_force(events: list[Event], bucket: Bucket, aggregate: Aggregate) -> dict[datetime, float]:
    values: dict[datetime, list[float]] = {}
    for event in {event.event_id: event for event in events}.values():
        value = event.data.pm25_ug_m3
        if value is not None and event.quality < Quality.BAD:
            values.setdefault(floor_to_bucket(event.observed_at, bucket), []).append(value)
    functions = {
        Aggregate.MEAN: lambda found: sum(found) / len(found),
        Aggregate.MIN: min,
        Aggregate.MAX: max,
        Aggregate.COUNT: len,
        Aggregate.SUM: sum,
    }
    return {start: functions[aggregate](found) for start, found in values.items()}


async def _assert_history_is_exact(history: HistoryStore, events: list[Event]) -> None:
    mine = [event for event in events if event.asset_id == STATION]
    for bucket in Bucket:
        for aggregate in Aggregate:
            found = await history.series(
                kind=AIR, asset_id=STATION, quantity="pm25_ug_m3", start=START - timedelta(days=1),
                end=START + timedelta(days=3), bucket=bucket, aggregate=aggregate,
            )  # fmt: skip
            expected = _brute_force(mine, bucket, aggregate)
            assert [at for at, _ in found.points] == sorted(expected)
            assert dict(found.points) == pytest.approx(expected)


def _readings(seed: int, count: int, span: timedelta) -> list[Event]:
    random = Random(seed)
    events = []
    for _ in range(count):
        at = START + timedelta(seconds=random.randrange(int(span.total_seconds())))
        pm25 = None if random.random() < 0.1 else float(random.randrange(200))
        quality = Quality.BAD if random.random() < 0.1 else Quality.GOOD
        events.append(_air(at, pm25, quality=quality, asset_id=random.choice([STATION, "air.uong-bi"])))
    return list({event.event_id: event for event in events}.values())


async def test_history_equals_brute_force_before_after_and_between_rollups(database, record, history):
    clock = ReplayClock(START + timedelta(days=2))
    job = RollupJob(database, clock)
    events = sorted(_readings(1, 600, timedelta(hours=26)), key=lambda event: event.observed_at)
    await record(*events)
    await _assert_history_is_exact(history, events)
    assert await job.roll_up() > 0
    await _assert_history_is_exact(history, events)
    late = [
        event for event in _readings(2, 60, timedelta(hours=26)) if event.event_id not in {e.event_id for e in events}
    ]
    await record(*late)
    await _assert_history_is_exact(history, events + late)
    assert await job.roll_up() > 0
    await _assert_history_is_exact(history, events + late)
    assert await job.roll_up() == 0


async def test_the_rollup_relations_themselves_equal_brute_force_after_late_readings(database, record):
    job = RollupJob(database, ReplayClock(START + timedelta(days=2)))
    events = sorted(_readings(3, 400, timedelta(hours=26)), key=lambda event: event.observed_at)
    late = events[100:140]
    await record(*(event for event in events if event not in late))
    await job.roll_up()
    await record(*late)
    await job.roll_up()
    async with database.connection() as connection:
        for bucket in Bucket:
            rows = await (await connection.execute(
                f"SELECT asset_id, bucket, n, pm25_ug_m3_sum, pm25_ug_m3_count FROM env_air_reading_{bucket}"
            )).fetchall()  # fmt: skip
            expected: dict[tuple[str, datetime], list[float]] = {}
            for event in events:
                if event.quality < Quality.BAD:
                    key = (event.asset_id, floor_to_bucket(event.observed_at, bucket))
                    sums = expected.setdefault(key, [0, 0.0, 0])
                    sums[0] += 1
                    if event.data.pm25_ug_m3 is not None:
                        sums[1] += event.data.pm25_ug_m3
                        sums[2] += 1
            assert {(asset, at): [n, total or 0.0, count] for asset, at, n, total, count in rows} == {
                key: pytest.approx(sums) for key, sums in expected.items()
            }
        assert await (await connection.execute("SELECT count(*) FROM rollup_mark")).fetchone() == (0,)


async def test_a_minute_that_is_not_over_waits_and_is_in_the_history_all_the_same(database, record, history):
    clock = ReplayClock(START + timedelta(seconds=30))
    job = RollupJob(database, clock)
    await record(_air(START + timedelta(seconds=10), 10.0))
    assert await job.roll_up() == 0
    await _assert_history_is_exact(history, [_air(START + timedelta(seconds=10), 10.0)])
    clock.advance(START + timedelta(seconds=66))
    assert await job.roll_up() == 1


async def test_minutes_older_than_the_readings_kept_are_not_recomputed(database, record):
    clock = ReplayClock(START + timedelta(hours=1))
    await record(_air(START, 10.0), _air(START + timedelta(seconds=5), 20.0))
    await RollupJob(database, clock, keep_readings=timedelta(days=10)).roll_up()
    async with database.connection() as connection:
        await connection.execute("DELETE FROM env_air_reading")
    clock.advance(START + timedelta(days=12))
    await record(_air(START + timedelta(seconds=7), 99.0))
    job = RollupJob(database, clock, keep_readings=timedelta(days=10))
    assert await job.roll_up() == 1
    async with database.connection() as connection:
        rows = await (await connection.execute("SELECT n, pm25_ug_m3_max FROM env_air_reading_1m")).fetchall()
    assert rows == [(2, 20.0)]


async def test_days_are_days_of_the_province(database, record, history):
    before_midnight = datetime(2026, 11, 22, 16, 59, 59, tzinfo=UTC)
    await record(_air(before_midnight, 1.0), _air(before_midnight + timedelta(seconds=1), 3.0))
    for _ in range(2):
        found = await history.series(
            kind=AIR, asset_id=STATION, quantity="pm25_ug_m3", start=before_midnight,
            end=before_midnight + timedelta(seconds=2), bucket=Bucket.DAY,
        )  # fmt: skip
        assert found.points == [
            (datetime(2026, 11, 21, 17, tzinfo=UTC), 1.0),
            (datetime(2026, 11, 22, 17, tzinfo=UTC), 3.0),
        ]
        await RollupJob(database, ReplayClock(before_midnight + timedelta(days=2))).roll_up()


async def _filled(history, fill: Fill, *, limit: int = 100, start: int = 0, end: int = 6):
    found = await history.series(
        kind=AIR, asset_id=STATION, quantity="pm25_ug_m3", start=START + timedelta(minutes=start),
        end=START + timedelta(minutes=end), bucket=Bucket.MINUTE, fill=fill, limit=limit,
    )  # fmt: skip
    return [((at - START) // timedelta(minutes=1), value) for at, value in found.points], found.truncated


@pytest.mark.parametrize("is_rolled_up", [False, True])
async def test_gaps_are_left_out_shown_or_filled_with_the_value_before(database, record, history, is_rolled_up):
    await record(*(_air(START + timedelta(minutes=minute), value) for minute, value in ((-3, 5.0), (2, 7.0), (4, 0.0))))
    if is_rolled_up:
        await RollupJob(database, ReplayClock(START + timedelta(hours=1))).roll_up()
    assert await _filled(history, Fill.NONE) == ([(2, 7.0), (4, 0.0)], False)
    assert await _filled(history, Fill.NULL) == (
        [(0, None), (1, None), (2, 7.0), (3, None), (4, 0.0), (5, None)],
        False,
    )
    assert await _filled(history, Fill.LOCF) == ([(0, 5.0), (1, 5.0), (2, 7.0), (3, 7.0), (4, 0.0), (5, 0.0)], False)


async def test_without_any_value_before_the_range_the_first_buckets_stay_empty(record, history):
    await record(_air(START + timedelta(minutes=2), 7.0))
    assert await _filled(history, Fill.LOCF, end=4) == ([(0, None), (1, None), (2, 7.0), (3, 7.0)], False)


@pytest.mark.parametrize(
    ("fill", "points"),
    [(Fill.NONE, [(0, 1.0), (2, 3.0)]), (Fill.NULL, [(0, 1.0), (1, None)]), (Fill.LOCF, [(0, 1.0), (1, 1.0)])],
)
async def test_a_limit_cuts_the_end_off_and_says_so(record, history, fill, points):
    await record(*(_air(START + timedelta(minutes=minute), minute + 1.0) for minute in (0, 2, 4)))
    assert await _filled(history, fill, limit=2) == (points, True)


async def test_a_range_that_starts_inside_a_bucket_gives_the_whole_bucket(record, history):
    await record(_air(START + timedelta(seconds=5), 1.0), _air(START + timedelta(seconds=50), 3.0))
    found = await history.series(
        kind=AIR, asset_id=STATION, quantity="pm25_ug_m3", start=START + timedelta(seconds=30),
        end=START + timedelta(seconds=40), bucket=Bucket.MINUTE,
    )  # fmt: skip
    assert found.points == [(START, 2.0)]


async def test_an_empty_range_has_no_points(history):
    for bucket in (None, Bucket.HOUR):
        for fill in Fill:
            found = await history.series(
                kind=AIR, asset_id=STATION, quantity="pm25_ug_m3", start=START, end=START, bucket=bucket, fill=fill
            )
            assert (list(found.points), found.truncated) == ([], False)


async def test_single_readings_come_as_they_are_and_in_order(record, history):
    events = [_air(START + timedelta(seconds=second), float(second)) for second in (9, 3, 5)]
    await record(*events, _air(START + timedelta(seconds=4), None))
    found = await history.series(
        kind=AIR, asset_id=STATION, quantity="pm25_ug_m3", start=START + timedelta(seconds=3),
        end=START + timedelta(seconds=9), limit=1,
    )  # fmt: skip
    assert (found.points, found.truncated, found.unit) == ([(START + timedelta(seconds=3), 3.0)], True, "µg/m³")


async def test_whole_numbers_have_a_history_like_any_quantity(record, history):
    await record(_event(START, UnitReport(report_on=START.date(), status="submitted", due_at=START, items_count=12)))
    found = await history.series(
        kind="unit.report", asset_id=STATION, quantity="items_count", start=START,
        end=START + timedelta(hours=1), bucket=Bucket.HOUR, aggregate=Aggregate.SUM,
    )  # fmt: skip
    assert [value for _, value in found.points] == [12.0]


async def test_a_quantity_without_a_kind_of_its_own_has_a_history(record, history):
    await record(
        _event(START, Observation(quantity="noise_db", value=60.0)),
        _event(START + timedelta(seconds=1), Observation(quantity="water_m", value=2.0)),
    )
    for bucket in (None, Bucket.MINUTE):
        found = await history.series(
            kind="observation", asset_id=STATION, quantity="noise_db", start=START,
            end=START + timedelta(minutes=1), bucket=bucket,
        )  # fmt: skip
        assert found.points == [(START, 60.0)]


@pytest.mark.parametrize(
    ("kind", "quantity"), [("no.such", "x"), (AIR, "no_such"), (AIR, "asset_id"), ("border.truck", "step")]
)
async def test_history_of_what_is_not_measured_is_not_found(history, kind, quantity):
    with pytest.raises(NotFoundError):
        await history.series(kind=kind, asset_id=STATION, quantity=quantity, start=START, end=START)


async def test_the_newest_readings_are_found_by_kind_unit_and_age(record, history):
    await record(
        _air(START, 1.0),
        _air(START + timedelta(minutes=1), 2.0),
        _event(START, TruckStep(step="scan", gate="bac-luan-2", direction="export"), asset_id="truck.1"),
    )
    newest = await history.latest(kinds=[AIR])
    assert [(one.asset_id, one.observed_at, one.values["pm25_ug_m3"]) for one in newest] == [
        (STATION, START + timedelta(minutes=1), 2.0)
    ]
    assert {one.kind for one in await history.latest()} == {AIR, "border.truck"}
    assert {one.kind for one in await history.latest(since=START + timedelta(seconds=1))} == {AIR}
    assert len(await history.latest(unit_code="06652")) == 2
    assert await history.latest(unit_code="00000") == []


async def test_the_newest_readings_come_back_as_the_events_that_they_were(record, history):
    events = [
        _air(START, 1.5),
        _event(START, TruckStep(step="scan", gate="mong-cai", direction="export", perishable=True), asset_id="truck.1"),
        _event(START, UnitReport(report_on=START.date(), status="late", due_at=START), asset_id="unit.06652"),
        _event(
            START,
            WeatherWarning(
                warning_key="W-1", hazard="squall", severity="severe", zone_id="ha-long-bay", status="actual",
                onset_at=START, expires_at=START + timedelta(hours=3), headline_vi="Dông, lốc",
            ),
            asset_id="area.ha-long-bay",
        ),
    ]  # fmt: skip
    await record(*events)
    assert sorted(await history.latest_events(), key=lambda event: event.kind) == sorted(events, key=lambda e: e.kind)


async def test_an_instant_shows_each_asset_as_it_stood_then(record, history):
    for minute in (0, 10, 20):
        await record(_air(START + timedelta(minutes=minute), float(minute)))
    await record(
        _air(START + timedelta(minutes=5), 5.0), _air(START + timedelta(minutes=15), 1.0, asset_id="air.uong-bi")
    )

    async def values_at(minute: float, **rest) -> dict[str, float]:
        found = await history.as_of(START + timedelta(minutes=minute), kind=AIR, **rest)
        return {one.asset_id: one.values["pm25_ug_m3"] for one in found}

    assert await values_at(-1) == {}
    assert await values_at(9) == {STATION: 5.0}
    assert await values_at(10) == {STATION: 10.0}
    assert await values_at(19) == {STATION: 10.0, "air.uong-bi": 1.0}
    assert await values_at(19, assets=["air.uong-bi", "air.none"]) == {"air.uong-bi": 1.0}
    assert await values_at(60, lookback=timedelta(minutes=41)) == {STATION: 20.0}
    with pytest.raises(NotFoundError):
        await history.as_of(START, kind="no.such")


async def test_dead_letters_are_listed_shown_and_settled(database):
    store, letters = PostgresBatchStore(database, alerts=no_alerts), DeadLetterStore(database)
    async with store.begin("process") as transaction:
        await transaction.bury([
            DeadLetter(
                dead_letter_id=bytes([number] * 16), feed_id="air" if number % 2 else "border", source="h",
                received_at=START + timedelta(seconds=number), reason=f"reason {number}", raw=b"raw" * number,
            )
            for number in range(1, 6)
        ])  # fmt: skip
    first = await letters.page(limit=3)
    assert [letter.reason for letter in first] == ["reason 5", "reason 4", "reason 3"]
    rest = await letters.page(limit=3, after=first[-1])
    assert [letter.reason for letter in rest] == ["reason 2", "reason 1"]
    assert [letter.size_bytes for letter in await letters.page(feed_id="border")] == [12, 6]
    assert await letters.count() == {"air": 3, "border": 2}
    shown, raw = await letters.show(first[0].dead_letter_id)
    assert (shown, raw) == (first[0], b"raw" * 5)
    await letters.settle(first[0].dead_letter_id, LetterState.RETRIED, at=START)
    assert await letters.count() == {"air": 2, "border": 2}
    (retried,) = await letters.page(state=LetterState.RETRIED)
    assert (retried.dead_letter_id, retried.retried_at) == (first[0].dead_letter_id, START)
    with pytest.raises(NotFoundError):
        await letters.settle(shown.dead_letter_id.__class__(int=0), LetterState.DISCARDED, at=START)


async def test_readings_past_their_retention_go_and_their_rollups_stay(address, database, record, history):
    now = datetime.now(UTC)
    old, young = now - timedelta(days=20), now - timedelta(days=2)
    await record(_air(old, 1.0), _air(young, 2.0))
    clock = ReplayClock(now)
    await RollupJob(database, clock).roll_up()
    keep = Retention(readings=timedelta(days=10))
    await RetentionJob(database, clock, keep=keep).enforce()
    async with await psycopg.AsyncConnection.connect(address, autocommit=True) as connection:
        await _run_retention_policies(connection)
        left = await (await connection.execute("SELECT observed_at FROM env_air_reading")).fetchall()
        rolled = await (await connection.execute("SELECT n FROM env_air_reading_1h")).fetchall()
    assert left == [(young,)]
    assert rolled == [(1,), (1,)]
    found = await history.series(
        kind=AIR, asset_id=STATION, quantity="pm25_ug_m3", start=old, end=now, bucket=Bucket.HOUR
    )
    assert [value for _, value in found.points] == [1.0, 2.0]


async def _run_retention_policies(connection) -> None:
    """Do at once what TimescaleDB's scheduler does in its own time."""
    row = await (await connection.execute("SELECT current_setting('timescaledb.license', true)")).fetchone()
    if row == ("timescale",):
        jobs = await (await connection.execute(
            "SELECT job_id FROM timescaledb_information.jobs WHERE proc_name = 'policy_retention'"
        )).fetchall()  # fmt: skip
        assert len(jobs) >= 10
        for (job_id,) in jobs:
            await connection.execute(f"CALL run_job({job_id})")


async def test_assets_unheard_of_since_the_retention_are_forgotten_and_may_come_again(database, record, history):
    clock = ReplayClock(START + timedelta(days=20))
    await record(_air(START, 1.0))
    await RetentionJob(database, clock, keep=Retention(readings=timedelta(days=10))).enforce()
    assert await history.latest() == []
    await record(_air(START + timedelta(days=20), 2.0))
    assert len(await history.latest()) == 1


@pytest.mark.parametrize(
    "ages", [{"readings": timedelta(days=1)}, {"readings": timedelta(days=500)}, {"readings_of": {"x": timedelta(9)}}]
)
def test_a_retention_that_would_lose_history_is_refused(ages):
    with pytest.raises(ConfigurationError):
        Retention(**ages)


async def test_two_replicas_enforce_retention_at_once_and_neither_is_put_off(address, database, record):
    now = datetime.now(UTC)
    await record(_air(now - timedelta(days=20), 1.0), _air(now - timedelta(days=2), 2.0))
    jobs = [RetentionJob(database, ReplayClock(now), keep=Retention(readings=timedelta(days=10))) for _ in range(3)]
    await asyncio.gather(*(job.enforce() for job in jobs))
    async with await psycopg.AsyncConnection.connect(address, autocommit=True) as connection:
        await _run_retention_policies(connection)
        left = await (await connection.execute("SELECT count(*) FROM env_air_reading")).fetchone()
    assert left == (1,)
