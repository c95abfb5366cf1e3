"""History over the real app: every bucket and aggregate beside what plain arithmetic gives, and clear refusals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from ioc.domain.events import Event
from ioc.domain.ids import event_id
from ioc.domain.kinds import AirReading, UnitReport
from ioc.storage.archive import Archive
from ioc.storage.batches import PostgresBatchStore
from ioc.storage.buckets import PROVINCE_TIME
from ioc.storage.edition import detect_edition
from ioc.storage.tables import TABLES
from tests.support.alerts import no_alerts
from tests.support.edge import open_edge

START = datetime(2026, 11, 22, 15, 30, tzinfo=UTC)
PATH = "/api/v1/history/env.air.reading/air.hong-gai"
VALUES = [10.0 + (7 * number) % 40 for number in range(200)]
STEP = timedelta(minutes=7)
READINGS = [(START + number * STEP, value) for number, value in enumerate(VALUES)]
RANGE = {"quantity": "pm25_ug_m3", "from": START.isoformat(), "to": (START + 200 * STEP).isoformat()}
WIDTHS = {"1m": timedelta(minutes=1), "15m": timedelta(minutes=15), "1h": timedelta(hours=1), "1d": timedelta(days=1)}
FUNCTIONS = {"mean": lambda found: sum(found) / len(found), "min": min, "max": max, "count": len, "sum": sum}


def _event(at: datetime, data) -> Event:
    asset_id = "unit.06652" if isinstance(data, UnitReport) else "air.hong-gai"
    return Event(
        event_id=event_id("test", asset_id, at, data.KIND), feed_id="air", asset_id=asset_id, observed_at=at,
        received_at=at + timedelta(seconds=1), data=data, unit_code="06652",
    )  # fmt: skip


@pytest.fixture
async def edge(tmp_path, address):
    async with open_edge(tmp_path, address) as edge:
        store = PostgresBatchStore(edge.base.database, alerts=no_alerts)
        async with store.begin("test") as transaction:
            await transaction.record([_event(at, AirReading(pm25_ug_m3=value)) for at, value in READINGS])
        yield edge


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _expected(bucket: str, aggregate: str) -> list[list[float]]:
    width, found = WIDTHS[bucket], {}
    for at, value in READINGS:
        local = at.astimezone(PROVINCE_TIME).replace(tzinfo=UTC)
        start = local - (local - datetime(2000, 1, 1, tzinfo=UTC)) % width
        found.setdefault(_ms(start.replace(tzinfo=PROVINCE_TIME)), []).append(value)
    return [[start, FUNCTIONS[aggregate](values)] for start, values in sorted(found.items())]


async def test_every_bucket_and_aggregate_is_what_arithmetic_gives(viewer):
    for bucket in WIDTHS:
        for aggregate in FUNCTIONS:
            answer = await viewer.get(PATH, params={**RANGE, "bucket": bucket, "aggregate": aggregate})
            shown = answer.json()
            assert answer.status_code == 200, answer.text
            expected = _expected(bucket, aggregate)
            assert [start for start, _ in shown["points"]] == [start for start, _ in expected], bucket
            assert [value for _, value in shown["points"]] == pytest.approx([value for _, value in expected])
            assert (shown["unit"], shown["bucket"], shown["aggregate"]) == ("µg/m³", bucket, aggregate)
            assert shown["truncated"] is False


async def test_raw_points_are_the_readings_themselves(viewer):
    shown = (await viewer.get(PATH, params={**RANGE, "bucket": "raw"})).json()
    assert shown["points"] == [[_ms(at), value] for at, value in READINGS]
    assert shown["aggregate"] is None
    short = (await viewer.get(PATH, params={**RANGE, "bucket": "raw", "limit": 7})).json()
    assert (short["points"], short["truncated"]) == (shown["points"][:7], True)


async def test_gaps_are_left_out_marked_or_carried_as_asked(viewer):
    asked = {**RANGE, "bucket": "1m", "to": (START + timedelta(minutes=15)).isoformat()}
    shown = {fill: (await viewer.get(PATH, params={**asked, "fill": fill})).json()["points"]
             for fill in ("none", "null", "locf")}  # fmt: skip
    assert [value for _, value in shown["none"]] == VALUES[:3]
    assert [value for _, value in shown["null"]] == [VALUES[0], *[None] * 6, VALUES[1], *[None] * 6, VALUES[2]]
    assert [value for _, value in shown["locf"]] == [*[VALUES[0]] * 7, *[VALUES[1]] * 7, VALUES[2]]


async def test_without_a_range_the_last_day_is_shown(edge, viewer):
    edge.clock.step(seconds=(START + timedelta(hours=30) - edge.clock.now()).total_seconds())
    shown = (await viewer.get(PATH, params={"quantity": "pm25_ug_m3", "bucket": "raw"})).json()
    assert shown["points"] == [[_ms(at), value] for at, value in READINGS if at >= START + timedelta(hours=6)]


async def test_a_thing_that_nobody_measured_has_an_empty_history(viewer):
    shown = (await viewer.get("/api/v1/history/env.air.reading/air.nowhere", params=RANGE)).json()
    assert shown["points"] == []


async def test_a_question_that_makes_no_sense_is_refused_with_the_reason(viewer):
    path = "/api/v1/history/{}/air.hong-gai"
    for kind, changed, status, code in (
        ("no.such", {}, 404, "not_found"),
        ("env.air.reading", {"quantity": "no_such"}, 404, "not_found"),
        ("env.air.reading", {"quantity": "asset_id"}, 404, "not_found"),
        ("env.air.reading", {"quantity": 'pm25_ug_m3"; DROP TABLE alert; --'}, 404, "not_found"),
        ("unit.report", {"quantity": "status"}, 404, "not_found"),
        ("env.air.reading", {"quantity": None}, 422, "invalid"),
        ("env.air.reading", {"from": "yesterday"}, 422, "invalid"),
        ("env.air.reading", {"from": "2026-11-23T00:00:00"}, 422, "invalid"),
        ("env.air.reading", {"from": RANGE["to"], "to": RANGE["from"]}, 422, "bad_range"),
        ("env.air.reading", {"from": RANGE["to"]}, 422, "bad_range"),
        ("env.air.reading", {"from": "0001-01-01T00:00:00+07:00"}, 422, "bad_instant"),
        ("env.air.reading", {"to": "9999-12-31T23:59:59-12:00"}, 422, "bad_instant"),
        ("env.air.reading", {"from": "2020-01-01T00:00:00Z", "bucket": "1m"}, 422, "too_many_points"),
        ("env.air.reading", {"bucket": "2m"}, 422, "invalid"),
        ("env.air.reading", {"aggregate": "median"}, 422, "invalid"),
        ("env.air.reading", {"fill": "spline"}, 422, "invalid"),
        ("env.air.reading", {"limit": 0}, 422, "invalid"),
        ("env.air.reading", {"limit": 20_001}, 422, "invalid"),
    ):
        asked = {name: value for name, value in {**RANGE, **changed}.items() if value is not None}
        answer = await viewer.get(path.format(kind), params=asked)
        assert (answer.status_code, answer.json()["code"]) == (status, code), (kind, changed, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"


async def test_trap_04_a_reading_that_came_too_late_is_stored_and_marked_with_the_rules_that_passed_it_over(
    viewer, edge
):
    at = START + 201 * STEP
    late = _event(at, AirReading(pm25_ug_m3=900.0))
    late = msgspec.structs.replace(late, received_at=at + timedelta(hours=3))
    async with PostgresBatchStore(edge.base.database, alerts=no_alerts).begin("test") as transaction:
        await transaction.record([late])
    asked = {"at": (at + timedelta(minutes=1)).isoformat()}
    [reading] = (await viewer.get("/api/v1/as-of/env.air.reading", params=asked)).json()["items"]
    assert (reading["values"]["pm25_ug_m3"], reading["delay_s"]) == (900.0, 10_800.0)
    assert "air.gases_hour" in reading["late_for"], "two hours are its bound"
    assert "air.pm25_day" not in reading["late_for"], "six hours are its bound"
    on_time = {"at": (START + 50 * STEP + timedelta(minutes=1)).isoformat()}
    [reading] = (await viewer.get("/api/v1/as-of/env.air.reading", params=on_time)).json()["items"]
    assert reading["late_for"] == []


async def test_how_things_stood_at_an_instant(viewer):
    at = START + 50 * STEP + timedelta(minutes=1)
    [reading] = (await viewer.get("/api/v1/as-of/env.air.reading", params={"at": at.isoformat()})).json()["items"]
    assert (reading["asset_id"], reading["observed_at"]) == ("air.hong-gai", _ms(START + 50 * STEP))
    assert reading["values"]["pm25_ug_m3"] == VALUES[50]
    before = {"at": (START - timedelta(minutes=1)).isoformat()}
    assert (await viewer.get("/api/v1/as-of/env.air.reading", params=before)).json() == {"items": []}
    named = {"at": at.isoformat(), "asset": ["air.uong-bi"]}
    assert (await viewer.get("/api/v1/as-of/env.air.reading", params=named)).json() == {"items": []}
    assert (await viewer.get("/api/v1/as-of/no.such", params=before)).status_code == 404
    for wrong in ("0001-01-01T00:00:00Z", "9999-12-31T00:00:00Z"):
        assert (await viewer.get("/api/v1/as-of/env.air.reading", params={"at": wrong})).status_code == 422


async def test_history_is_for_people_who_are_signed_in(edge):
    async with edge.client() as client:
        assert (await client.get(PATH, params=RANGE)).status_code == 401
        assert (await client.get("/api/v1/as-of/env.air.reading", params={"at": RANGE["to"]})).status_code == 401


async def test_what_has_left_the_store_is_answered_from_the_archive_and_said_to_be(edge, viewer):
    before = (await viewer.get(PATH, params={**RANGE, "bucket": "raw"})).json()
    assert (before["from_archive"], before["unreadable_files"]) == (False, [])
    folder = edge.base.settings.archive_folder
    archive = Archive(edge.base.database, edge.clock, folder)
    async with edge.base.database.connection() as connection:
        edition = await detect_edition(connection)
    assert await archive.move_days(TABLES["env.air.reading"], edition, before=START + timedelta(days=3)) >= 2
    after = (await viewer.get(PATH, params={**RANGE, "bucket": "raw"})).json()
    assert after == {**before, "from_archive": True}
    first = next(folder.rglob(f"{START.date()}.1.parquet"))
    first.write_bytes(first.read_bytes()[:100])
    harmed = (await viewer.get(PATH, params={**RANGE, "bucket": "raw"})).json()
    assert len(harmed["unreadable_files"]) == 1
    assert 0 < len(harmed["points"]) < len(before["points"])
