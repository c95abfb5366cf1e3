"""Durations as rules, the policy and settings write them: ``90s``, ``15m``, ``12h``, ``7d``, ``1h30m``."""

from __future__ import annotations

import re
from datetime import timedelta

FORMS = "90s, 15m, 12h, 7d"
"""What an error names where there is no duration."""
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d)")
_WHOLE = re.compile(rf"(?:{_PART.pattern}\s*)+")
_UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1), "s": timedelta(seconds=1)}


def read_duration(text: str) -> timedelta | None:
    """Read a duration; None when it is none, or longer than any calendar."""
    if not _WHOLE.fullmatch(text.strip()):
        return None
    try:
        return timedelta(
            seconds=sum(float(amount) * _UNITS[unit].total_seconds() for amount, unit in _PART.findall(text))
        )
    except OverflowError:
        return None


def write_duration(span: timedelta) -> str:
    """Write a duration in the largest unit that it is a whole number of: ``8h``, ``90s``."""
    for unit, length in _UNITS.items():
        if span and not span % length:
            return f"{span // length}{unit}"
    return f"{span.total_seconds():g}s"
