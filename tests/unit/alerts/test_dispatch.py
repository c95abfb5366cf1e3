"""Rules about one quantity of what reports many are put that one alone, and decide as if they had seen all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from alerts.engine.stepping import Engine
from alerts.language.wanted import wanted_texts
from alerts.rulebook.book import Rulebook
from ioc.bootstrap.knowledge import load_world
from ioc.domain.kinds import Observation
from tests.support.engine_runs import make_event

START = datetime(2026, 11, 23, 2, tzinfo=UTC)
WORLD = load_world()
TEXTS = """
title: {vi: a, en: a}
detail: {vi: b, en: b}
runbook: {vi: c, en: c}
"""
RULE = (
    """
rule: test.NAME
condition: expression
on: observation
levels:
  - severity: major
    when: WHEN
    for: 1m
no_data: {policy: keep_last, after: 5h}
"""
    + TEXTS
)


@pytest.mark.parametrize(
    ("formula", "wanted"),
    [
        ("quantity == 'salt' && value > 3", {"salt"}),
        ("'salt' == quantity && value > 3", {"salt"}),
        ("value > 3 && (quantity == 'salt' || quantity == 'oil')", {"salt", "oil"}),
        ("quantity in ['salt', \"oil\"] && value > 3", {"salt", "oil"}),
        ("quantity == 'salt' && quantity == 'oil'", set()),
        ("quantity == 'salt' || value > 9", None),
        ("value > 3", None),
        ("quantity != 'salt'", None),
        ("!(quantity == 'salt')", None),
        ("quantity.startsWith('sa') && value > 3", None),
        ("quantity == 'a && b' && value > 3", None),
        ("value > 3 ? quantity == 'salt' : true", None),
        ("quantity in [quantity]", None),
    ],
)
def test_a_formula_says_by_its_form_which_quantities_it_is_about(formula, wanted):
    assert wanted_texts(formula, "quantity") == (None if wanted is None else frozenset(wanted))


def rulebook(folder, **formulas: str) -> Rulebook:
    for name, formula in formulas.items():
        text = RULE.replace("NAME", name).replace("WHEN", formula)
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return Rulebook.load([folder])


def observed():
    return [
        make_event(
            "mast.1", Observation(quantity=quantity, value=value + minute % 3), START + timedelta(minutes=minute)
        )
        for minute in range(60)
        for quantity, value in (("salt", 3.0), ("oil", 1.0), ("wind", 9.0))
    ]


def played(rules: Rulebook, size: int):
    engine, events, changes = Engine(rules, WORLD), observed(), []
    for start in range(0, len(events), size):
        changes += engine.step("events", events[start : start + size]).changes
    counts = {health.rule_id: health.evaluations_count for health in engine.health()}
    return [(change.rule_id, change.type, change.labels, change.value) for change in changes], counts


@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_a_rule_about_one_quantity_is_put_that_one_and_decides_as_if_it_had_seen_all(tmp_path, size):
    for folder in ("named", "all"):
        (tmp_path / folder).mkdir()
    named = rulebook(tmp_path / "named", salt="quantity == 'salt' && value > 3", any="value > 9")
    # The same in a form that does not tell.
    unnamed = rulebook(tmp_path / "all", salt="(quantity == 'salt') == true && value > 3", any="value > 9")
    changes, counts = played(named, size)
    others, all_counts = played(unnamed, size)
    assert changes == others
    assert {rule_id for rule_id, *_ in changes} == {"test.salt", "test.any"}
    assert counts == {"test.salt": 60, "test.any": 180}
    assert all_counts == {"test.salt": 180, "test.any": 180}
