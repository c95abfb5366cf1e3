"""Formulas read in the plain way say what CEL says; what is not plain is left to CEL."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.conditions.window import Measured
from alerts.language.arithmetic import PlainFormula
from alerts.language.expressions import Expression, ExpressionError
from alerts.rulebook.book import Rulebook

NAMES = ("a", "b", "c")
RULES = Rulebook.load([Path(str(resources.files("alerts").joinpath("rules")))])

numbers = st.recursive(
    st.sampled_from(NAMES) | st.sampled_from(["0", "1", "2.5", "0.1", "1e3"]),
    lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda part: f"({' '.join(part)})"),
    max_leaves=4,
)
comparisons = st.tuples(numbers, st.sampled_from(["<", "<=", ">", ">="]), numbers).map(" ".join)
formulas = st.recursive(
    comparisons,
    lambda inner: (
        st.lists(inner, min_size=2, max_size=3).flatmap(
            lambda parts: st.sampled_from([" && ", " || "]).map(lambda sign: f"({sign.join(parts)})")
        )
        | st.lists(inner, min_size=3, max_size=3).map(lambda parts: f"{parts[0]} || {parts[1]} && {parts[2]}")
    ),
    max_leaves=4,
)
some_values = st.fixed_dictionaries(
    dict.fromkeys(
        NAMES,
        st.none()
        | st.integers(-(2**60), 2**60)
        | st.floats(allow_nan=True, allow_infinity=True)
        | st.sampled_from([0, 1.0, 2.5]),
    )
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(formulas, some_values)
def test_a_plain_formula_holds_exactly_where_cel_says_so(text, values):
    try:
        expression = Expression(text, dict.fromkeys(NAMES, float))
    except ExpressionError:
        return  # too long or too deep
    plain = PlainFormula(text, frozenset(NAMES))
    assert plain.is_plain
    named = {name: values[name] for name in expression.names}
    assert plain.may_hold(named) is (expression.holds(named) is True)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(formulas, some_values, st.fixed_dictionaries(dict.fromkeys(NAMES, st.integers(-5, 5))))
def test_what_is_said_without_a_value_is_said_whatever_the_value_is(text, values, others):
    try:
        expression = Expression(text, dict.fromkeys(NAMES, float))
    except ExpressionError:
        return  # too long or too deep
    holds = expression.holds(values)
    if holds is not None:
        filled = {name: others[name] if value is None else value for name, value in values.items()}
        assert expression.holds(filled) is holds


@pytest.mark.parametrize(
    "text", ["a == 1", "!(a > 1)", "a > 1 ? b > 1 : c > 1", "a / 2 > 1", "s == 'x'", "s.size() > 2", "a > 1 && t"]
)
def test_what_is_not_plain_may_always_hold(text):
    plain = PlainFormula(text, frozenset(NAMES))
    assert not plain.is_plain
    assert plain.may_hold({})


def test_every_shipped_formula_is_plain():
    shipped = [rule for rule in RULES.rules if isinstance(rule.condition, Measured) and rule.condition.formulas]
    assert shipped
    for rule in shipped:
        assert isinstance(rule.condition, Measured)
        named = frozenset(rule.condition.facts)
        assert all(PlainFormula(text, named).is_plain for pair in rule.condition.formulas for text in pair if text)
