"""Ingest over the real app, feeds, intake and file log: who may send, what is refused, and that nothing gets lost."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ioc.errors import StoreUnavailableError
from ioc.ports import Topic
from ioc.storage.pool import Database
from ioc.storage.source_keys import SourceKeyStore
from tests.support.edge import SetClock, prepare

PUSHED = ("air", "weather", "border", "tourism", "units")
JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def source(edge):
    headers = {"Authorization": f"Bearer {await edge.key(*PUSHED)}", **JSON}
    async with edge.client(headers=headers) as client:
        yield client


def reading(edge, number=0, station="air.hong-gai", **more):
    at = edge.clock.now() - timedelta(seconds=number)
    return {"station": station, "time": at.isoformat(), "pm25": 35.2, "temp": 24.5, **more}


async def test_202_means_that_the_log_has_every_reading(edge, source):
    answer = await source.post("/api/v1/ingest/air", json=[reading(edge, number) for number in range(100)])
    assert answer.status_code == 202
    assert answer.json() == {"accepted": 100, "rejected": 0, "ignored": 0, "rejections": []}
    assert await edge.count(Topic.EVENTS) == 100


async def test_a_record_that_cannot_be_read_is_named_and_kept_and_the_others_are_taken(edge, source):
    body = [reading(edge), {"station": "air.hong-gai", "time": "yesterday"}, reading(edge, 1)]
    answer = (await source.post("/api/v1/ingest/air", json=body)).json()
    assert (answer["accepted"], answer["rejected"]) == (2, 1)
    assert [rejection["index"] for rejection in answer["rejections"]] == [1]
    assert (await edge.count(Topic.EVENTS), await edge.count(Topic.DEAD_LETTERS)) == (2, 1)


async def test_lines_of_json_are_taken_too(edge, source):
    lines = "\n".join(json.dumps(reading(edge, number)) for number in range(3))
    answer = await source.post("/api/v1/ingest/air", content=lines, headers={"Content-Type": "application/x-ndjson"})
    assert (answer.status_code, answer.json()["accepted"]) == (202, 3)


async def test_sending_the_same_again_is_safe(edge, source):
    body = [reading(edge)]
    first = await source.post("/api/v1/ingest/air", json=body)
    assert (await source.post("/api/v1/ingest/air", json=body)).json() == first.json()


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (None, 401),
        ("", 401),
        ("Bearer", 401),
        ("Bearer ioc_000000000000_" + "a" * 43, 401),
        ("Basic dHJ1Yzp4", 401),
        ("Bearer " + "x" * 5_000, 401),
    ],
)
async def test_without_a_good_key_nothing_comes_in(edge, authorization, status):
    async with edge.client() as client:
        headers = {} if authorization is None else {"Authorization": authorization}
        answer = await client.post("/api/v1/ingest/air", json=[reading(edge)], headers=headers)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (status, "Bearer")
    assert await edge.count(Topic.EVENTS) == 0


async def test_a_key_sends_only_its_own_feeds(edge):
    async with edge.client(headers={"Authorization": f"Bearer {await edge.key('weather')}"}) as client:
        answer = await client.post("/api/v1/ingest/air", json=[reading(edge)])
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_a_key_ends_on_its_day(edge, source):
    body = json.dumps([reading(edge)])
    assert (await source.post("/api/v1/ingest/air", content=body)).status_code == 202
    edge.clock.step(days=30)
    assert (await source.post("/api/v1/ingest/air", content=body)).status_code == 401


async def test_a_revoked_key_stops_working_within_half_a_minute(edge, source):
    body = json.dumps([reading(edge)])
    assert (await source.post("/api/v1/ingest/air", content=body)).status_code == 202
    (key,) = await edge.ingest.keys.list_keys()
    await SourceKeyStore(edge.base.database, edge.clock).revoke(key.key_id)
    edge.clock.step(seconds=30)
    assert (await source.post("/api/v1/ingest/air", content=body)).status_code == 401


async def test_a_changed_secret_is_not_the_key(edge):
    key = await edge.key("air")
    assert await edge.ingest.keys.find(key) is not None
    for wrong in (key[:-1] + ("A" if key[-1] != "A" else "B"), key + "A", key.upper(), " " + key, key + "\n"):
        assert await edge.ingest.keys.find(wrong) is None


async def test_a_known_key_is_taken_while_the_database_is_away_and_a_strange_one_is_not(
    plain_postgres_url, fresh_database
):
    clock = SetClock()
    url = await fresh_database(plain_postgres_url, prepare=prepare)
    async with Database(url, schema="ioc") as database:
        keys = SourceKeyStore(database, clock)
        known = await keys.add(name="trạm", feed_ids=["air"], lifetime=timedelta(days=1))
        strange = await keys.add(name="khác", feed_ids=["air"], lifetime=timedelta(days=1))
        assert await keys.find(known) is not None
    # The pool is closed now: every question is answered as by a database that is away.
    clock.step(minutes=5)
    assert await keys.find(known) is not None
    with pytest.raises(StoreUnavailableError):
        await keys.find(strange)
    clock.step(minutes=30)
    with pytest.raises(StoreUnavailableError):
        await keys.find(known)


@pytest.mark.parametrize(
    ("feed", "headers", "body", "status", "code"),
    [
        ("air", JSON, b"[1, 2", 400, "malformed"),
        ("air", JSON, b"\xff\xfe\x00", 400, "malformed"),
        ("air", JSON, b"", 400, "malformed"),
        ("air", JSON, b"[" * 200_000, 400, "malformed"),
        ("air", {"Content-Type": "text/csv"}, b"a,b", 415, "unsupported_content_type"),
        ("air", {"Content-Type": ""}, b"[]", 415, "unsupported_content_type"),
        ("air", {**JSON, "Content-Encoding": "gzip"}, b"\x1f\x8b", 415, "unsupported_content_type"),
        ("vessels", JSON, b"[]", 403, "forbidden"),
        ("air", JSON, b"[" + b"{}," * 1_000 + b"{}]", 413, "too_large"),
        ("air", JSON, b" " * (4 * 1024 * 1024 + 1), 413, "too_large"),
    ],
)
async def test_what_cannot_be_taken_is_refused_with_its_reason(source, feed, headers, body, status, code):
    answer = await source.post(f"/api/v1/ingest/{feed}", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_the_bytes_of_an_unreadable_body_are_kept(edge, source):
    assert (await source.post("/api/v1/ingest/air", content=b"[1, 2")).status_code == 400
    assert await edge.count(Topic.DEAD_LETTERS) == 1


async def test_a_feed_that_is_not_pushed_or_not_there_is_not_found(edge):
    async with edge.client(headers={"Authorization": f"Bearer {await edge.key('vessels', 'nothing')}"}) as client:
        for feed in ("vessels", "nothing"):
            answer = await client.post(f"/api/v1/ingest/{feed}", json=[])
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_a_full_house_says_when_to_come_again(edge, source, monkeypatch):
    intake = edge.ingest.push._intake
    monkeypatch.setattr(intake, "_lag_count", lambda: 10_000_000)
    answer = await source.post("/api/v1/ingest/air", json=[reading(edge)])
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "10")
    assert await edge.count(Topic.EVENTS) == 0


async def test_many_senders_at_once_lose_nothing(edge, source):
    bodies = [[reading(edge, sender * 20 + number) for number in range(20)] for sender in range(50)]
    answers = await asyncio.gather(*(source.post("/api/v1/ingest/air", json=body) for body in bodies))
    assert [answer.status_code for answer in answers] == [202] * 50
    assert await edge.count(Topic.EVENTS) == 1_000


strange = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
    | st.sampled_from(["2026-11-23T09:00:00+07:00", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "\ud800",
                       "\0", 1e308, 10**400, -9999, "-", "NaN", "bai-chay-beach", "06652", "air.hong-gai"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
NAMES = {
    "air": ["station", "time", "pm25", "pm10", "temp", "rh", "co"],
    "weather": ["station", "time", "wind_ms", "dir", "type", "id", "hazard", "severity", "areas", "onset", "expires"],
    "border": ["trip", "plate", "gate", "direction", "step", "time", "lane", "type", "vehicles", "mass_kg"],
    "tourism": ["type", "site", "time", "people", "density", "capacity", "in", "out", "group"],
    "units": ["unit", "report_on", "status", "time", "due_at", "items"],
}
records = st.sampled_from(PUSHED).flatmap(
    lambda feed: st.tuples(
        st.just(feed),
        st.lists(st.dictionaries(st.sampled_from(NAMES[feed]), strange, max_size=8) | strange, max_size=6),
    )
)
FUZZ = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@FUZZ
@given(sent=records)
async def test_every_strange_record_is_taken_refused_or_ignored_and_nothing_is_dropped(edge, source, sent):
    feed, body = sent
    before = await edge.count(Topic.EVENTS), await edge.count(Topic.DEAD_LETTERS)
    answer = await source.post(f"/api/v1/ingest/{feed}", content=json.dumps(body))
    after = await edge.count(Topic.EVENTS), await edge.count(Topic.DEAD_LETTERS)
    grown = after[0] - before[0], after[1] - before[1]
    counted = answer.json()
    if answer.status_code == 202:
        assert counted["accepted"] + counted["rejected"] + counted["ignored"] >= len(body)
        assert grown == (counted["accepted"], counted["rejected"])
        assert len(counted["rejections"]) == counted["rejected"]
    else:
        assert answer.status_code == 400
        assert grown == (0, 1)


@FUZZ
@given(feed=st.sampled_from(PUSHED), body=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
async def test_bytes_of_any_kind_are_answered_and_kept(edge, source, feed, body):
    before = await edge.count(Topic.DEAD_LETTERS)
    answer = await source.post(f"/api/v1/ingest/{feed}", content=body)
    assert answer.status_code in {202, 400}
    kept = await edge.count(Topic.DEAD_LETTERS) - before
    assert kept == (1 if answer.status_code == 400 else answer.json()["rejected"])
