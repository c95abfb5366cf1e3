"""AIS position reports out of their six-bit armour (ITU-R M.1371-5), without an object per field."""

from __future__ import annotations

import base64
from typing import NamedTuple

from connectors.values import RefusedRecordError

_ARMOUR = bytes(range(48, 88)) + bytes(range(96, 120))
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_TO_BASE64 = bytes.maketrans(_ARMOUR, _BASE64)
_NOT_ARMOUR = bytes(byte for byte in range(256) if byte not in _ARMOUR)
_CLASS_A_BITS, _CLASS_B_BITS = 168, 168
_NO_LON, _NO_LAT = 181 * 600_000, 91 * 600_000
_NO_SPEED, _NO_COURSE = 1_023, 3_600


class PositionReport(NamedTuple):
    """A position as the vessel sent it. None is "not available"; ``second`` is the fix's UTC second, 60+ unknown."""

    mmsi: int
    lon_deg: float | None
    lat_deg: float | None
    sog_kn: float | None
    cog_deg: float | None
    heading_deg: float | None
    nav_status: int | None
    second: int


def type_of(payload: bytes) -> int:
    """Give the message type: the first six bits."""
    return _ARMOUR.find(payload[:1])


def read_class_a(payload: bytes) -> PositionReport:
    """Read message 1, 2 or 3.

    Raises:
        RefusedRecordError: too short, or a character that is no armour.
    """
    bits = _to_int(payload, _CLASS_A_BITS)
    return PositionReport(
        (bits >> 130) & 0x3FFFFFFF,
        *_read_place((bits >> 79) & 0xFFFFFFF, (bits >> 52) & 0x7FFFFFF),
        *_read_motion((bits >> 108) & 0x3FF, (bits >> 40) & 0xFFF, (bits >> 31) & 0x1FF),
        (bits >> 126) & 0xF,
        (bits >> 25) & 0x3F,
    )


def read_class_b(payload: bytes) -> PositionReport:
    """Read message 18, or the part of message 19 that is the same.

    Raises:
        RefusedRecordError: too short, or a character that is no armour.
    """
    bits = _to_int(payload, _CLASS_B_BITS)
    return PositionReport(
        (bits >> 130) & 0x3FFFFFFF,
        *_read_place((bits >> 83) & 0xFFFFFFF, (bits >> 56) & 0x7FFFFFF),
        *_read_motion((bits >> 112) & 0x3FF, (bits >> 44) & 0xFFF, (bits >> 35) & 0x1FF),
        None,
        (bits >> 29) & 0x3F,
    )


def _to_int(payload: bytes, bit_count: int) -> int:
    """Give the first ``bit_count`` bits as one number: armour is base64 with another alphabet."""
    needed = bit_count // 6
    head = payload[:needed]
    if len(head) < needed:
        raise RefusedRecordError(f"message of {len(payload) * 6} bits is shorter than {bit_count}")
    if head.translate(None, _NOT_ARMOUR) != head:
        raise RefusedRecordError("characters that are no AIS armour")
    return int.from_bytes(base64.b64decode(head.translate(_TO_BASE64)), "big")


def _read_place(lon: int, lat: int) -> tuple[float | None, float | None]:
    signed_lon = lon - 0x10000000 if lon & 0x8000000 else lon
    signed_lat = lat - 0x8000000 if lat & 0x4000000 else lat
    if signed_lon == _NO_LON or signed_lat == _NO_LAT:
        return None, None
    return round(signed_lon / 600_000, 6), round(signed_lat / 600_000, 6)


def _read_motion(speed: int, course: int, heading: int) -> tuple[float | None, float | None, float | None]:
    return (
        None if speed == _NO_SPEED else speed / 10,
        None if course >= _NO_COURSE else course / 10,
        None if heading >= 360 else float(heading),
    )
