from __future__ import annotations

import math

import msgspec
import pytest

from connectors.feed import Form, keep_raw
from connectors.registry import DEFINITIONS, configure, find, reparse
from ioc.domain.events import Event, Parsed
from ioc.domain.kinds import KINDS
from ioc.errors import ConfigurationError, MalformedPayloadError, NotFoundError
from tests.support.feeds import RECEIVED_AT, RECORDINGS, Recording, fresh_feed

ROGUE_BODIES = [
    b"",
    b"null",
    b"[",
    b"[1,2",
    b"\xff\xfe\x00",
    b"[" * 100_000 + b"]" * 100_000,
    b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    b"[{},,]",
    b"[] []",
    b'"text"',
    b"\x00" * 1_000,
]

ROGUE_RECORDS = [
    b"[]",
    b"[[]]",
    b"[1]",
    b"[null]",
    b'["text"]',
    b"[{}]",
    b'[{"type":5}]',
    b'[{"type":"no-such"}]',
    b'[{"station":"\\ud800","time":"2026-11-23T09:00:00Z"}]',
    b'[{"station":1e400,"time":1e400}]',
    b'[{"station":' + b"9" * 5_000 + b"}]",
    b'[{"station":"air.x","time":"9999-12-31T23:59:59-12:00"}]',
    b'[{"station":"air.x","time":"0001-01-01T00:00:00+14:00"}]',
    b'[{"unit":"06652","report_on":"0001-01-01","status":"x","time":"2026-11-23T09:00:00Z","due_at":"0001-01-01T00:00:00+14:00"}]',
]

recordings = pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.feed_id)
every_feed = pytest.mark.parametrize("feed_id", DEFINITIONS)


def parse(recording: Recording) -> Parsed:
    return fresh_feed(recording.feed_id).parse(recording.read(), received_at=RECEIVED_AT, form=recording.form)


def parse_or_explain(feed_id: str, body: bytes, form: Form) -> Parsed | str:
    """What was parsed, or why nothing in the body can be read."""
    try:
        return fresh_feed(feed_id).parse(body, received_at=RECEIVED_AT, form=form)
    except MalformedPayloadError as error:
        return error.reason


def extra_events(events: list[Event]) -> int:
    """A warning for several areas is one record and several events."""
    keys = [event.data.warning_key for event in events if event.kind == "met.warning"]
    return len(keys) - len(set(keys))


@recordings
def test_every_record_becomes_an_event_a_rejection_or_is_ignored(recording: Recording) -> None:
    parsed = parse(recording)
    accounted = len(parsed.events) + len(parsed.rejected) + parsed.ignored_count - extra_events(parsed.events)
    assert accounted == recording.record_count
    assert parsed.rejected, "each recording holds a broken record"


@recordings
def test_a_rejected_record_keeps_its_bytes_and_says_why(recording: Recording) -> None:
    body = recording.read()
    for rejected in parse(recording).rejected:
        assert rejected.reason
        if find(recording.feed_id).redact is keep_raw:
            assert rejected.raw in body


@recordings
def test_the_same_payload_gives_the_same_ids_and_a_duplicate_one_id(recording: Recording) -> None:
    first, second = parse(recording).events, parse(recording).events
    assert [event.event_id for event in first] == [event.event_id for event in second]
    assert all(len(event.event_id) == 16 for event in first)
    assert len({event.event_id for event in first}) < len(first), "each recording holds a duplicate"
    twins = {event.event_id: event for event in first}
    assert all(twins[event.event_id] == event for event in first)


@recordings
def test_each_event_is_of_the_feeds_kinds_finite_in_range_and_in_utc(recording: Recording) -> None:
    for event in parse(recording).events:
        assert event.kind in find(recording.feed_id).kinds
        assert event.feed_id == recording.feed_id
        assert event.received_at == RECEIVED_AT
        assert event.observed_at.utcoffset() is not None
        assert event.observed_at.tzname() == "UTC"
        assert KINDS[event.kind].find_fault(event.data) is None
        assert event.asset_id.partition(".")[2]
        for value in msgspec.structs.astuple(event.data):
            assert not isinstance(value, float) or math.isfinite(value)


@recordings
def test_each_recording_holds_a_zero_a_missing_value_and_an_out_of_order_record(recording: Recording) -> None:
    events = parse(recording).events
    values = [value for event in events for value in msgspec.structs.astuple(event.data)]
    assert any(value == 0 and not isinstance(value, bool) for value in values)
    assert None in values
    times = [event.observed_at for event in events]
    assert times != sorted(times)


@recordings
def test_events_survive_the_codec_of_the_log(recording: Recording) -> None:
    for event in parse(recording).events:
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(event), type=Event) == event


@every_feed
@pytest.mark.parametrize("body", ROGUE_BODIES, ids=range(len(ROGUE_BODIES)))
def test_an_unreadable_body_is_malformed_or_rejected_line_by_line(feed_id: str, body: bytes) -> None:
    for form in (Form.JSON, Form.NDJSON, Form.NMEA, Form.CSV):
        parsed = parse_or_explain(feed_id, body, form)
        assert isinstance(parsed, Parsed) or parsed
        assert not isinstance(parsed, Parsed) or parsed.events == []


@every_feed
@pytest.mark.parametrize("body", ROGUE_RECORDS, ids=range(len(ROGUE_RECORDS)))
def test_a_rogue_record_is_rejected_alone(feed_id: str, body: bytes) -> None:
    if Form.JSON not in find(feed_id).forms:
        pytest.skip("does not speak JSON")
    parsed = fresh_feed(feed_id).parse(body, received_at=RECEIVED_AT)
    assert parsed.events == []
    assert len(parsed.rejected) == (0 if body == b"[]" else 1)


@every_feed
def test_a_body_that_cannot_be_read_is_kept_whole(feed_id: str) -> None:
    form = Form.JSON if Form.JSON in find(feed_id).forms else Form.CSV
    parsed = fresh_feed(feed_id).parse_or_bury(b"[{]", received_at=RECEIVED_AT, form=form)
    assert [rejected.raw for rejected in parsed.rejected] == [b"[{]"]


@recordings
def test_a_dead_letter_parses_to_the_same_refusal_again_and_never_raises(recording: Recording) -> None:
    feed = fresh_feed(recording.feed_id)
    for rejected in feed.parse(recording.read(), received_at=RECEIVED_AT, form=recording.form).rejected:
        again = reparse(feed, rejected.raw, RECEIVED_AT)
        assert len(again.rejected) == 1
        assert again.events == []


@every_feed
def test_an_unknown_setting_of_a_feed_is_named(feed_id: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        configure(feed_id, {"expectd_period": 5})
    assert "expectd_period" in caught.value.faults[0]


def test_an_unknown_feed_is_not_found() -> None:
    with pytest.raises(NotFoundError):
        find("no-such-feed")
