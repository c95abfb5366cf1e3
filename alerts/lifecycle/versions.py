"""Versions of rules: a rule as the text that somebody wrote, checked by its own tests, and which of them are in force.

Rules come from files. A version that was made active stands in for the file's rule of the same name, or for nothing.
A candidate runs beside: under a name of its own, so that its alerts are its own, and in shadow, so that nobody is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from alerts.engine.stepping import Engine
from alerts.language.files import Fault, Table, parse_tables
from alerts.language.rule import Rule
from alerts.lifecycle.rule_tests import TestResult, find_unknown_places, run_tests_of
from alerts.rulebook.book import MARK, Rulebook, RulebookError, read_rule
from alerts.world import World
from ioc.errors import IocError

MOST_CHARACTERS = 64_000
"""Of one rule with its tests; the longest file that comes with the program has 5,600."""


class FailedTestsError(IocError):
    """The tests beside a rule say something else than the rule does."""

    def __init__(self, failed: Sequence[TestResult]) -> None:
        self.failed = tuple(failed)
        named = "; ".join(f"{result.name!r}: {result.difference}" for result in failed)
        super().__init__(f"{len(failed)} of the tests beside the rule fail: {named}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A rule that was read from a text, with how many tests stand beside it."""

    rule: Rule
    tests_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """Which versions count: by rule the one in force (None: retired), and candidates by rule and number."""

    live: Mapping[str, Rule | None]
    candidates: Mapping[tuple[str, int], Rule]


def candidate_id(rule_id: str, number: int) -> str:
    """Give the name that a version runs under while it is a candidate."""
    return f"{rule_id}{MARK}{number}"


def split_id(rule_id: str) -> tuple[str, int | None]:
    """Give a rule's own name, and the number where it is a candidate's."""
    name, mark, number = rule_id.partition(MARK)
    return (name, int(number)) if mark and number.isdecimal() else (rule_id, None)


def read_version(source: str, name: str) -> Draft:
    """Read a rule from its text; ``name`` stands for the file in faults. The tests are read when they run.

    What it says against itself is no fault here: it was let through once, and goes on as it is.

    Raises:
        RulebookError: with every fault, each with its line.
    """
    rule, tests, faults = _read(source, name)
    faults = [fault for fault in faults if not fault.can_run]
    if rule is None or faults:
        raise RulebookError(faults)
    return Draft(rule=rule, tests_count=len(tests))


def check_version(source: str, name: str, world: World, others: Rulebook) -> Draft:
    """Read a rule, run the tests beside it, and see that it fits among the others.

    Raises:
        RulebookError: with every fault, each with its line.
        FailedTestsError: a test beside it fails.
    """
    rule, tests, faults = _read(source, name)
    if rule is None or faults:
        raise RulebookError(faults)
    results = run_tests_of(rule, tests, world)
    faults += find_unknown_places(rule, world)
    if faults:
        raise RulebookError(faults)
    if failed := [result for result in results if not result.passed]:
        raise FailedTestsError(failed)
    Engine(Rulebook([*(other for other in others.rules if other.rule_id != rule.rule_id), rule]), world)
    return Draft(rule=rule, tests_count=len(tests))


def overlay(files: Iterable[Rule], versions: InForce) -> Rulebook:
    """Give the rules in force: those of the files, with the versions that stand in for them and the candidates.

    The hash of a candidate's meaning stays that of the version, so that its alerts name it.
    """
    rules: dict[str, Rule | None] = {rule.rule_id: rule for rule in files}
    rules.update(versions.live)
    for (rule_id, number), rule in versions.candidates.items():
        name = candidate_id(rule_id, number)
        rules[name] = replace(rule, rule_id=name, shadow=True)
    return Rulebook(rule for rule in rules.values() if rule is not None)


def _read(source: str, name: str) -> tuple[Rule | None, list[Table], list[Fault]]:
    faults: list[Fault] = []
    if len(source) > MOST_CHARACTERS:
        return None, [], [Fault(file=name, line=1, what=f"longer than {MOST_CHARACTERS:,} characters")]
    tables = parse_tables(source, name, faults)
    if not tables:
        return None, [], faults or [Fault(file=name, line=1, what="no rule")]
    if len(tables) > 1:
        tables[1].fault("a version is one rule; save each by itself")
        return None, [], faults
    read = read_rule(tables[0])
    if read is None:
        return None, [], faults
    return *read, faults
