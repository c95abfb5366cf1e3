"""Conditions in CEL: what is refused when it is saved, and what only ``true`` means when it runs."""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime

import pytest
from cel_expr_python import cel  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.language.arithmetic import PlainFormula
from alerts.language.bounds import MOST_VALUE
from alerts.language.expressions import (
    MOST_CHARACTERS,
    MOST_DEPTH,
    Expression,
    ExpressionError,
    read_bare,
    refuse_hostile,
    variables_of,
)
from ioc.domain.kinds import KINDS
from tests.support.expressions import HOSTILE, UNBOUNDED, VARIABLES

_CONSTANTS = {float: "0", int: "0", str: "''", bool: "false", date: "''"}

WRONG = ["", "density", "density >", "speed > 3", "status > 3", "status == 3", "density > '3'", "size(status) > 3"]


@pytest.mark.parametrize("text", HOSTILE + UNBOUNDED)
def test_what_could_run_long_or_become_infinite_is_refused_when_saved(text):
    with pytest.raises(ExpressionError):
        Expression(text, VARIABLES)


def _reaches_the_compiler(text: str) -> bool:
    try:
        refuse_hostile(read_bare(text))
    except ExpressionError:
        return False
    return True


def test_most_hostile_ones_are_refused_by_their_text_and_the_compiler_sees_none_that_is_long_or_deep():
    compiled = [text for text in HOSTILE if _reaches_the_compiler(text)]
    assert len(compiled) <= len(HOSTILE) / 4, compiled
    for text in compiled:
        assert len(text) <= MOST_CHARACTERS
        assert _depth(text) <= MOST_DEPTH


def _depth(text: str) -> int:
    depth = deepest = 0
    for sign in text:
        depth += (sign in "([{?") - (sign in ")]}")
        deepest = max(deepest, depth)
    return deepest


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("closed || " * (MOST_CHARACTERS // 10) + "closed", f"longer than {MOST_CHARACTERS}"),
        ("(" * (MOST_DEPTH + 1) + "closed" + ")" * (MOST_DEPTH + 1), f"nested deeper than {MOST_DEPTH}"),
        ("!" * (MOST_DEPTH + 1) + "closed", f"more than {MOST_DEPTH} signs in a row"),
        ("closed ? closed : " * (MOST_DEPTH + 1) + "closed", f"nested deeper than {MOST_DEPTH}"),
    ],
    ids=["long", "nested", "signs", "choices"],
)
def test_what_is_too_large_is_refused_before_it_is_compiled(text, says):
    assert not _reaches_the_compiler(text)
    with pytest.raises(ExpressionError, match=says):
        Expression(text, VARIABLES)


@given(st.text(alphabet="()[]{}?:!-.'\"\\\nrb&|<> aclosed019+*/%,", max_size=2 * MOST_CHARACTERS))
@settings(max_examples=300, deadline=None)
def test_whatever_reaches_the_compiler_is_within_all_limits(text):
    if _reaches_the_compiler(text):
        assert len(text) <= MOST_CHARACTERS
        assert _depth(re.sub(r"""'[^'\n]*'|"[^"\n]*\"""", "", text)) <= MOST_DEPTH


_numbers = st.recursive(
    st.sampled_from(["density", "people", "0.0", "2.5", "-1e12", ".5e-12", "1e-300", "9e11", "double(size(status))"]),
    lambda inner: (
        st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda part: f"({' '.join(part)})")
        | st.tuples(inner, st.sampled_from(["1e-12", "0.1e-5", "3.0", "1e-300", "0E0"])).map(" / ".join)
        | st.tuples(inner, inner).map(lambda part: f"(closed ? {part[0]} : {part[1]})")
        | inner.map(lambda part: f"({' * '.join([part] * 4)})")
        | inner.map(lambda part: f"-{part}")
    ),
    max_leaves=12,
)
_finite = st.floats(-MOST_VALUE, MOST_VALUE)


@given(_numbers, _finite, _finite)
@settings(max_examples=300, deadline=None)
def test_for_finite_values_no_arithmetic_that_is_let_through_is_infinite_or_no_number(number, density, people):
    try:
        Expression(f"{number} > 1", VARIABLES)
    except ExpressionError:
        return
    types = {"density": cel.Type.DOUBLE, "people": cel.Type.DOUBLE, "closed": cel.Type.BOOL, "status": cel.Type.STRING}
    found = (
        cel.NewEnv(variables=types)
        .compile(number)
        .eval(data={"density": density, "people": people, "closed": True, "status": "open"})
    )
    assert math.isfinite(found.plain_value())


def test_no_reading_has_a_number_beyond_what_formulas_are_bounded_by():
    quantities = [item for kind in KINDS.values() for item in kind.quantities.values()]
    assert all(max(abs(item.low), abs(item.high)) <= MOST_VALUE for item in quantities)


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
    ("text", "says"),
    [
        ("density > 5 and people > 5", "write && for `and`: at 1:"),
        ("density > 5 or people > 5", "write || for `or`: at 1:"),
        ("not closed", "write ! for `not`: at 1:"),
        ("density = 5", "write == for `=`: at 1:"),
        ("density => 5", "write >= for `=>`: at 1:"),
        ("density =< 5", "write <= for `=<`: at 1:"),
        ("density > 10,8", "write decimals with a dot: at 1:"),
        ("size(status) == 2", "write double(size(a)) > 2"),
        ("at.getHours() > 5", "write double(size(a)) > 2, double(at.getHours()) > 5: at 1:"),
        ("density > 5 && people >", "at 1:"),
        ("status = 'open and shut'", "write == for `=`: at 1:"),
    ],
)
def test_what_other_languages_write_is_refused_with_what_to_write_here(text, says):
    with pytest.raises(ExpressionError) as refused:
        Expression(text, VARIABLES)
    assert says in str(refused.value)


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
        ("density > 1e-3", True),
        ("density > .25e1 || people-3 > 97.5", True),
        ("density*1E+1 == 25", True),
        ("double(size(status)) == 4", True),
        ("double(at.getHours()) > 5", True),
    ],
)
def test_it_says_what_it_says(text, holds):
    values = {
        "people": 101, "density": 2.5, "status": "open", "on": date(2026, 11, 23),
        "at": datetime(2026, 11, 23, 9, tzinfo=UTC), "closed": False,
    }  # fmt: skip
    assert Expression(text, VARIABLES).holds(values) is holds


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("density > 2", None),
        ("!(density > 2)", None),
        ("density > 2 || people > 100", True),
        ("people > 100 || density > 2", True),
        ("density > 2 || people > 900", None),
        ("density > 2 && people > 100", None),
        ("density > 2 && people > 900", False),
        ("people > 900 && density > 2", False),
        ("density > 2 || density <= 2", None),
        ("people > 100 ? status == 'open' : density > 2", True),
        ("density > 2 ? status == 'open' : status == 'open'", None),
    ],
)
def test_it_is_unknown_where_it_rests_on_a_value_that_is_missing(text, holds):
    assert Expression(text, VARIABLES).holds({"people": 500, "status": "open"}) is holds


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 1e21, 10**400])
def test_what_is_no_number_that_is_measured_makes_it_unknown(value):
    assert Expression("density > 2", VARIABLES).holds({"density": value}) is None
    for people, holds in ((5, True), (0, None)):
        values = {"density": value, "people": people}
        assert Expression("density > 2 || people > 1", VARIABLES).holds(values) is holds
        assert PlainFormula("density > 2 || people > 1", frozenset(VARIABLES)).may_hold(values) is (holds is True)


def test_an_error_is_raised_and_never_true():
    expression = Expression("timestamp(status) > at", VARIABLES)
    with pytest.raises(ExpressionError, match="ERROR"):
        expression.holds({"status": "no instant", "at": datetime(2026, 1, 1, tzinfo=UTC)})


@pytest.mark.parametrize(
    "text",
    [
        "timestamp('x') < at",
        "timestamp(status) > at || density > 2",
        "timestamp(status) > at && density > 2",
        "timestamp(status) > at ? density > 2 : people > 2",
    ],
)
def test_an_error_that_is_not_about_what_is_missing_is_raised_where_something_is_missing_too(text):
    values = {"status": 'No value with name "density"', "at": datetime(2026, 1, 1, tzinfo=UTC)}
    with pytest.raises(ExpressionError, match="conversion failed"):
        Expression(text, VARIABLES).holds(values)


def test_a_value_that_the_library_cannot_take_is_an_error_as_any_other():
    with pytest.raises(ExpressionError, match="status"):
        Expression("status == 'x'", VARIABLES).holds({"status": "\ud800"})


def test_every_field_of_every_kind_can_be_named():
    for kind in KINDS.values():
        for name, type_ in variables_of(kind).items():
            constant = _CONSTANTS.get(type_, "timestamp('2026-01-01T00:00:00Z')")
            assert Expression(f"{name} == {constant}", variables_of(kind)).names == (name,)
