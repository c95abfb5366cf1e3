"""NMEA 0183 sentences of AIS with the tag block of a shore station."""

from __future__ import annotations

from datetime import UTC, datetime

from pyais import encode_dict


def encode_position(
    mmsi: int, *, lon_deg: float, lat_deg: float, sog_kn: float, cog_deg: float, is_moored: bool, at: datetime
) -> bytes:
    """Write a class A position report (message 1)."""
    lines = encode_dict(
        {
            "type": 1, "mmsi": mmsi, "status": 5 if is_moored else 0, "speed": round(sog_kn, 1), "lon": lon_deg,
            "lat": lat_deg, "course": round(cog_deg, 1) % 360, "heading": round(cog_deg) % 360,
            "second": at.astimezone(UTC).second, "turn": 0, "accuracy": 1, "maneuver": 0, "raim": 0, "radio": 0,
        },
        talker_id="AI", sentence_type="VDM",
    )  # fmt: skip
    return _tag(lines, at)


def encode_name(mmsi: int, name: str, at: datetime) -> list[bytes]:
    """Write a static report with the vessel's name (message 24, part A)."""
    lines = encode_dict({"type": 24, "partno": 0, "mmsi": mmsi, "shipname": name}, talker_id="AI", sentence_type="VDM")
    return [_tag([line], at) for line in lines]


def _tag(lines: list[str], at: datetime) -> bytes:
    covered = f"s:qn1,c:{int(at.timestamp())}".encode()
    checksum = 0
    for byte in covered:
        checksum ^= byte
    head = b"\\%s*%02X\\" % (covered, checksum)
    return b"".join(head + line.encode("ascii") + b"\r\n" for line in lines)
