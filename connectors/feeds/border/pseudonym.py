"""Keyed pseudonyms of trips, and dead letters without personal data (Decree 13/2023/NĐ-CP)."""

from __future__ import annotations

import hmac
import json
import re

_PSEUDONYM = re.compile(r"pseudonym:([0-9a-f]{32})")
_TOKEN = re.compile(rb"[^\W_]+|[^\x00-\x7f]+")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]{4,20}(Z|[+-][0-9:]{4,6})?")
_KEYS = frozenset(
    {"type", "gate", "direction", "step", "time", "lane", "goods", "perishable", "mass_kg", "vehicles"}
    | {"oldest_perishable_min", "trip", "plate"}
)
_WORDS = frozenset(
    {"queue", "truck", "export", "import", "green", "yellow", "red", "true", "false", "null"}
    | {
        "declare",
        "slot",
        "arrive_yard",
        "anpr_gate",
        "weigh",
        "quarantine",
        "customs_lane",
        "scan",
        "handover",
        "cross",
    }
    | {"exit", "fruit", "seafood", "frozen", "other", "general"}
)
_HARMLESS_TOKENS = frozenset(part.encode() for word in _KEYS | _WORDS for part in word.split("_"))


def to_pseudonym(trip: str, key: bytes) -> str:
    """Give the pseudonym of a trip: 32 hex digits of HMAC-SHA256. A text that already is one stays as it is."""
    known = _PSEUDONYM.fullmatch(trip)
    if known is not None:
        return known[1]
    return hmac.digest(key, trip.encode("utf-8", "surrogatepass"), "sha256").hex()[:32]


def redact(raw: bytes, pseudonym_key: bytes) -> bytes:
    """Take plates and trip ids out of a refused record before it is kept.

    A JSON object keeps its harmless keys, its trip becomes the pseudonym (so that a retry finds the same truck), every
    other value is dropped. What cannot be read keeps its shape only: unknown words become ``x``.
    """
    try:
        value = json.loads(raw, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        return _mask(raw)
    if not isinstance(value, _Pairs):
        return _mask(raw)
    members = ",".join(
        f"{json.dumps(key)}:{_to_member(key, member, pseudonym_key)}" for key, member in value if key in _KEYS
    )
    return f"{{{members}}}".encode()


class _Pairs(list[tuple[str, object]]):
    """The members of a JSON object in order, repeated keys kept."""


def _to_member(key: str, member: object, pseudonym_key: bytes) -> str:
    if key == "plate":
        return '"x"'
    if key == "trip":
        return json.dumps(f"pseudonym:{to_pseudonym(str(member), pseudonym_key)}")
    if isinstance(member, str) and not (key == "gate" or (key == "time" and _INSTANT.fullmatch(member))):
        return json.dumps(_mask(member.encode("utf-8", "surrogatepass")).decode())
    if isinstance(member, list | _Pairs):
        return '"x"'
    return json.dumps(member)


def _mask(raw: bytes) -> bytes:
    return _TOKEN.sub(lambda found: found[0] if found[0] in _HARMLESS_TOKENS else b"x" * len(found[0]), raw)
