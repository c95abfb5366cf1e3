"""No plate leaves the traffic feed: not in events, not in what the log keeps of them, not in dead letters."""

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
from ioc.domain.kinds import PlateRead
from ioc.messaging.codec import encode_block
from tests.support.feeds import RECEIVED_AT, fresh_feed

PLATES = ["14A-123.45", "29H 678.90", "粤E·12345港", "XE-PLANTED-77"]
PLACES = [None, "driver", "class", "direction", "time", "speed_kmh", "type", "vehicles", "nested"]


@st.composite
def passages(draw: st.DrawFn) -> tuple[bytes, str]:
    """A body about a vehicle with its plate where it belongs and where it does not, sound or broken."""
    plate = draw(st.sampled_from(PLATES))
    record: dict[str, object] = {
        "type": "anpr", "camera": "anpr-bai-chay", "time": "2026-11-23T09:00:00+07:00", "plate": plate, "class": "car",
        "direction": "in", "speed_kmh": 48,
    }  # fmt: skip
    place = draw(st.sampled_from(PLACES))
    if place == "nested":
        record["owner"] = [{"papers": {"plate": plate}}]
    elif place is not None:
        record[place] = plate
    body = json.dumps([record], ensure_ascii=draw(st.booleans())).encode()
    return (body[: draw(st.integers(1, len(body) - 1))] if draw(st.booleans()) else body), plate


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(passage=passages(), form=st.sampled_from([Form.JSON, Form.NDJSON]))
def test_no_plate_leaves_the_traffic_feed(passage: tuple[bytes, str], form: Form) -> None:
    body, plate = passage
    parsed = fresh_feed("traffic").parse_or_bury(body, received_at=RECEIVED_AT, form=form)
    letters = make_letters(parsed, feed_id="traffic", received_at=RECEIVED_AT)
    assert parsed.events or letters
    kept = bytes(encode_block([*parsed.events])) + b"".join(msgspec.msgpack.encode(letter) for letter in letters)
    for written in (plate.encode(), json.dumps(plate)[1:-1].encode(), plate.encode("utf-16-le")):
        assert written not in kept


@pytest.mark.parametrize("speed", ["48", "-4", "fast"])
def test_no_plate_leaves_a_file_of_passages(speed: str) -> None:
    body = f"type,camera,time,plate,speed_kmh\nanpr,anpr-bai-chay,2026-11-23T09:00:00Z,14A-123.45,{speed}\n".encode()
    parsed = fresh_feed("traffic").parse(body, received_at=RECEIVED_AT + timedelta(days=1), form=Form.CSV)
    letters = make_letters(parsed, feed_id="traffic", received_at=RECEIVED_AT)
    assert len(parsed.events) + len(letters) == 1
    kept = bytes(encode_block([*parsed.events])) + b"".join(msgspec.msgpack.encode(letter) for letter in letters)
    assert b"123" not in kept


def read(plate: object, *, key: bytes | None = None) -> PlateRead:
    body = json.dumps(
        {"type": "anpr", "camera": "anpr-bai-chay", "time": "2026-11-23T09:00:00+07:00", "plate": plate}
    ).encode()
    feed = fresh_feed("traffic") if key is None else open_feed("traffic", pseudonym_key=key)
    data = feed.parse(body, received_at=RECEIVED_AT).events[0].data
    assert isinstance(data, PlateRead)
    return data


def test_a_vehicle_is_the_same_however_its_plate_is_written_and_another_under_another_key() -> None:
    hashes = {read(plate).plate_hash for plate in ("14A-123.45", "14A 12345", "14a12345")}
    assert len(hashes) == 1
    assert len(hashes.pop()) == 32
    assert read("14A-123.45", key=b"another key of the same length!!").plate_hash != read("14A-123.45").plate_hash
    assert read("14A-123.46").plate_hash != read("14A-123.45").plate_hash


@pytest.mark.parametrize("plate", [None, ""])
def test_a_plate_that_was_not_read_is_nobodys(plate: str | None) -> None:
    assert read(plate).plate_hash == ""


def test_a_passage_that_is_retried_from_its_dead_letter_is_the_same_vehicles() -> None:
    body = b'[{"type":"anpr","camera":"anpr-bai-chay","time":"2026-11-23T10:00:00+07:00","plate":"14a 123.45"}]'
    feed = fresh_feed("traffic")
    refused = feed.parse(body, received_at=RECEIVED_AT).rejected
    assert len(refused) == 1
    again = reparse(feed, refused[0].raw, RECEIVED_AT + timedelta(hours=1)).events
    assert isinstance(again[0].data, PlateRead)
    assert again[0].data.plate_hash == read("14A-123.45").plate_hash
