"""From wire values to canonical ones: what "not available" looks like, which instants and names can be true."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import msgspec

from ioc.domain.kinds import Kind

Measured = float | str | None | msgspec.UnsetType
"""A measured value as senders write it: a number, null, or a text that stands for null."""

MISSING_TEXTS = frozenset({"-", "", "--", "NA", "N/A", "null"})
MISSING_NUMBERS = frozenset({-9999.0, -999.9, -999.0, 999.9, 9999.0, 9999.9})

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_OLDEST_YEAR = 2000
_LAST_YEAR = 2100


class RefusedRecordError(ValueError):
    """A record whose syntax is sound and whose content cannot be true. Never leaves a feed's ``parse``."""


class Measures:
    """The measured fields of a kind with their ranges, for converting many records quickly."""

    def __init__(self, kind: Kind, names: tuple[str, ...]) -> None:
        self.names = names
        self.bounds = tuple((kind.quantities[name].low, kind.quantities[name].high) for name in names)
        self._kind = kind

    def convert(self, wire: tuple[Measured, ...]) -> tuple[list[float | None], bool]:
        """Turn wire values, in the order of ``names``, into numbers or None; and say whether any number is there.

        Raises:
            RefusedRecordError: a text that is no number, or a value that the instrument cannot give.
        """
        values: list[float | None] = []
        found = False
        for (low, high), value in zip(self.bounds, wire, strict=True):
            if value.__class__ is float:
                if value in MISSING_NUMBERS:
                    values.append(None)
                elif low <= value <= high:
                    values.append(value)
                    found = True
                else:
                    raise RefusedRecordError(self._explain(len(values), value))
            elif value is None or value is msgspec.UNSET or value in MISSING_TEXTS:
                values.append(None)
            else:
                raise RefusedRecordError(f"{self.names[len(values)]}: not a number")
        return values, found

    def _explain(self, place: int, value: object) -> str:
        name = self.names[place]
        fault = self._kind.quantities[name].find_fault(value) if isinstance(value, float) else None
        return f"{name}: {fault or 'not a number'}"


def to_number(value: Measured) -> float | None:
    """Turn one measured wire value into a number, None for what stands for "not available".

    Raises:
        RefusedRecordError: a text that is no number.
    """
    if isinstance(value, float):
        return None if value in MISSING_NUMBERS else value
    if value is None or value is msgspec.UNSET or value in MISSING_TEXTS:
        return None
    raise RefusedRecordError("not a number")


def check_instant(at: datetime, latest_at: datetime, *, what: str = "time") -> datetime:
    """Give a source's instant in UTC if it can be true.

    Raises:
        RefusedRecordError: no offset, before the year 2000, or after ``latest_at``: a clock gone wrong.
    """
    if at.tzinfo is None:
        raise RefusedRecordError(f"{what}: no offset from UTC")
    if not _OLDEST_YEAR <= at.year < _LAST_YEAR:
        raise RefusedRecordError(f"{what}: year {at.year} cannot be true")
    if at > latest_at:
        ahead = timedelta(seconds=round((at - latest_at).total_seconds()))
        raise RefusedRecordError(f"{what}: {ahead} further ahead of our clock than we accept")
    return at.astimezone(UTC)


def check_name(name: str, *, what: str) -> str:
    """Give a source's name of a thing if it can be part of an asset id.

    Raises:
        RefusedRecordError: empty, longer than 64, or with characters beside letters, digits, dot, dash, underscore.
    """
    if _NAME.fullmatch(name) is None:
        raise RefusedRecordError(f"{what}: not a usable name")
    return name
