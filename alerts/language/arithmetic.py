"""A plain reading of CEL formulas that only compare and combine numbers, to see quickly what cannot be true.

One evaluation by the CEL library takes some 70 µs, and nearly every reading is under every limit. This says so in one;
what may be true is CEL's to judge. Numbers are IEEE doubles on both sides, so a sum or a comparison gives the same.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import add, ge, gt, le, lt, mul, sub
from typing import Any, NamedTuple

from alerts.language.bounds import MOST_VALUE

Reading = Callable[[Mapping[str, Any]], Any]
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {ast.Lt: lt, ast.LtE: le, ast.Gt: gt, ast.GtE: ge}
_SIGNS: dict[type[ast.cmpop], str] = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_OPERATIONS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {ast.Add: add, ast.Sub: sub, ast.Mult: mul}


class _UnknownError(Exception):
    """A value that a formula names is missing, or is no number that is measured."""


class _OtherError(Exception):
    """A formula is more than comparisons of numbers."""


class PlainFormula:
    """A formula read in the plain way. Of another kind than described above it is not plain and always may hold."""

    def __init__(self, text: str, numbers: frozenset[str]) -> None:
        self._reading = _read(text, numbers)

    @property
    def is_plain(self) -> bool:
        """Whether it could be read."""
        return self._reading is not None

    def may_hold(self, values: Mapping[str, Any]) -> bool:
        """Say whether CEL could find it true; it does not where that rests on a value that is missing."""
        return self._reading is None or self._reading(values) is True


class PlainComparison(NamedTuple):
    """One comparison of a formula: its left side as it is written, and both sides to be worked out."""

    text: str
    operator: str
    left: Reading
    right: Reading

    def sides(self, values: Mapping[str, Any]) -> tuple[float, float] | None:
        """Give both sides; None where a value that they name is missing."""
        try:
            return float(self.left(values)), float(self.right(values))
        except _UnknownError:
            return None


def read_ways(text: str, numbers: frozenset[str]) -> list[list[PlainComparison]]:
    """Give the ways in which a formula may hold, each the comparisons that must hold together.

    Nothing where it is not plain, or is nested deeper than ways of comparisons.
    """
    try:
        return [_to_way(part, numbers) for part in _parts_of(_parse(text), ast.Or)]
    except (SyntaxError, _OtherError):
        return []


def find_comparisons(text: str) -> Iterator[str]:
    """Give the comparisons of two sides that a formula joins by ``&&`` and ``||``, whatever it joins them with.

    A number that stands first comes last: ``5 > x`` is given as ``x < 5``.
    """
    try:
        yield from _find_comparisons(_parse(text))
    except SyntaxError:
        return


def _find_comparisons(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.BoolOp(values=parts):
            for part in parts:
                yield from _find_comparisons(part)
        case ast.Compare(left=left, ops=[comparison], comparators=[right]) if type(comparison) in _SIGNS:
            sign = _SIGNS[type(comparison)]
            if isinstance(right, ast.Name):
                left, sign, right = right, _MIRRORED[sign], left
            yield f"{ast.unparse(left)} {sign} {ast.unparse(right)}"


def _to_way(node: ast.expr, numbers: frozenset[str]) -> list[PlainComparison]:
    way = []
    for part in _parts_of(node, ast.And):
        match part:
            case ast.Compare(left=left, ops=[comparison], comparators=[right]) if type(comparison) in _SIGNS:
                sides = _to_reading(left, numbers), _to_reading(right, numbers)
                way.append(PlainComparison(ast.unparse(left), _SIGNS[type(comparison)], *sides))
            case _:
                raise _OtherError
    return way


def _parts_of(node: ast.expr, operator: type[ast.boolop]) -> list[ast.expr]:
    return node.values if isinstance(node, ast.BoolOp) and isinstance(node.op, operator) else [node]


def _parse(text: str) -> ast.expr:
    return ast.parse(text.replace("&&", " and ").replace("||", " or "), mode="eval").body


def _read(text: str, numbers: frozenset[str]) -> Reading | None:
    """Read a formula that CEL has accepted: what is left to see is whether it is of the kind that both read alike."""
    try:
        return _to_reading(_parse(text), numbers)
    except (SyntaxError, _OtherError):
        return None


def _to_reading(node: ast.expr, numbers: frozenset[str]) -> Reading:
    match node:
        case ast.BoolOp(op=operator, values=parts):
            return _join([_to_reading(part, numbers) for part in parts], decisive=isinstance(operator, ast.Or))
        case ast.Compare(left=left, ops=[comparison], comparators=[right]) if type(comparison) in _COMPARISONS:
            sides = _to_reading(left, numbers), _to_reading(right, numbers)
            return _known(_pair(_COMPARISONS[type(comparison)], *sides))
        case ast.BinOp(left=left, op=operation, right=right) if type(operation) in _OPERATIONS:
            return _pair(_OPERATIONS[type(operation)], _to_reading(left, numbers), _to_reading(right, numbers))
        case ast.Name(id=name) if name in numbers:
            return _value_of(name)
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            constant = float(number)
            return lambda values: constant
        case _:
            raise _OtherError


def _join(readings: Sequence[Reading], *, decisive: bool) -> Reading:
    """Join parts of which one that is ``decisive`` decides, whatever the others are; None is unknown."""

    def joined(values: Mapping[str, Any]) -> bool | None:
        is_known = True
        for reading in readings:
            found: bool | None = reading(values)
            if found is decisive:
                return decisive
            is_known = is_known and found is not None
        return not decisive if is_known else None

    return joined


def _known(reading: Reading) -> Reading:
    def known(values: Mapping[str, Any]) -> bool | None:
        try:
            return bool(reading(values))
        except _UnknownError:
            return None

    return known


def _pair(operation: Callable[[Any, Any], Any], left: Reading, right: Reading) -> Reading:
    return lambda values: operation(left(values), right(values))


def _value_of(name: str) -> Reading:
    def value_of(values: Mapping[str, Any]) -> float:
        value = values.get(name)
        if value is None or not abs(value) <= MOST_VALUE:
            raise _UnknownError
        return float(value)

    return value_of
