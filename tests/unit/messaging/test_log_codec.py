"""The codec by itself: round trips, versions, and broken bytes anywhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ioc.domain.events import Event, Signal
from ioc.domain.ids import event_id
from ioc.domain.kinds import AirReading, VesselPosition
from ioc.messaging.codec import VERSION, decode_block, decode_records, encode_block, encode_record
from ioc.ports import Topic
from tests.support.logs import event, letter

instants = st.datetimes(
    min_value=datetime(1990, 1, 1),  # noqa: DTZ001  hypothesis takes bounds without a zone
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def events(draw: st.DrawFn) -> Event:
    observed_at, asset_id = draw(instants), draw(st.text(min_size=1, max_size=20))
    return Event(
        event_id=event_id("test", "key", observed_at, "test"),
        feed_id=draw(st.text(max_size=10)),
        asset_id=asset_id,
        observed_at=observed_at,
        received_at=observed_at + timedelta(microseconds=draw(st.integers(0, 10**12))),
        data=AirReading(pm25_ug_m3=draw(numbers), rh_pct=draw(numbers)),
        lon_deg=draw(numbers),
        lat_deg=draw(numbers),
        unit_code=draw(st.none() | st.text(max_size=5)),
        quality=draw(st.integers(0, 3)),
    )


@given(st.lists(events(), min_size=1, max_size=20))
def test_a_block_comes_back_as_it_was(items: list[Event]) -> None:
    assert decode_block(Topic.EVENTS, bytes(encode_block(items)), first_offset=0).items == items


@given(events())
def test_a_record_comes_back_as_it_was(item: Event) -> None:
    signal = Signal(scope="province", event=item)
    assert decode_records(Topic.EVENTS, [(0, encode_record(item))]).items == [item]
    assert decode_records(Topic.SIGNALS, [(0, encode_record(signal))]).items == [signal]


@given(st.data())
def test_broken_bytes_never_raise_and_never_vanish(data: st.DataObject) -> None:
    block = bytearray(encode_block([event(number) for number in range(5)]))
    for _ in range(data.draw(st.integers(1, 4))):
        block[data.draw(st.integers(0, len(block) - 1))] = data.draw(st.integers(0, 255))
    decoded = decode_block(Topic.EVENTS, bytes(block), first_offset=10)
    if any("block" in reason or "schema" in reason for _, _, reason in decoded.undecodable):
        assert [raw for _, raw, _ in decoded.undecodable] == [bytes(block)]
    else:
        assert len(decoded) == 5
        assert all(10 <= offset < 15 for offset, _, _ in decoded.undecodable)


@given(st.binary(max_size=200))
def test_any_bytes_as_a_record_are_an_item_or_are_reported(raw: bytes) -> None:
    for topic in Topic:
        assert len(decode_records(topic, [(7, raw)])) == 1


def test_one_broken_record_of_a_block_leaves_its_neighbours_readable() -> None:
    sound = [encode_record(event(number))[1:] for number in range(3)]
    block = bytes([VERSION]) + b"\x94" + sound[0] + sound[1] + b"\x93\x01\x02\x03" + sound[2]
    decoded = decode_block(Topic.EVENTS, block, first_offset=100)
    assert decoded.items == [event(0), event(1), event(2)]
    ((offset, raw, reason),) = decoded.undecodable
    assert (offset, raw) == (102, b"\x01\x93\x01\x02\x03")
    assert reason


@pytest.mark.parametrize(("skip", "take"), [(0, 2), (3, 4), (9, 5), (0, None)])
def test_part_of_a_block_can_be_read(skip: int, take: int | None) -> None:
    items = [letter(number) for number in range(10)]
    decoded = decode_block(Topic.DEAD_LETTERS, bytes(encode_block(items)), first_offset=0, skip=skip, take=take)
    assert decoded.items == items[skip : None if take is None else skip + take]


def test_a_field_that_a_later_program_added_does_not_hide_what_is_known() -> None:
    longer = bytearray(encode_record(VESSEL_EVENT))
    # One more element in the envelope's array, which has ten.
    assert longer[1] == 0x9A
    longer[1] = 0x9B
    assert decode_records(Topic.EVENTS, [(0, bytes(longer) + b"\xc0")]).items == [VESSEL_EVENT]


VESSEL_EVENT = Event(
    event_id=b"\x01" * 16,
    feed_id="vessels",
    asset_id="vessel.574000123",
    observed_at=datetime(2026, 11, 23, tzinfo=UTC),
    received_at=datetime(2026, 11, 23, tzinfo=UTC),
    data=VesselPosition(sog_kn=7.5),
)
