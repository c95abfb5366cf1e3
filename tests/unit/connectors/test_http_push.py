"""A pushed body: counted, on the log before the answer, broken parts kept; refused as a whole only for what it is."""

from __future__ import annotations

import asyncio
import json

import pytest

from connectors.feed import Form
from connectors.intake import Intake
from connectors.registry import DEFINITIONS
from connectors.transports.http_push import HttpPush, Rejection, TooLargeError, UnsupportedContentError
from ioc.errors import LogUnavailableError, MalformedPayloadError, NotFoundError, OverloadedError
from tests.support.feeds import RECORDINGS, FakeLog, HastyClock, eventually, fresh_feed

JSON = "application/json"
NDJSON = "application/x-ndjson"
SOUND = {"station": "air.hong-gai", "time": "2026-11-23T09:00:00+07:00", "pm25": 0, "pm10": None}
OTHER = {"station": "air.bai-chay", "time": "2026-11-23T08:59:00+07:00", "pm25": 12.5}
BROKEN = {"station": "air.hong-gai", "time": "yesterday", "pm25": 1}


@pytest.fixture
def log() -> FakeLog:
    return FakeLog()


@pytest.fixture
def push(log: FakeLog) -> HttpPush:
    return _push(log)


def _push(log: FakeLog, **settings: object) -> HttpPush:
    feeds = {feed_id: fresh_feed(feed_id) for feed_id in DEFINITIONS}
    return HttpPush(feeds, Intake(log, **settings), HastyClock())


async def test_a_list_is_taken_record_by_record(push, log):
    result = await push.receive("air", json.dumps([SOUND, BROKEN, OTHER]).encode(), JSON)
    assert (result.accepted_count, result.rejected_count, result.ignored_count) == (2, 1, 0)
    assert [rejection.index for rejection in result.rejections] == [1]
    assert [event.asset_id for event in log.events] == ["air.hong-gai", "air.bai-chay"]
    assert log.events[0].data.pm25_ug_m3 == 0
    assert log.events[0].data.pm10_ug_m3 is None
    assert json.loads(log.letters[0].raw) == BROKEN


async def test_a_single_object_is_a_body_too(push, log):
    result = await push.receive("air", json.dumps(SOUND).encode(), "application/json; charset=utf-8")
    assert (result.accepted_count, len(log.events)) == (1, 1)


@pytest.mark.parametrize("content_type", [NDJSON, "application/jsonl", "Application/X-JSONLines"])
async def test_lines_are_taken_line_by_line_and_a_broken_one_is_kept(push, log, content_type):
    body = b"\n".join([json.dumps(SOUND).encode(), b"{half a rec", b"", json.dumps(OTHER).encode()])
    result = await push.receive("air", body, content_type)
    assert (result.accepted_count, result.rejected_count) == (2, 1)
    assert [letter.raw for letter in log.letters] == [b"{half a rec"]
    assert result.to_wire()["rejections"] == [{"index": 1, "reason": result.rejections[0].reason}]


@pytest.mark.parametrize("body", [b"", b"[", b'[{"station":', b"\xff\xfe", b"[{},,]"])
async def test_a_body_that_cannot_be_read_is_refused_and_its_bytes_are_kept(push, log, body):
    with pytest.raises(MalformedPayloadError) as caught:
        await push.receive("air", body, JSON)
    assert caught.value.reason
    assert [letter.raw for letter in log.letters] == [body]
    assert log.events == []


async def test_an_unreadable_body_of_the_border_is_kept_without_plates(push, log):
    with pytest.raises(MalformedPayloadError):
        await push.receive("border", b'[{"trip":"T-SECRET-1","plate":"14C-987.65","gate":', JSON)
    assert len(log.letters) == 1
    assert b"SECRET" not in log.letters[0].raw
    assert b"987" not in log.letters[0].raw


@pytest.mark.parametrize("recording", [each for each in RECORDINGS if each.form is Form.JSON], ids=lambda r: r.feed_id)
async def test_each_pushed_feeds_recording_is_on_the_log_when_the_answer_comes(push, log, recording):
    result = await push.receive(recording.feed_id, recording.read(), JSON)
    assert (result.accepted_count, result.rejected_count) == (len(log.events), len(log.letters))
    assert result.accepted_count > 0
    assert result.rejected_count > 0


async def test_the_same_body_again_has_the_same_ids(push, log):
    body = json.dumps([SOUND, OTHER]).encode()
    await push.receive("air", body, JSON)
    await push.receive("air", body, JSON)
    ids = [event.event_id for event in log.events]
    assert ids[:2] == ids[2:]


async def test_the_answer_waits_for_the_log(push, log):
    log.gate.clear()
    answer = asyncio.create_task(push.receive("air", json.dumps(SOUND).encode(), JSON))
    with pytest.raises(TimeoutError):
        await eventually(answer.done, deadline_s=0.05)
    assert log.events == []
    log.gate.set()
    assert (await answer).accepted_count == 1


async def test_a_log_that_refuses_is_said_and_sending_again_is_safe(push, log):
    log.faults.append(LogUnavailableError("disk full"))
    with pytest.raises(LogUnavailableError):
        await push.receive("air", json.dumps(SOUND).encode(), JSON)
    assert (await push.receive("air", json.dumps(SOUND).encode(), JSON)).accepted_count == 1


async def test_what_is_no_pushed_feed_is_not_found(push):
    for feed_id in ("no-such-feed", "vessels"):
        with pytest.raises(NotFoundError):
            await push.receive(feed_id, b"[]", JSON)


@pytest.mark.parametrize("content_type", ["", "text/csv", "application/xml", "application/json-patch"])
async def test_other_content_is_refused_unread(push, log, content_type):
    with pytest.raises(UnsupportedContentError):
        await push.receive("air", b"[", content_type)
    assert log.letters == []


async def test_too_many_records_or_bytes_are_refused_whole(push, log):
    with pytest.raises(TooLargeError) as caught:
        await push.receive("air", json.dumps([SOUND] * 1_001).encode(), JSON)
    assert caught.value.what == "records"
    with pytest.raises(TooLargeError) as caught:
        await push.receive("air", b" " * (push.most_bytes + 1), JSON)
    assert caught.value.what == "bytes"
    assert log.appends == []


async def test_readers_far_behind_turn_senders_away_before_anything_is_read(log):
    lag = 501
    push = _push(log, lag_count=lambda: lag, shed_lag=500)
    with pytest.raises(OverloadedError) as caught:
        await push.receive("air", json.dumps(SOUND).encode(), JSON)
    assert caught.value.retry_after.total_seconds() > 0
    lag = 500
    assert (await push.receive("air", json.dumps(SOUND).encode(), JSON)).accepted_count == 1


async def test_rejections_come_in_the_order_of_the_body(push):
    result = await push.receive("air", json.dumps([BROKEN, SOUND, BROKEN, 5]).encode(), JSON)
    assert [rejection.index for rejection in result.rejections] == [0, 2, 3]
    assert all(isinstance(rejection, Rejection) and rejection.reason for rejection in result.rejections)
