"""JSON bodies cut into the text of each record, so that each can be judged alone and kept as it came.

A key that comes twice in a record is a fault of that record: which of the two counts is anybody's guess.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from ioc.errors import MalformedPayloadError

_SPACE = " \t\r\n"
_KEY = re.compile(r"[a-z][a-z0-9_]{0,31}")
_VALUE = re.compile(r"Invalid (enum )?value .*?(?= - at |$)")


class Piece(NamedTuple):
    """One record as text: its bytes, what its key ``type`` says, and what is wrong with it as JSON."""

    raw: bytes
    type: str | None
    fault: str | None


class _KeyWatch:
    """Notes repeated keys while the standard decoder walks over a record; numbers are not converted here."""

    def __init__(self) -> None:
        self._repeated: str | None = None
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._note, parse_int=_skip, parse_float=_skip, parse_constant=_skip
        )

    def cut(self, text: str, start: int) -> tuple[Piece, int]:
        """Cut the value that begins at ``start``; give it and the place behind it."""
        self._repeated = None
        value, end = self._decoder.raw_decode(text, start)
        fault = None if self._repeated is None else f"repeated key {_quote(self._repeated)}"
        kind = value.get("type") if isinstance(value, dict) else None
        if kind is not None and not isinstance(kind, str):
            fault, kind = fault or "type is not a text", None
        return Piece(text[start:end].encode("utf-8", "surrogatepass"), kind, fault), end

    def _note(self, pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) != len(pairs) and self._repeated is None:
            seen: set[str] = set()
            self._repeated = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        return found


def cut_list(body: bytes) -> Iterator[Piece]:
    """Cut a list, or a single object, into its records.

    Raises:
        MalformedPayloadError: the body as a whole is no JSON.
    """
    try:
        text = body.decode("utf-8")
        return iter(_cut_text(text))
    except UnicodeDecodeError as error:
        raise MalformedPayloadError(explain(error)) from error
    except RecursionError as error:
        raise MalformedPayloadError(explain(error)) from error
    except ValueError as error:
        raise MalformedPayloadError(f"not JSON: {explain(error)}") from error


def _cut_text(text: str) -> list[Piece]:
    watch = _KeyWatch()
    at = _skip_space(text, 0)
    if text[at : at + 1] != "[":
        piece, at = watch.cut(text, at)
        _expect_end(text, at)
        return [piece]
    pieces: list[Piece] = []
    at = _skip_space(text, at + 1)
    if text[at : at + 1] == "]":
        _expect_end(text, at + 1)
        return pieces
    while True:
        piece, at = watch.cut(text, at)
        pieces.append(piece)
        at = _skip_space(text, at)
        mark = text[at : at + 1]
        if mark == "]":
            _expect_end(text, at + 1)
            return pieces
        if mark != ",":
            raise ValueError(f"expected ',' or ']' at character {at}")
        at = _skip_space(text, at + 1)


def cut_lines(body: bytes) -> Iterator[Piece]:
    """Cut lines into records; a line that is no JSON has its fault."""
    watch = _KeyWatch()
    for line in body.split(b"\n"):
        raw = line.strip()
        if not raw:
            continue
        try:
            text = raw.decode("utf-8")
            piece, end = watch.cut(text, 0)
            _expect_end(text, end)
        except (ValueError, RecursionError) as error:
            piece = Piece(raw, None, explain(error))
        yield piece


def _skip_space(text: str, at: int) -> int:
    while text[at : at + 1] in _SPACE and at < len(text):
        at += 1
    return at


def _expect_end(text: str, at: int) -> None:
    if _skip_space(text, at) != len(text):
        raise ValueError(f"more text behind the value at character {at}")


def cut_sound(body: bytes) -> list[bytes]:
    """Cut a list, an object or lines that the quick way has read."""
    if body.lstrip()[:1] == b"[":
        return [bytes(raw) for raw in msgspec.json.decode(body, type=list[msgspec.Raw])]
    return [bytes(raw) for raw in msgspec.json.Decoder(msgspec.Raw).decode_lines(body)]


def _skip(_: str) -> int:
    return 0


def explain(error: Exception) -> str:
    """Say what is wrong with a text or a record, without its values."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 at byte {error.start}"
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos}"
    return _VALUE.sub("not one of the allowed values", str(error))[:300]


def _quote(key: str) -> str:
    """Show a sender's key only where it looks like one of ours: reasons carry no personal data."""
    return repr(key) if _KEY.fullmatch(key) else "of an unusual form"
