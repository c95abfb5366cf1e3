"""Personal data planted in every feed's recorded messages is found nowhere behind ``parse``: no log, no letter.

Every feed is here by itself: whoever adds one adds its recording, and this test plants in each of its fields.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from connectors.feed import Form, keep_raw
from connectors.intake import make_letters
from connectors.registry import DEFINITIONS
from ioc.domain.events import Event, Signal
from ioc.messaging.codec import encode_block
from tests.support.feeds import RECEIVED_AT, RECORDINGS, fresh_feed

PERSON = ("Nguyễn Văn Planted", "planted@example.invalid", "PLANTED 001099")
NUMBERS = ("079099123456", "+84912345678", "14A-987.65", "C7654321")
"""An identity number, a phone, a plate, a passport."""
JSON_FEEDS = {recording.feed_id: recording for recording in RECORDINGS if recording.form in (Form.JSON, Form.NGSI_LD)}
OTHER_FORMS = {"vessels", "transit"}
"""NMEA and protobuf: what they carry is fixed by their standards, and holds no free text but a boat's name."""
THINGS = {"air", "weather", "water", "energy", "units"}
"""Feeds of devices and counts: a record that they refuse is kept as it came, so that the device can be mended."""
NAMES_OF_THINGS = {
    "gate",
    "site",
    "camera",
    "counter",
    "link",
    "db",
    "no",
    "session",
    "unit",
    "project",
    "indicator",
    "zone",
    "road",
}
"""Fields where an installation has its own number: digits there name a thing. Names of people are planted there too."""
NUMBERED = {
    *(("ngsi_ld", key) for key in ("id", "type", "laneDirection", "serviceStatus")),
    *(("registers", key) for key in ("period", "method_version")),
    *(("sensorthings", key) for key in ("@iot.id", "Datastream@iot.navigationLink")),
    *((feed, "id") for feed in ("networks", "traffic")),
}
"""Entities, alerts, incidents, versions and links, by their number or code in the source's books."""
PUBLISHED = {
    ("weather", "headline_vi"), ("weather", "headline_en"), ("registers", "owner"), ("registers", "title"),
    ("registers", "topic"), ("registers", "source"), ("registers", "unit"), ("sensorthings", "Datastream"),
}  # fmt: skip
"""Texts that their source publishes: warnings, offices, plans, what a stream of data measures."""


def planted_bodies(feed_id: str) -> Iterator[tuple[str, str, bytes]]:
    """Give what was planted, where, and the body: in each field of each record, and in a field that nobody knows."""
    recorded = json.loads(JSON_FEEDS[feed_id].read())
    records = recorded["data"] if isinstance(recorded, dict) else recorded
    for record in records:
        for key in sorted({*record, "full_name"} - {key for feed, key in PUBLISHED if feed == feed_id}):
            names_a_thing = feed_id in THINGS or key in NAMES_OF_THINGS or (feed_id, key) in NUMBERED
            for word in PERSON if names_a_thing else (*PERSON, *NUMBERS):
                for value in (word, [word], {"name": word}):
                    body: Any = [{**record, key: value}]
                    whole = {**recorded, "data": body} if isinstance(recorded, dict) else body
                    yield word, key, json.dumps(whole).encode()


def test_every_feed_is_looked_at() -> None:
    assert JSON_FEEDS.keys() | OTHER_FORMS == DEFINITIONS.keys()
    assert {feed_id for feed_id in JSON_FEEDS if DEFINITIONS[feed_id].redact is keep_raw} == THINGS


@pytest.mark.parametrize("feed_id", sorted(JSON_FEEDS))
def test_nothing_about_a_person_leaves_a_feed(feed_id: str) -> None:
    feed, form = fresh_feed(feed_id), JSON_FEEDS[feed_id].form
    for word, key, body in planted_bodies(feed_id):
        parsed = feed.parse_or_bury(body, received_at=RECEIVED_AT, form=form)
        kept = _behind(parsed.events)
        if feed_id not in THINGS:
            letters = make_letters(parsed, feed_id=feed_id, received_at=RECEIVED_AT)
            kept += b"".join(msgspec.msgpack.encode(letter) for letter in letters)
        for form_of_word in (word, json.dumps(word)[1:-1]):
            assert form_of_word.lower().encode() not in kept.lower(), f"{key} = {word}"


def _behind(events: list[Event]) -> bytes:
    """Give the bytes of every later stage: the log's events, and the signals that rules make of them."""
    signals = [Signal(scope="province", event=event) for event in events]
    return bytes(encode_block([*events])) + bytes(encode_block([*signals]))
