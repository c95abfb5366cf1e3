"""What the weather feed takes for a warning."""

from __future__ import annotations

import json

from tests.support.feeds import RECEIVED_AT, fresh_feed

WARNING = {
    "type": "warning",
    "id": "W-1",
    "hazard": "squall",
    "severity": "severe",
    "areas": ["ha-long-bay"],
    "onset": "2026-11-23T09:30:00+07:00",
    "expires": "2026-11-23T12:00:00+07:00",
}


def parse(**fields):
    body = json.dumps([WARNING | fields]).encode()
    return fresh_feed("weather").parse(body, received_at=RECEIVED_AT)


def test_a_headline_that_no_database_keeps_is_refused_with_the_reason():
    for name in ("headline_vi", "headline_en"):
        parsed = parse(**{name: "dông\x00lốc"})
        assert parsed.events == []
        (rejected,) = parsed.rejected
        assert name in rejected.reason


def test_a_headline_may_have_lines_and_any_letters():
    (event,) = parse(headline_vi="Cảnh báo:\ndông, lốc\n").events
    assert event.data.headline_vi == "Cảnh báo:\ndông, lốc\n"
