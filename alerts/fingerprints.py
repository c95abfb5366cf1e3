"""What makes two alerts the same: a digest over the identity labels, and over nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

Labels = tuple[tuple[str, str], ...]
"""Identity labels of an alert, sorted by name."""

_FNV_OFFSET = 14695981039346656037
_FNV_PRIME = 1099511628211
_MASK = 0xFFFFFFFFFFFFFFFF


def sha256_fingerprint(labels: Iterable[tuple[str, str]]) -> bytes:
    """Give the 32 bytes that the store keeps alerts apart by; the order of the labels does not matter."""
    return hashlib.sha256(_canonical(labels)).digest()


def fnv1a_fingerprint(labels: Iterable[tuple[str, str]]) -> int:
    """Give the 64-bit FNV-1a alias of the same labels, as Prometheus and Alertmanager write it."""
    value = _FNV_OFFSET
    for byte in _canonical(labels):
        value = ((value ^ byte) * _FNV_PRIME) & _MASK
    return value


def _canonical(labels: Iterable[tuple[str, str]]) -> bytes:
    return b"".join(name.encode() + b"\xff" + value.encode() + b"\xff" for name, value in sorted(labels))
