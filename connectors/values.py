"""From wire values to canonical ones: what "not available" looks like, which instants and names can be true."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

import msgspec

from geo.position import Position
from ioc.domain.kinds import Kind

Measured = float | str | None | msgspec.UnsetType
"""A measured value as senders write it: a number, null, or a text that stands for null."""

MISSING_TEXTS = frozenset({"-", "", "--", "NA", "N/A", "null"})
AMBIGUOUS_MISSING = 999.9
"""Means "not available" even where it lies in a quantity's range: the wire format says so."""

MISSING_NUMBERS = frozenset({-9999.0, -999.9, -999.0, AMBIGUOUS_MISSING, 9999.0, 9999.9})
"""What stands for "not available" where it lies outside a quantity's range; 9999 m of visibility is a value."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_OLDEST_YEAR = 2000


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
            if value.__class__ is float and low <= value <= high and value != AMBIGUOUS_MISSING:
                values.append(value)
                found = True
            elif value is None or value is msgspec.UNSET or value in MISSING_NUMBERS or value in MISSING_TEXTS:
                values.append(None)
            else:
                raise RefusedRecordError(self._explain(len(values), value))
        return values, found

    def _explain(self, place: int, value: object) -> str:
        name = self.names[place]
        fault = self._kind.quantities[name].find_fault(value) if isinstance(value, float) else None
        return f"{name}: {fault or 'not a number'}"


def check_instant(at: datetime, latest_at: datetime, *, what: str = "time") -> datetime:
    """Give a source's instant in UTC if it can be true.

    Raises:
        RefusedRecordError: no offset, before the year 2000, or after ``latest_at``: a clock gone wrong.
    """
    if at.tzinfo is None:
        raise RefusedRecordError(f"{what}: no offset from UTC")
    try:
        instant = at.astimezone(UTC)
    except OverflowError as error:
        raise RefusedRecordError(f"{what}: year {at.year} cannot be true") from error
    if instant > latest_at:
        ahead = timedelta(seconds=round((instant - latest_at).total_seconds()))
        raise RefusedRecordError(f"{what}: {ahead} further ahead of our clock than we accept")
    if instant.year < _OLDEST_YEAR:
        raise RefusedRecordError(f"{what}: year {at.year} cannot be true")
    return instant


def check_name(name: str, *, what: str) -> str:
    """Give a source's name of a thing if it can be part of an asset id.

    Raises:
        RefusedRecordError: empty, longer than 64, or with characters beside letters, digits, dot, dash, underscore.
    """
    if _NAME.fullmatch(name) is None:
        raise RefusedRecordError(f"{what}: not a usable name")
    return name


def check_position(lon_deg: Measured, lat_deg: Measured) -> Position | None:
    """Give a record's own position, WGS 84, or None when it names none.

    Raises:
        RefusedRecordError: half a position, a text, a place off the globe, or 0°/0°, which no source here means.
    """
    found = [None if value is msgspec.UNSET or value in MISSING_TEXTS else value for value in (lon_deg, lat_deg)]
    if found == [None, None]:
        return None
    lon, lat = found
    if not isinstance(lon, float) or not isinstance(lat, float) or (lon, lat) == (0, 0):
        raise RefusedRecordError("lon and lat: not a position")
    if not -180 <= lon <= 180 or not -90 <= lat <= 90:
        raise RefusedRecordError("lon and lat: off the globe")
    return Position(lon_deg=lon, lat_deg=lat)


def to_count(count: int | msgspec.UnsetType | None) -> int | None:
    """Give a count that a record may leave out; None where it does."""
    return None if count is msgspec.UNSET else count


def to_relative_humidity_pct(temp_celsius: float | None, dew_point_celsius: float | None) -> float | None:
    """Give relative humidity from temperature and dew point by the Magnus formula (WMO-No. 8, annex 4.B, over water).

    None unless both are there and within -60…60 °C.
    """
    if temp_celsius is None or dew_point_celsius is None:
        return None
    if not -60 <= temp_celsius <= 60 or not -60 <= dew_point_celsius <= 60:
        return None
    vapour = math.exp(17.62 * dew_point_celsius / (243.12 + dew_point_celsius))
    saturation = math.exp(17.62 * temp_celsius / (243.12 + temp_celsius))
    return min(100.0, 100.0 * vapour / saturation)
