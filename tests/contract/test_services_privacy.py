"""Nobody who reported, was watched, taught or is in charge leaves the feeds of citizens, networks and registers."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.feed import Form
from connectors.intake import make_letters
from ioc.messaging.codec import encode_block
from tests.support.feeds import RECEIVED_AT, fresh_feed

TIME = "2026-11-23T09:00:00+07:00"
REPORT: dict[str, Any] = {"id": "PA-77", "unit": "06652", "time": TIME, "category": "litter", "status": "new"}
ALERT: dict[str, Any] = {
    "type": "alert", "id": "CA-77", "time": TIME, "severity": "high", "category": "phishing", "status": "open",
    "opened_at": TIME,
}  # fmt: skip
CALLS: dict[str, Any] = {"type": "calls", "db": "population", "time": TIME, "calls": 9, "errors": 1, "period_s": 60}
TASK: dict[str, Any] = {
    "type": "directive", "no": "7", "time": TIME, "owner": "Sở X", "status": "open", "due_on": "2026-12-31",
}  # fmt: skip
CLASS: dict[str, Any] = {
    "type": "training", "session": "17", "time": TIME, "topic": "x", "status": "held", "held_on": "2026-11-20",
}  # fmt: skip
PLANTED = ["Nguyễn Văn Planted", "PLANTED 0900", "planted@example.invalid"]
PLACES = [
    *[("citizens", REPORT, key) for key in ("id", "reporter", "phone", "text", "category", "channel", "status", "lon")],
    *[("networks", ALERT, key) for key in ("account", "source_ip", "category", "unit", "opened_at", "events")],
    *[("networks", CALLS, key) for key in ("query", "citizen", "db", "calls")],
    *[("registers", TASK, key) for key in ("contact", "signed_by", "status", "due_on", "progress_pct")],
    *[("registers", CLASS, key) for key in ("trainees", "trainer", "people", "session")],
]


@pytest.mark.parametrize("feed_id", ["citizens", "networks", "registers"])
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_no_word_about_a_person_leaves_the_feed(feed_id: str, data: st.DataObject) -> None:
    _, sound, key = data.draw(st.sampled_from([place for place in PLACES if place[0] == feed_id]))
    planted = data.draw(st.sampled_from(PLANTED))
    record = {**sound, key: data.draw(st.sampled_from([planted, [planted], {"name": planted}]))}
    if data.draw(st.booleans(), label="refused"):
        record["time"] = "2026-11-29T09:00:00+07:00"
    body = json.dumps([record], ensure_ascii=data.draw(st.booleans())).encode()
    if data.draw(st.booleans(), label="cut"):
        body = body[: data.draw(st.integers(1, len(body) - 1))]
    form = data.draw(st.sampled_from([Form.JSON, Form.NDJSON]))
    parsed = fresh_feed(feed_id).parse_or_bury(body, received_at=RECEIVED_AT, form=form)
    letters = make_letters(parsed, feed_id=feed_id, received_at=RECEIVED_AT)
    assert parsed.events or letters
    kept = bytes(encode_block([*parsed.events])) + b"".join(msgspec.msgpack.encode(letter) for letter in letters)
    assert b"planted" not in kept.lower()
    assert "Nguyễn".encode() not in kept


def test_a_report_stands_in_its_street_and_at_nobodys_door() -> None:
    body = json.dumps({**REPORT, "lon": 107.051234, "lat": 20.962345}).encode()
    (event,) = fresh_feed("citizens").parse(body, received_at=RECEIVED_AT).events
    assert (event.lon_deg, event.lat_deg, event.unit_code) == (107.051, 20.962, "06652")
