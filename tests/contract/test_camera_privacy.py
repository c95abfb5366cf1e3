"""Nothing that a camera's analysis says about a person leaves the feed: no plate, no face, no name."""

from __future__ import annotations

import json

import msgspec
import pytest

from connectors.feed import Form
from connectors.intake import make_letters
from ioc.messaging.codec import encode_block
from tests.support.feeds import RECEIVED_AT, fresh_feed

SOUND = {
    "type": "event",
    "camera": "06652-1",
    "time": "2026-11-23T09:00:00+07:00",
    "label": "person",
    "confidence": 0.9,
}
PLANTED = "Nguyen Van Planted 14A-777.77"


@pytest.mark.parametrize(
    "key", ["face", "plate", "person_name", "picture", "label", "zone", "time", "type", "confidence"]
)
@pytest.mark.parametrize("broken", [False, True], ids=["sound", "broken"])
@pytest.mark.parametrize("form", [Form.JSON, Form.NDJSON])
def test_no_word_about_a_person_leaves_the_cameras_feed(key: str, broken: bool, form: Form) -> None:
    body = json.dumps({**SOUND, "confidence": 93 if broken else 0.9, "objects": 1, key: PLANTED}).encode()
    for payload in (body, b"[" + body + b"]", body[:-1], body.replace(b'"camera"', b"camera")):
        parsed = fresh_feed("cameras").parse_or_bury(payload, received_at=RECEIVED_AT, form=form)
        letters = make_letters(parsed, feed_id="cameras", received_at=RECEIVED_AT)
        assert parsed.events or letters
        kept = bytes(encode_block([*parsed.events])) + b"".join(msgspec.msgpack.encode(letter) for letter in letters)
        for word in (b"Nguyen", b"Planted", b"777"):
            assert word not in kept, kept
