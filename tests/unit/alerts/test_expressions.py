"""Conditions in CEL: what is refused when it is saved, and what only ``true`` means when it runs."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.language.expressions import MOST_CHARACTERS, Expression, ExpressionError, variables_of
from ioc.domain.kinds import KINDS

VARIABLES = {"people": int, "density": float, "status": str, "on": date, "at": datetime, "closed": bool}

HOSTILE = [
    "[1,2,3].all(a, [1,2,3].all(b, a < b))",
    "[1].exists (i, i > 0)",
    "(" * 40 + "closed" + ")" * 40,
    "closed" + " && closed" * MOST_CHARACTERS,
    "density / 0.0 > 1.0",
    "density / people > 0.5",
    "density / 0 > 1",
    "density % people > 1",
    "density / 0e5 > 1",
    # Where one reads a text and another reads code: the loop hides in what looks like a text.
    "''' ' ''' == 'x' || [1,2].all(a, true) || status == ' '",
    '""" " """ == "x" || [1,2].all(a, true) || status == " "',
    r"r'\' == 'a' || [1,2].all(a, true) || status == 'b'",
    r"status == '\'' || [1,2].all(a, true) || status == '\''",
    "b'x' == b'y'",
    "status == 'never ends",
    "[1].all//\n(a, true)",
    # Functions whose work is not in proportion to their text, or that no rule needs.
    "status.matches('(a*)*b')",
    "status.matches('((((a{100}){100}){100}){100})')",
    "cel.bind(a, [1, 1], size(a) > 1)",
    "dyn(status) == 3",
    "[1].transformList(i, v, v) == [1]",
    "{'a': 1}['a'] == 1",
    "google.protobuf.Struct{} == {}",
    "[" * 17 + "1" + "]" * 17 + " == []",
    "closed" + " ? closed : closed" * 30,
    "status" + ".size()" * 80 + " > 1",
    "status" + " + status" * 60 + " == 'x'",
    "1e400 > density",
    "density < 1e308 * 10.0",
    "9" * 400 + " > density",
    "\x00 closed",
    "-" * (MOST_CHARACTERS + 1) + "density > 1",
    "-" * 100 + "density > 1",
    "! " * 100 + "closed",
    ".density > 1",
    "closed || (\n.density > 1)",
    "double('inf') > density",
    "density < double ( 'Infinity' )",
]
"""Each is refused by its text or by CEL's own parser: none is ever evaluated."""

_CONSTANTS = {float: "0", int: "0", str: "''", bool: "false", date: "''"}

WRONG = ["", "density", "density >", "speed > 3", "status > 3", "status == 3", "density > '3'", "size(status) > 3"]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_could_run_long_or_become_infinite_is_refused_when_saved(text):
    with pytest.raises(ExpressionError):
        Expression(text, VARIABLES)


_PARTS = ["closed", "status", "density", "'", '"', "\\", "r", "[1]", ".all(a,true)", ".exists(a,a)", "(", ")", "||"]
_PARTS += [".map(a,a)", "==", "!", "?", ":", "'x'", "//", "2.0", "<"]


@given(st.lists(st.sampled_from([*_PARTS, " ", "\n"]), max_size=25).map("".join))
@settings(max_examples=300, deadline=None)
def test_whatever_is_let_through_has_no_loop_in_it(text):
    try:
        expression = Expression(text, VARIABLES)
    except ExpressionError:
        return
    # Outside of texts, as CEL itself reads them: all that is left of them once plain quotes are paired.
    for loop in ("all(", "exists(", "map("):
        assert loop not in re.sub(r"""'[^']*'|"[^"]*\"""", "", expression.text)


def test_the_longest_that_is_let_through_is_evaluated_once_per_word_and_no_more():
    word = " || density > 1.0"
    longest = "closed" + word * min(30, (MOST_CHARACTERS - 6) // len(word))
    values = {"closed": False, "density": 0.5}
    assert Expression(longest, VARIABLES).holds(values) is False


@pytest.mark.parametrize("text", WRONG)
def test_what_has_no_sense_is_refused_when_saved(text):
    with pytest.raises(ExpressionError):
        Expression(text, VARIABLES)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("density >= 2", True),
        ("people > 100 && status == 'open'", True),
        ("people > 100.5", True),
        ("status == 'people > 1000'", False),
        ("density / 2 >= 1.25", True),
        ("density - 2 * people > 0", False),
        ("closed || density < 1", False),
        ("on == '2026-11-23'", True),
        ("at >= timestamp('2026-11-23T00:00:00Z')", True),
        ("status in ['open', 'ajar']", True),
        ("!closed ? density > 2 : false", True),
    ],
)
def test_it_says_what_it_says(text, holds):
    values = {
        "people": 101, "density": 2.5, "status": "open", "on": date(2026, 11, 23),
        "at": datetime(2026, 11, 23, 9, tzinfo=UTC), "closed": False,
    }  # fmt: skip
    assert Expression(text, VARIABLES).holds(values) is holds


def test_a_missing_value_makes_it_unknown_and_not_false():
    expression = Expression("density > 2 || people > 100", VARIABLES)
    assert expression.holds({"people": 500}) is None


def test_an_error_is_raised_and_never_true():
    expression = Expression("timestamp(status) > at", VARIABLES)
    with pytest.raises(ExpressionError, match="ERROR"):
        expression.holds({"status": "no instant", "at": datetime(2026, 1, 1, tzinfo=UTC)})


def test_a_value_that_the_library_cannot_take_is_an_error_as_any_other():
    with pytest.raises(ExpressionError, match="status"):
        Expression("status == 'x'", VARIABLES).holds({"status": "\ud800"})


def test_every_field_of_every_kind_can_be_named():
    for kind in KINDS.values():
        for name, type_ in variables_of(kind).items():
            constant = _CONSTANTS.get(type_, "timestamp('2026-01-01T00:00:00Z')")
            assert Expression(f"{name} == {constant}", variables_of(kind)).names == (name,)
