"""NMEA 0183 lines with AIS in them: checksum, tag block, parts (IEC 61162-1, NMEA 4.10 tag blocks)."""

from __future__ import annotations

import calendar
from typing import NamedTuple

from connectors.transports.lines import to_checksum
from connectors.values import RefusedRecordError

_STARTS = (b"!", b"$", b"#")
_FORMATTERS = (b"VDM", b"VDO")
_LONGEST = 1_024
_MILLISECONDS_FROM = 100_000_000_000


class Sentence(NamedTuple):
    """One AIVDM or AIVDO sentence. ``at_s`` is the station's receive time in Unix seconds, if a tag block has it."""

    line: bytes
    body: bytes
    part_count: int
    part: int
    sequence: bytes
    channel: bytes
    payload: bytes
    fill_bits: int
    checksum: bytes
    at_s: float | None


def parse_sentence(line: bytes) -> Sentence | None:
    """Read one line; None for sentences of other instruments and for comments.

    Raises:
        RefusedRecordError: no sentence at all, too long, a wrong checksum, or fields that do not fit.
    """
    if len(line) > _LONGEST:
        raise RefusedRecordError(f"line of {len(line)} bytes is longer than {_LONGEST}")
    at_s: float | None = None
    body = line
    if line[:1] == b"\\":
        tag, mark, body = line[1:].partition(b"\\")
        if not mark:
            raise RefusedRecordError("tag block without an end")
        at_s = _read_tag(tag)
    if body[:1] not in _STARTS:
        raise RefusedRecordError("not a sentence")
    if body[:1] != b"!" or body[3:6] not in _FORMATTERS:
        return None
    covered, mark, checksum = body[1:].rpartition(b"*")
    if not mark or not _is_checksum(covered, checksum):
        raise RefusedRecordError("wrong checksum")
    fields = covered.split(b",")
    if len(fields) != 7:
        raise RefusedRecordError(f"{len(fields)} fields instead of 7")
    _, count, part, sequence, channel, payload, fill = fields
    if not (count.isdigit() and part.isdigit() and fill.isdigit()) or len(count) > 1 or len(part) > 1 or len(fill) > 1:
        raise RefusedRecordError("counts are no numbers")
    if not 1 <= int(part) <= int(count) or not payload:
        raise RefusedRecordError("parts or payload do not fit")
    return Sentence(
        line, body, int(count), int(part), sequence, channel, payload, int(fill), checksum[:2].upper(), at_s
    )


def read_gatehouse_time(line: bytes) -> tuple[int, bytes] | None:
    """Read the time that a ``$PGHP,1`` line gives to the sentence with the checksum it names; None for other lines.

    Fields: 1, year, month, day, hour, minute, second, millisecond, country, region, station, online, checksum.
    """
    fields = line.partition(b"*")[0].split(b",")
    if len(fields) != 14 or fields[:2] != [b"$PGHP", b"1"]:
        return None
    parts = fields[2:8]
    if not all(part.isdigit() and len(part) <= 4 for part in parts):
        return None
    year, month, day, hour, minute, second = map(int, parts)
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second < 60):
        return None
    return calendar.timegm((year, month, day, hour, minute, second)), fields[13].strip().upper()


def _read_tag(tag: bytes) -> float | None:
    """Give the receive time of a tag block. A damaged block gives none: the sentence behind it has its own checksum."""
    covered, mark, checksum = tag.rpartition(b"*")
    if not mark or not _is_checksum(covered, checksum):
        return None
    for field in covered.split(b","):
        text = field[2:]
        if field[:2] == b"c:" and text.isdigit() and len(text) <= 14:
            seconds = int(text)
            return seconds / 1_000 if seconds >= _MILLISECONDS_FROM else float(seconds)
    return None


def _is_checksum(covered: bytes, checksum: bytes) -> bool:
    try:
        return int(checksum[:2], 16) == to_checksum(covered)
    except ValueError:
        return False
