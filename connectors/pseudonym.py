"""Keyed pseudonyms of people and vehicles, and dead letters without personal data (Decree 13/2023/NĐ-CP)."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable, Iterable, Mapping

_PSEUDONYM = re.compile(r"pseudonym:([0-9a-f]{32})")
_TOKEN = re.compile(rb"[^\W_]+|[^\x00-\x7f]+")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]{4,20}(Z|[+-][0-9:]{4,6})?")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LITERALS = frozenset({"true", "false", "null"})


def to_pseudonym(identifier: str, key: bytes) -> str:
    """Give the pseudonym of an identifier: 32 hex digits of HMAC-SHA256. A text that already is one stays as it is."""
    known = _PSEUDONYM.fullmatch(identifier)
    if known is not None:
        return known[1]
    return hmac.digest(key, identifier.encode("utf-8", "surrogatepass"), "sha256").hex()[:32]


def to_plate_pseudonym(plate: str, key: bytes) -> str:
    """Give the pseudonym of a number plate, the same however it is spaced, dotted or written in small letters."""
    if _PSEUDONYM.fullmatch(plate) is None:
        plate = "".join(mark for mark in plate.upper() if mark.isalnum())
    return to_pseudonym(plate, key)


class Redaction:
    """Takes personal data out of a refused record before it is kept; a feed gives one as ``redact``.

    A JSON object keeps its harmless keys; identifiers become pseudonyms, so that a retry finds the same vehicle or
    case; texts keep the known words only, every other value is dropped. What cannot be read keeps its shape: unknown
    words become ``x``.

    Args:
        keys: wire keys whose values may stay, texts only as far as they are words.
        words: texts that the wire uses and that name nobody.
        identifiers: wire keys whose values become pseudonyms.
        dropped: wire keys that stay with nothing in them, because a parser knows them.
        pseudonymise: how an identifier becomes its pseudonym; the same as in ``parse``.
        patterns: keys whose texts stay whole where they fit their pattern; the same as in ``parse``.
        names: keys of ``keys`` whose texts are names of places or things and stay whole, as far as they can be names.
    """

    def __init__(
        self,
        *,
        keys: Iterable[str],
        words: Iterable[str],
        identifiers: Iterable[str],
        dropped: Iterable[str] = (),
        names: Iterable[str] = (),
        patterns: Mapping[str, str] | None = None,
        pseudonymise: Callable[[str, bytes], str] = to_pseudonym,
    ) -> None:
        self._pseudonymise = pseudonymise
        self._identifiers, self._dropped = frozenset(identifiers), frozenset(dropped)
        self._patterns = {key: re.compile(pattern) for key, pattern in (patterns or {}).items()}
        self._patterns |= dict.fromkeys(names, _NAME)
        self._keys = frozenset(keys) | self._identifiers | self._dropped | self._patterns.keys()
        self._tokens = frozenset(
            part.encode() for word in {*self._keys, *words, *_LITERALS} for part in word.split("_")
        )

    def __call__(self, raw: bytes, pseudonym_key: bytes) -> bytes:
        """Give the bytes without personal data, still parseable where they were."""
        try:
            value = json.loads(raw, object_pairs_hook=_Pairs)
        except (ValueError, RecursionError):
            return self._mask(raw)
        if not isinstance(value, _Pairs):
            return self._mask(raw)
        members = ",".join(
            f"{json.dumps(key)}:{self._to_member(key, member, pseudonym_key)}"
            for key, member in value
            if key in self._keys
        )
        return f"{{{members}}}".encode()

    def _to_member(self, key: str, member: object, pseudonym_key: bytes) -> str:
        if key in self._dropped or isinstance(member, list | _Pairs):
            return '"x"'
        if key in self._identifiers and member is not None:
            return json.dumps(f"pseudonym:{self._pseudonymise(str(member), pseudonym_key)}")
        pattern = self._patterns.get(key)
        if isinstance(member, str) and pattern is not None:
            # What does not fit is refused again when it is retried; "?" is, too, and tells nothing.
            return json.dumps(member if pattern.fullmatch(member) else "?")
        if isinstance(member, str) and _INSTANT.fullmatch(member) is None:
            return json.dumps(self._mask(member.encode("utf-8", "surrogatepass")).decode())
        return json.dumps(member)

    def _mask(self, raw: bytes) -> bytes:
        return _TOKEN.sub(lambda found: found[0] if found[0] in self._tokens else b"x" * len(found[0]), raw)


class _Pairs(list[tuple[str, object]]):
    """The members of a JSON object in order, repeated keys kept."""
