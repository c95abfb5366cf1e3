"""Conditions written in CEL (Common Expression Language), behind one class that trusts none of them.

Checked when a rule is saved: names, types, size, depth, and everything that could make evaluation long or its result
meaningless. Evaluated, only the Boolean ``true`` is true: an error is an error, whatever Python makes of its value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from cel_expr_python import cel  # type: ignore[import-untyped]

from alerts.language.bounds import MOST_CONSTANT, MOST_VALUE, UnboundedError, refuse_unbounded
from ioc.domain.kinds import Kind

MOST_CHARACTERS = 600
MOST_DEPTH = 16

_TYPES: dict[type, Any] = {
    float: cel.Type.DOUBLE,
    int: cel.Type.DOUBLE,
    str: cel.Type.STRING,
    bool: cel.Type.BOOL,
    datetime: cel.Type.TIMESTAMP,
    date: cel.Type.STRING,
}
"""Numbers are one type, so that nobody has to know which quantities happen to be counts; days are ISO texts."""

_LITERAL = re.compile(r"""'[^'\n]*'|"[^"\n]*\"""")
_FUNCTIONS = frozenset(
    {
        "size", "contains", "startsWith", "endsWith", "timestamp", "duration", "double", "int", "string", "bool",
        "getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getHours",
        "getMinutes", "getSeconds", "getMilliseconds",
    }
)  # fmt: skip
"""What may be called: each takes time in proportion to its text, and gives one value."""
_CALL = re.compile(r"([A-Za-z_]\w*)\s*\(")
_NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
_MACRO = re.compile(r"\.\s*(all|exists|exists_one|map|filter)\s*\(")
_SIGNS = re.compile(rf"(?:[!-]\s*){{{MOST_DEPTH + 1},}}")
_ROOTED = re.compile(r"(?<![\w)\]\s])\s*\.\s*[A-Za-z_]")
"""A name behind a dot that has nothing before it: CEL looks it up elsewhere than we do."""
_NUMBER = re.compile(r"(?<![\w.])(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.])")
_DIVISION = re.compile(r"[/%]\s*\.?\d")
_HINTS = (
    (re.compile(r"(?<![\w.])(?:and|AND)\b"), "write && for `and`: "),
    (re.compile(r"(?<![\w.])(?:or|OR)\b"), "write || for `or`: "),
    (re.compile(r"(?<![\w.])(?:not|NOT)\b"), "write ! for `not`: "),
    (re.compile(r"=>"), "write >= for `=>`: "),
    (re.compile(r"=<"), "write <= for `=<`: "),
    (re.compile(r"<>"), "write != for `<>`: "),
    (re.compile(r"(?<![=<>!])=(?![=<>])"), "write == for `=`: "),
    (re.compile(r"\d,\d"), "write decimals with a dot: "),
)
"""What other languages write, and what CEL has for it."""
_MISSING = 'UNKNOWN: No value with name "'
"""What CEL says where a result rests on a name that it was given no value for; of all else it says something else."""
_WHOLE_BESIDE_DECIMAL = re.compile(r"applied to '\((?:int, double|double, int)\)'")


class ExpressionError(ValueError):
    """An expression cannot be used, or could not be evaluated."""


class Expression:
    """One checked expression over named values; the same object may be evaluated any number of times.

    Args:
        text: CEL that gives a Boolean. Whole numbers may be written for decimals: ``people_count > 100``.
        variables: names that it may use, with their Python types.

    Raises:
        ExpressionError: it is empty, too long, too deep, of another type, uses what is not there, or may become
            infinite.
    """

    def __init__(self, text: str, variables: Mapping[str, type]) -> None:
        self.text = text
        bare = read_bare(text)
        if not bare.strip():
            raise ExpressionError("says nothing; write what must be so, such as `wind_m_s >= 10.8`")
        refuse_hostile(bare)
        self.names = tuple(dict.fromkeys(name for name in _NAME.findall(bare) if name in variables))
        environment = cel.NewEnv(variables={name: _TYPES[kind] for name, kind in variables.items()})
        try:
            self._program = environment.compile(_with_decimals(text))
        except RuntimeError as error:
            raise ExpressionError(_hint(bare, str(error)) + _first_line(error)) from error
        if self._program.return_type() != cel.Type.BOOL:
            raise ExpressionError(f"must be true or false, this gives {self._program.return_type().name()}")
        try:
            refuse_unbounded(self._program.serialize())
        except UnboundedError as error:
            raise ExpressionError(str(error)) from error

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    def holds(self, values: Mapping[str, Any]) -> bool | None:
        """Say whether it is true; None where that rests on a value that is missing, or is no number that is measured.

        As CEL has it, ``a || b`` is true as soon as one of them is, and ``a && b`` false as soon as one of them is.

        Raises:
            ExpressionError: it could not be evaluated.
        """
        known = {}
        for name in self.names:
            value = values.get(name)
            if value is not None and not (isinstance(value, float | int) and not abs(value) <= MOST_VALUE):
                known[name] = _to_cel(value)
        try:
            result = self._program.eval(data=known)
        except RuntimeError as error:
            raise ExpressionError(f"{self.text!r}: {_first_line(error)}") from error
        if result.type() == cel.Type.BOOL:
            return result.plain_value() is True
        said = str(result.plain_value())
        if said.startswith(_MISSING):
            return None
        raise ExpressionError(f"{self.text!r} gave {result.type().name()}: {said}")


def variables_of(kind: Kind, extra: Iterable[str] = ()) -> dict[str, type]:
    """Give what an expression about a kind may name: its fields, and further numbers."""
    return {field.name: field.type for field in kind.fields} | dict.fromkeys(extra, float)


def read_bare(text: str) -> str:
    """Give an expression without the contents of its texts.

    Only plain texts in quotes are read, since whoever sees where a text ends otherwise than CEL does can be shown a
    text where CEL sees a loop: raw, triple-quoted and escaped texts all do that.

    Raises:
        ExpressionError: it is too long, or has texts of other kinds.
    """
    if len(text) > MOST_CHARACTERS:
        raise ExpressionError(f"longer than {MOST_CHARACTERS} characters")
    if "\\" in text or "'''" in text or '"""' in text or re.search(r"""\b[rRbB]{1,2}['"]""", text):
        raise ExpressionError("write texts plainly, like 'open': no escapes, prefixes or triple quotes")
    bare = _LITERAL.sub(" _ ", text)
    if "'" in bare or '"' in bare:
        raise ExpressionError("a text in quotes does not end")
    return bare


def refuse_hostile(bare: str) -> None:
    """Refuse what could take long to compile or to evaluate, by its text alone: none of it gets to the compiler.

    Raises:
        ExpressionError: it is too deep, or has a loop, a map, an unknown function, or a division by no number.
    """
    depth = 0
    for sign in bare:
        depth += (sign in "([{?") - (sign in ")]}")
        if depth > MOST_DEPTH:
            raise ExpressionError(f"nested deeper than {MOST_DEPTH}")
    if _SIGNS.search(bare) is not None:
        raise ExpressionError(f"more than {MOST_DEPTH} signs in a row")
    if _ROOTED.search(bare) is not None:
        raise ExpressionError("write names without a dot before them")
    if (macro := _MACRO.search(bare)) is not None:
        raise ExpressionError(f"{macro[1]}() runs over lists; a rule has single values")
    if "{" in bare:
        raise ExpressionError("no maps and no messages; a rule has single values")
    for call in _CALL.findall(bare):
        if call not in _FUNCTIONS | {"in"}:
            raise ExpressionError(f"no function {call}(); there are {', '.join(sorted(_FUNCTIONS))}")
    if (large := next((text for text in _NUMBER.findall(bare) if float(text) > MOST_CONSTANT), None)) is not None:
        raise ExpressionError(f"{large[:20]} is no number of ordinary size")
    if len(re.findall(r"[/%]", bare)) != len(_DIVISION.findall(bare)):
        raise ExpressionError("divide by a number other than zero only; instead of a / b > 0.2 write a > 0.2 * b")


def _with_decimals(text: str) -> str:
    """Write whole numbers as decimals outside of texts; CEL would not compare them with a quantity."""
    parts, at = [], 0
    for literal in _LITERAL.finditer(text):
        parts += [_NUMBER.sub(_to_decimal, text[at : literal.start()]), literal[0]]
        at = literal.end()
    return "".join([*parts, _NUMBER.sub(_to_decimal, text[at:])])


def _to_decimal(number: re.Match[str]) -> str:
    return f"{number[0]}.0" if number[0].isdecimal() else number[0]


def _to_cel(value: Any) -> Any:
    if isinstance(value, bool | str | datetime):
        return value
    return value.isoformat() if isinstance(value, date) else float(value)


def _hint(bare: str, error: str) -> str:
    """Give what to write instead, where a formula that CEL refuses shows what was meant."""
    if _WHOLE_BESIDE_DECIMAL.search(error) is not None:
        return "what counts gives a whole number, so write double(size(a)) > 2, double(at.getHours()) > 5: "
    return next((says for pattern, says in _HINTS if pattern.search(bare) is not None), "")


def _first_line(error: RuntimeError) -> str:
    return str(error).replace("INVALID_ARGUMENT: ERROR: <input>:", "at ").split("\n", 1)[0][:300]
