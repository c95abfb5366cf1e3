"""Values of a mapped source made ours: instants, numbers, and fields of every type that kinds have."""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from connectors.mapping.config import Scalar, TimeRule
from connectors.values import MISSING_NUMBERS, MISSING_TEXTS, RefusedRecordError
from ioc.domain.quantities import Quantity

_NUMBER = re.compile(r"[+-]?(\d{1,30}(\.\d{0,30})?|\.\d{1,30})([eE][+-]?\d{1,3})?")
_MOST_TEXT = 500
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TRUE, _FALSE = frozenset({"true", "yes", "y", "1", "có"}), frozenset({"false", "no", "n", "0", "không"})


def is_missing(value: Any, missing: tuple[Scalar, ...]) -> bool:
    """Whether a value says that there is none: null, the usual dashes, or what the mapping names."""
    if isinstance(value, dict | list):
        return False
    if isinstance(value, str):
        # A mapping's -1 is meant where CSV writes "-1", too.
        return value.strip() in MISSING_TEXTS or value in missing or _to_float(value, is_comma=False) in missing
    return value is None or (value in missing and not isinstance(value, bool))


def read_number(value: Any, *, is_comma: bool = False) -> float:
    """Read a number, or a text that is one.

    Raises:
        RefusedRecordError: it is none, or not finite.
    """
    number = None
    if isinstance(value, str):
        number = _to_float(value, is_comma=is_comma)
    elif isinstance(value, int | float) and not isinstance(value, bool) and -1e300 < value < 1e300:
        number = float(value)
    if number is None or not math.isfinite(number):
        raise RefusedRecordError("not a number")
    return number


def is_stand_in(number: float, quantity: Quantity) -> bool:
    """Whether a number stands for "not available": -9999 and its like, outside of what the instrument can give."""
    return number in MISSING_NUMBERS and quantity.find_fault(number) is not None


def read_instant(texts: list[Any], rule: TimeRule) -> datetime:
    """Read the instant that the values of a rule's paths write.

    Raises:
        RefusedRecordError: they write none.
    """
    if rule.format in ("epoch_s", "epoch_ms"):
        seconds = read_number(texts[0]) / (1 if rule.format == "epoch_s" else 1000)
        try:
            return _EPOCH + timedelta(seconds=seconds)
        except OverflowError as error:
            raise RefusedRecordError("not an instant") from error
    if not all(isinstance(text, str | int) and not isinstance(text, bool) for text in texts):
        raise RefusedRecordError("not an instant")
    text = " ".join(str(part).strip() for part in texts)
    try:
        at = datetime.fromisoformat(text) if rule.format == "iso" else datetime.strptime(text, rule.format)  # noqa: DTZ007
    except ValueError as error:
        raise RefusedRecordError(f"not an instant written as {rule.format}") from error
    return at if at.tzinfo is not None else at.replace(tzinfo=ZoneInfo(rule.zone))


def read_field(value: Any, wanted: type, *, zone: str, is_comma: bool = False) -> Any:
    """Read a field that is no measurement as the type that its kind has.

    Raises:
        RefusedRecordError: it is no such thing.
    """
    if wanted is str:
        return _read_text(value)
    if wanted is bool:
        return _read_bool(value)
    if wanted is float:
        return read_number(value, is_comma=is_comma)
    if wanted is int:
        return to_whole(read_number(value, is_comma=is_comma))
    try:
        if wanted is date:
            return date.fromisoformat(str(value).strip()[:10])
        at = datetime.fromisoformat(str(value).strip())
        return (at if at.tzinfo is not None else at.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise RefusedRecordError("not a date" if wanted is date else "not an instant") from error


def to_whole(number: float) -> int:
    """Give a number that must be whole.

    Raises:
        RefusedRecordError: it is not, or has more digits than a column.
    """
    if not number.is_integer() or abs(number) >= 2**63:
        raise RefusedRecordError("not a whole number")
    return int(number)


def to_text(value: Any) -> str | None:
    """Write a value of a record as a word, for names and comparisons; None where it is no single value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value) if isinstance(value, str) or (isinstance(value, int) and abs(value) < 10**30) else None


def _read_text(value: Any) -> str:
    text = to_text(value)
    if text is None or len(text) > _MOST_TEXT or any(mark < " " for mark in text) or not _is_unicode(text):
        raise RefusedRecordError("not a text of a line")
    return text


def _read_bool(value: Any) -> bool:
    word = (to_text(value) or "").strip().lower()
    if word not in _TRUE | _FALSE:
        raise RefusedRecordError("neither true nor false")
    return word in _TRUE


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= mark <= "\udfff" for mark in text)


def _to_float(text: str, *, is_comma: bool) -> float | None:
    plain = text.strip()
    if is_comma:
        plain = plain.replace(".", "").replace(",", ".")
    return float(plain) if _NUMBER.fullmatch(plain) else None
