"""How large a number a CEL formula could come to, so that none is taken whose arithmetic could end at infinity or NaN.

Read is CEL's own checked syntax tree (``cel.expr.CheckedExpr``), not the text: what it holds is what will be evaluated.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from math import prod
from typing import Any

MOST_CONSTANT = 1e12
"""No number in a formula is larger; what is beyond all numbers is infinite, and nothing is over it."""
MOST_VALUE = 1e20
"""No value that a formula names is larger: whole numbers have 64 bits, and instruments have their ranges."""
_MOST_RESULT = 1e300
_FROM_TEXT = ("string_to_double", "string_to_int64", "string_to_uint64")
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
# Field numbers of CheckedExpr, Reference and Expr, as cel/expr/checked.proto and syntax.proto have them.
_REFERENCES, _ROOT, _KEY, _VALUE, _OVERLOAD = 2, 4, 1, 2, 3
_ID, _CONSTANT, _IDENTIFIER, _CALL, _LIST = 2, 3, 4, 6, 7
_TARGET, _FUNCTION, _ARGUMENT, _ELEMENT = 1, 2, 3, 1
_INT64, _UINT64, _DOUBLE = 3, 4, 5


class UnboundedError(ValueError):
    """A number of a formula may be infinite or none at all, or comes from a text."""


def refuse_unbounded(checked: bytes) -> None:
    """See that every number of a formula stays finite for whatever finite values it is given.

    Args:
        checked: a compiled formula, as CEL serializes it.

    Raises:
        UnboundedError: it divides by what may be zero, reads numbers from texts, or multiplies too much.
    """
    expression = next(value for number, value in _fields(checked) if number == _VALUE)
    overloads: dict[int, list[str]] = {}
    root = b""
    for number, value in _fields(expression):
        if number == _REFERENCES:
            entry = dict(_fields(value))
            names = [name.decode() for part, name in _fields(entry[_VALUE]) if part == _OVERLOAD]
            overloads[entry[_KEY]] = names
        elif number == _ROOT:
            root = value
    _bound(root, overloads)


def _bound(node: bytes, overloads: dict[int, list[str]]) -> float:
    """Give a magnitude that the node's value never passes; of what is no number it says nothing."""
    parts = dict(_fields(node))
    if _CONSTANT in parts:
        return abs(_constant(parts[_CONSTANT]))
    if _IDENTIFIER in parts:
        return MOST_VALUE
    if _LIST in parts:
        items = (item for number, item in _fields(parts[_LIST]) if number == _ELEMENT)
        return max((_bound(item, overloads) for item in items), default=0.0)
    if _CALL in parts:
        return _bound_of_call(parts[_CALL], overloads, overloads.get(parts.get(_ID, 0), []))
    raise UnboundedError("a rule has single values: names, numbers, texts, lists and functions of them")


def _bound_of_call(call: bytes, overloads: dict[int, list[str]], chosen: list[str]) -> float:
    function, parts = "", []
    for number, value in _fields(call):
        if number == _FUNCTION:
            function = value.decode()
        elif number in (_TARGET, _ARGUMENT):
            parts.append(value)
    if any(name in _FROM_TEXT for name in chosen):
        # double('inf') is over every limit, and texts can be put together: double('in' + 'f').
        raise UnboundedError("write numbers as numbers, not as texts")
    bounds = [_bound(part, overloads) for part in parts]
    match function:
        case "_*_":
            found = prod(bounds)
        case "_/_" | "_%_":
            found = bounds[0] / _divisor(parts[1])
        case "_+_" | "_-_":
            found = sum(bounds)
        case _:
            # A choice gives one of its parts; whatever counts gives a whole number of 64 bits.
            found = max([*bounds, 2.0**64])
    if not found <= _MOST_RESULT:
        raise UnboundedError("multiplies and divides so much that no number could hold the result")
    return found


def _divisor(node: bytes) -> float:
    constant = next((abs(_constant(value)) for number, value in _fields(node) if number == _CONSTANT), 0.0)
    if not constant:
        # x / 0.0 is infinite, and infinite is over every limit: a false alarm that nobody meant.
        raise UnboundedError("divide by a number other than zero only; instead of a / b > 0.2 write a > 0.2 * b")
    return constant


def _constant(constant: bytes) -> float:
    """Give a number that stands in the formula, 0 for a constant that is none."""
    found = 0.0
    for number, value in _fields(constant):
        if number == _DOUBLE:
            (found,) = struct.unpack("<d", value)
        elif number in (_INT64, _UINT64):
            found = float(value - 2**64 if number == _INT64 and value >= 2**63 else value)
    if not abs(found) <= MOST_CONSTANT:
        raise UnboundedError(f"{found:g} is no number of ordinary size")
    return found


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Give the fields of a protobuf message: number and value, an int or the bytes of whatever it is."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield tag >> 3, value
            continue
        if kind == _BYTES:
            size, at = _varint(message, at)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise UnboundedError(f"a formula of a form that is not known (wire type {kind})")
        yield tag >> 3, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    found = shift = 0
    while message[at] & 0x80:
        found |= (message[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
    return found | message[at] << shift, at + 1
