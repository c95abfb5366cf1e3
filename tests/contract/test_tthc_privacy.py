"""Nothing of an applicant leaves the feed of cases: no number of a case, no name, no ID, no telephone."""

from __future__ import annotations

import json
from datetime import timedelta

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.feed import Form
from connectors.intake import make_letters
from connectors.registry import open_feed, reparse
from ioc.messaging.codec import encode_block
from tests.support.feeds import RECEIVED_AT, fresh_feed

SOUND: dict[str, object] = {
    "type": "case", "case": "H49-PLANTED-0042", "unit": "06652", "procedure": "1.004222.H49", "status": "received",
    "time": "2026-11-23T09:00:00+07:00", "filed_at": "2026-11-23T08:00:00+07:00",
    "due_at": "2026-11-26T08:00:00+07:00", "online": True,
}  # fmt: skip
PLANTED = ["Nguyễn Văn Planted", "022079-PLANTED", "+84 900 PLANTED", "PLANTED"]
PLACES = [
    *("applicant", "id_number", "phone", "address", "note", "nested", "unit", "procedure", "status", "time", "done_at"),
    *("online", "type", "case"),
]


def keep(body: bytes, form: Form = Form.JSON) -> bytes:
    """What the log and the dead letters keep of a body."""
    parsed = fresh_feed("tthc").parse_or_bury(body, received_at=RECEIVED_AT, form=form)
    letters = make_letters(parsed, feed_id="tthc", received_at=RECEIVED_AT)
    assert parsed.events or letters
    return bytes(encode_block([*parsed.events])) + b"".join(msgspec.msgpack.encode(letter) for letter in letters)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), form=st.sampled_from([Form.JSON, Form.NDJSON]))
def test_nothing_of_an_applicant_leaves_the_tthc_feed(data: st.DataObject, form: Form) -> None:
    planted, place = data.draw(st.sampled_from(PLANTED)), data.draw(st.sampled_from(PLACES))
    record = dict(SOUND)
    record[place] = [{"papers": {"name": planted}}] if place == "nested" else planted
    if data.draw(st.booleans(), label="refused"):
        record["due_at"] = "2026-11-01T08:00:00+07:00"
    body = json.dumps([record], ensure_ascii=data.draw(st.booleans())).encode()
    if data.draw(st.booleans(), label="cut"):
        body = body[: data.draw(st.integers(1, len(body) - 1))]
    kept = keep(body, form)
    for written in ("Nguy", "PLANTED", "Planted"):
        assert written.encode() not in kept


@pytest.mark.parametrize("due_at", ["2026-11-26T08:00:00Z", "2026-11-01T08:00:00Z", "soon"])
def test_nothing_of_an_applicant_leaves_a_file_of_cases(due_at: str) -> None:
    body = (
        "type,case,unit,procedure,status,time,filed_at,due_at,applicant,id_number\n"
        "case,H49-PLANTED-0042,06652,1.004222,received,2026-11-23T02:00:00Z,2026-11-23T01:00:00Z,"
        f"{due_at},Nguyen Planted,022079000042\n"
    ).encode()
    kept = keep(body, Form.CSV)
    for written in (b"PLANTED", b"Planted", b"Nguyen", b"022079000042"):
        assert written not in kept


def test_a_case_is_one_asset_in_all_its_records_and_another_under_another_key() -> None:
    body = json.dumps(
        [
            SOUND,
            {"type": "rating", "case": SOUND["case"], "unit": "06652", "time": SOUND["time"], "rating": 4},
            {"type": "payment", "case": SOUND["case"], "unit": "06652", "time": SOUND["time"], "amount": 8000},
        ]
    ).encode()
    assets = {event.asset_id for event in fresh_feed("tthc").parse(body, received_at=RECEIVED_AT).events}
    assert len(assets) == 1
    assert len(assets.copy().pop()) == len("case.") + 32
    other = open_feed("tthc", pseudonym_key=b"another key of the same length!!")
    assert other.parse(body, received_at=RECEIVED_AT).events[0].asset_id not in assets


def test_a_case_that_is_retried_from_its_dead_letter_is_the_same_case() -> None:
    feed = fresh_feed("tthc")
    early = json.dumps({**SOUND, "time": "2026-11-23T10:00:00+07:00"}).encode()
    (refused,) = feed.parse(early, received_at=RECEIVED_AT).rejected
    (again,) = reparse(feed, refused.raw, RECEIVED_AT + timedelta(hours=1)).events
    (sound,) = feed.parse(json.dumps(SOUND).encode(), received_at=RECEIVED_AT).events
    assert (again.asset_id, again.data) == (sound.asset_id, sound.data)
