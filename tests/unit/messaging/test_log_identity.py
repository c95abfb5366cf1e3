"""Ids and partitions that both logs rely on are what the standards say, whatever shortcut computes them."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid5
from zlib import crc32

from hypothesis import given
from hypothesis import strategies as st

from ioc.domain.ids import dead_letter_id, event_id, partition_of

EVENTS = UUID("5a1f3a0e-3c0b-5d1b-9e0c-6f6e2d0f7a11")
LETTERS = UUID("c1b7c1c5-7f0b-5a6e-8a55-3c0f0a6f4b12")


@given(st.text(), st.integers(0, 4_000_000_000_000_000))
def test_an_event_id_is_the_uuid5_of_its_four_parts(key: str, microseconds: int) -> None:
    at = datetime.fromtimestamp(microseconds // 1_000_000, UTC).replace(microsecond=microseconds % 1_000_000)
    name = f"air\x1f{key}\x1f{microseconds // 1_000_000}.{microseconds % 1_000_000:06d}\x1fenv.air.reading"
    assert event_id("air", key, at, "env.air.reading") == uuid5(EVENTS, name).bytes


def test_a_dead_letter_id_is_the_uuid5_of_place_and_bytes() -> None:
    assert dead_letter_id("events/0/7", 7, b"raw") == uuid5(LETTERS, "events/0/7\x1f7\x1fraw").bytes


@given(st.text(), st.integers(1, 512))
def test_a_partition_is_the_keys_crc_modulo_their_number(key: str, count: int) -> None:
    assert partition_of(key, count) == crc32(key.encode()) % count
