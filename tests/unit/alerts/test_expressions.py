"""Conditions in CEL: what is refused when it is saved, and what only ``true`` means when it runs."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from alerts.expressions import MOST_CHARACTERS, Expression, ExpressionError, variables_of
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
]

_CONSTANTS = {float: "0", int: "0", str: "''", bool: "false", date: "''"}

WRONG = ["", "density", "density >", "speed > 3", "status > 3", "status == 3", "density > '3'", "size(status) > 3"]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_could_run_long_or_become_infinite_is_refused_when_saved(text):
    with pytest.raises(ExpressionError):
        Expression(text, VARIABLES)


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


def test_every_field_of_every_kind_can_be_named():
    for kind in KINDS.values():
        for name, type_ in variables_of(kind).items():
            constant = _CONSTANTS.get(type_, "timestamp('2026-01-01T00:00:00Z')")
            assert Expression(f"{name} == {constant}", variables_of(kind)).names == (name,)
