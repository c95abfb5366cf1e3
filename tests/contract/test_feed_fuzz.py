"""Whatever bytes come: events, rejected or ignored records, never an exception; nothing lost and nobody's name kept."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import count

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.feed import Form
from connectors.intake import make_letters
from connectors.registry import DEFINITIONS, open_feed, reparse
from ioc.domain.events import Parsed
from ioc.messaging.codec import encode_block
from tests.support.feeds import RECEIVED_AT, RECORDINGS, fresh_feed

FORMS = [(feed_id, form) for feed_id, definition in DEFINITIONS.items() for form in sorted(definition.forms)]
# One file per feed is read at import so that hypothesis can cut into it.
BODIES = {recording.feed_id: recording.read() for recording in RECORDINGS}

every_form = pytest.mark.parametrize(("feed_id", "form"), FORMS, ids=lambda value: str(value))
unhurried = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.datetimes().map(str),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def damaged(draw: st.DrawFn, body: bytes) -> bytes:
    """A sound body with pieces cut out, doubled or overwritten."""
    for _ in range(draw(st.integers(1, 4))):
        start, end = sorted((draw(st.integers(0, len(body))), draw(st.integers(0, len(body)))))
        body = (
            body[:start]
            + draw(st.sampled_from([b"", body[start:end] * 2, b"\xff", b'"', b"{", b"9" * 40]))
            + body[end:]
        )
    return body


def account(parsed: Parsed) -> int:
    """Records of a body: warnings for several areas are one."""
    warnings = [event.data.warning_key for event in parsed.events if event.kind == "met.warning"]
    doubled = len(warnings) - len(set(warnings))
    return len(parsed.events) - doubled + len(parsed.rejected) + parsed.ignored_count


@every_form
@unhurried
@given(data=st.data())
def test_any_bytes_become_events_or_are_kept(feed_id: str, form: Form, data: st.DataObject) -> None:
    body = data.draw(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace")))
    feed = fresh_feed(feed_id)
    parsed = feed.parse_or_bury(body, received_at=RECEIVED_AT, form=form)
    assert all(rejected.reason for rejected in parsed.rejected)
    assert encode_block(parsed.events) or not parsed.events
    if form is Form.NDJSON:
        lines = [line for line in body.split(b"\n") if line.strip()]
        assert account(parsed) == len(lines)


@every_form
@unhurried
@given(data=st.data())
def test_a_damaged_recording_loses_no_more_than_what_was_damaged(feed_id: str, form: Form, data: st.DataObject) -> None:
    body = data.draw(damaged(BODIES[feed_id]))
    parsed = fresh_feed(feed_id).parse_or_bury(body, received_at=RECEIVED_AT, form=form)
    for rejected in parsed.rejected:
        assert rejected.reason
        again = reparse(fresh_feed(feed_id), rejected.raw, RECEIVED_AT)  # a retry loses nothing either
        assert again.events or again.rejected or again.ignored_count or not rejected.raw.strip(b" \t\r\n[],")
    if parsed.rejected and feed_id not in ("border", "transit"):
        held = b"".join(rejected.raw for rejected in parsed.rejected)
        assert held or not body


@pytest.mark.parametrize("feed_id", [recording.feed_id for recording in RECORDINGS if recording.form is Form.JSON])
@unhurried
@given(data=st.data())
def test_records_of_any_shape_are_each_accounted_for(feed_id: str, data: st.DataObject) -> None:
    sound = [record for record in msgspec.json.decode(_sound(feed_id)) if isinstance(record, dict)]
    keys = sorted({key for record in sound for key in record})
    strange = st.dictionaries(st.sampled_from(keys), values, max_size=8)
    changed = st.builds(lambda record, other: {**record, **other}, st.sampled_from(sound), strange)
    records = data.draw(st.lists(strange | changed | st.sampled_from(sound) | values, max_size=6))
    parsed = fresh_feed(feed_id).parse_or_bury(json.dumps(records).encode(), received_at=RECEIVED_AT)
    whole = parsed.rejected and parsed.rejected[0].raw == json.dumps(records).encode()
    if not whole:
        warnings = sum(isinstance(record, dict) and record.get("type") == "warning" for record in records)
        assert len(records) - warnings <= account(parsed) <= len(records) + warnings * 8


def _sound(feed_id: str) -> bytes:
    """The recording without the lines that no JSON reader takes."""
    lines = [line.rstrip(b",") for line in BODIES[feed_id].splitlines() if line.startswith(b"{")]
    return b"[" + b",".join(line for line in lines if not _is_broken(line)) + b"]"


def _is_broken(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except msgspec.DecodeError:
        return True
    return False


PLATES = ["14C-123.45", "29H 678.90", "粤E·12345港", "XE-PLANTED-77"]
TRIPS = ["T-PLANTED-0001", "TRIP/PLANTED/Ñ", "8888-PLANTED"]


@st.composite
def truck_bodies(draw: st.DrawFn) -> tuple[bytes, list[str]]:
    """A body about trucks with identifiers in the places where they belong and where they do not, sound or broken."""
    plate, trip = draw(st.sampled_from(PLATES)), draw(st.sampled_from(TRIPS))
    record: dict[str, object] = {
        "trip": trip, "plate": plate, "gate": "bac-luan-2", "direction": "export", "step": "weigh",
        "time": "2026-11-23T09:00:00+07:00", "lane": "green", "goods": "fruit", "mass_kg": 18500,
    }  # fmt: skip
    place = draw(st.sampled_from([None, "driver", "goods", "lane", "direction", "time", "mass_kg", "nested"]))
    if place == "nested":
        record["crew"] = [{"name": plate, "papers": {"trip": trip}}]
    elif place is not None:
        record[place] = draw(st.sampled_from([plate, trip]))
    body = json.dumps([record], ensure_ascii=draw(st.booleans())).encode()
    if draw(st.booleans()):
        cut = draw(st.integers(1, len(body) - 1))
        body = body[:cut]
    return body, [plate, trip]


@settings(unhurried, max_examples=200)
@given(truck=truck_bodies(), form=st.sampled_from([Form.JSON, Form.NDJSON]))
def test_no_plate_and_no_trip_leaves_the_border_feed(truck: tuple[bytes, list[str]], form: Form) -> None:
    body, planted = truck
    parsed = fresh_feed("border").parse_or_bury(body, received_at=RECEIVED_AT, form=form)
    letters = make_letters(parsed, feed_id="border", received_at=RECEIVED_AT)
    assert parsed.events or letters
    kept = bytes(encode_block([*parsed.events])) + b"".join(msgspec.msgpack.encode(letter) for letter in letters)
    for identifier in planted:
        for written in (identifier.encode(), json.dumps(identifier)[1:-1].encode(), identifier.encode("utf-16-le")):
            assert written not in kept


def test_one_trip_is_one_truck_under_one_key_and_another_under_another() -> None:
    body = b'[{"trip":"T-1","gate":"bac-luan-2","direction":"export","step":"%s","time":"2026-11-23T09:00:00+07:00"}]'
    feed = fresh_feed("border")
    assets = {
        feed.parse(body % step, received_at=RECEIVED_AT).events[0].asset_id for step in (b"weigh", b"scan", b"exit")
    }
    assert len(assets) == 1
    other = open_feed("border", pseudonym_key=b"another key of the same length!!")
    assert other.parse(body % b"weigh", received_at=RECEIVED_AT).events[0].asset_id not in assets


def test_every_letter_of_a_payload_has_an_id_of_its_own_and_the_same_one_again() -> None:
    numbers = count()
    parsed = fresh_feed("air").parse_or_bury(
        b"\n".join(b"{%d" % next(numbers) for _ in range(50)), received_at=RECEIVED_AT, form=Form.NDJSON
    )
    first, again = (make_letters(parsed, feed_id="air", received_at=RECEIVED_AT) for _ in range(2))
    assert len({letter.dead_letter_id for letter in first}) == 50
    assert [letter.dead_letter_id for letter in first] == [letter.dead_letter_id for letter in again]
    later = make_letters(parsed, feed_id="air", received_at=datetime(2026, 11, 23, 3, tzinfo=UTC))
    assert {letter.dead_letter_id for letter in later}.isdisjoint(letter.dead_letter_id for letter in first)
