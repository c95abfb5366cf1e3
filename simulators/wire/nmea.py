"""NMEA 0183 sentences of AIS with the tag block of a shore station."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from operator import xor

from pyais import encode_dict


@dataclass(frozen=True, slots=True, kw_only=True)
class Voyage:
    """What a class A set tells of its ship; ``sequence`` (0–9) binds the two halves of the message."""

    name: str
    ship_type: int
    sequence: int


def encode_position(
    mmsi: int, *, lon_deg: float, lat_deg: float, sog_kn: float, cog_deg: float, heading_deg: float, nav_status: int,
    at: datetime,
) -> bytes:  # fmt: skip
    """Write a class A position report (message 1)."""
    (line,) = encode_dict(
        {
            "type": 1, "mmsi": mmsi, "status": nav_status, "speed": round(sog_kn, 1), "lon": lon_deg, "lat": lat_deg,
            "course": round(cog_deg, 1) % 360, "heading": round(heading_deg) % 360, "second": at.astimezone(UTC).second,
            "turn": 0, "accuracy": 1, "maneuver": 0, "raim": 0, "radio": 0,
        },
        talker_id="AI", sentence_type="VDM",
    )  # fmt: skip
    return tag(line.encode("ascii"), at)


def encode_class_b(
    mmsi: int, *, lon_deg: float, lat_deg: float, sog_kn: float, cog_deg: float, heading_deg: float, at: datetime
) -> bytes:
    """Write a class B position report (message 18), as small boats send it."""
    (line,) = encode_dict(
        {
            "type": 18, "mmsi": mmsi, "speed": round(sog_kn, 1), "lon": lon_deg, "lat": lat_deg,
            "course": round(cog_deg, 1) % 360, "heading": round(heading_deg) % 360, "second": at.astimezone(UTC).second,
            "accuracy": 0, "cs": True, "raim": 0, "radio": 0,
        },
        talker_id="AI", sentence_type="VDM",
    )  # fmt: skip
    return tag(line.encode("ascii"), at)


def encode_name(mmsi: int, name: str, at: datetime) -> list[bytes]:
    """Write a class B set's name (message 24, part A)."""
    lines = encode_dict({"type": 24, "partno": 0, "mmsi": mmsi, "shipname": name}, talker_id="AI", sentence_type="VDM")
    return [tag(line.encode("ascii"), at) for line in lines]


def encode_voyage(mmsi: int, voyage: Voyage, at: datetime) -> list[bytes]:
    """Write a class A set's name and kind (message 5): two sentences, each tagged."""
    lines = encode_dict(
        {
            "type": 5,
            "mmsi": mmsi,
            "shipname": voyage.name,
            "ship_type": voyage.ship_type,
            "callsign": f"3W{mmsi % 10_000}",
        },
        talker_id="AI",
        sentence_type="VDM",
        seq_id=voyage.sequence,
    )
    return [tag(line.encode("ascii"), at) for line in lines]


def tag(sentence: bytes, at: datetime) -> bytes:
    r"""Put the station and the second of reception before a sentence: ``\s:qn1,c:…*hh\``."""
    covered = b"s:qn1,c:%d" % int(at.timestamp())
    return b"\\%s*%02X\\%s\r\n" % (covered, reduce(xor, covered), sentence)
