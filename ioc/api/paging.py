"""Cursors and instants of requests: what a caller hands back to us is checked like everything else."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime

import msgspec

from ioc.errors import InvalidRequestError

LARGEST_ID = 2**63 - 1
"""Ids that callers hand back fit into the columns that they are compared with."""

OFFSET_NEEDED = (
    "write the offset of an instant: 2026-11-23T08:00:00+07:00 or 2026-11-23T01:00:00Z (in a query, + is %2B)"
)
"""The API guesses no time zone."""

_FIRST_YEAR, _LAST_YEAR = 1990, 2200


def write_cursor(place: tuple[str, str] | None) -> str | None:
    """Write where the next page begins, opaque to callers."""
    return None if place is None else base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def read_cursor(cursor: str | None) -> tuple[str, str] | None:
    """Read a cursor of ours.

    Raises:
        InvalidRequestError: it is none.
    """
    if cursor is None:
        return None
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        place = msgspec.json.decode(raw, type=tuple[str, str])
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise InvalidRequestError("bad_cursor", "the cursor is not one that this list gave") from error
    if any("\x00" in part for part in place):
        raise InvalidRequestError("bad_cursor", "the cursor is not one that this list gave")
    return place


def check_instant(at: datetime) -> datetime:
    """Keep instants where arithmetic with time zones and buckets holds.

    Raises:
        InvalidRequestError: it lies far outside of our times.
    """
    if not _FIRST_YEAR <= at.year <= _LAST_YEAR:
        raise InvalidRequestError("bad_instant", f"times lie between the years {_FIRST_YEAR} and {_LAST_YEAR}")
    return at


def read_box(text: str | None) -> tuple[float, float, float, float] | None:
    """Read ``west,south,east,north`` in degrees.

    Raises:
        InvalidRequestError: it is no such box.
    """
    if text is None:
        return None
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError as error:
        raise InvalidRequestError("bad_bbox", "bbox is west,south,east,north in degrees") from error
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise InvalidRequestError("bad_bbox", "bbox is west,south,east,north in degrees, west of east, south of north")
    return west, south, east, north
