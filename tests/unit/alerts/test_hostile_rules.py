"""Whatever stands in a rule file, it is refused with file and line: no traceback, no hanging, no flood of memory."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest
import yaml

from alerts.engine.stepping import Engine
from alerts.language.documents import MOST_BYTES
from alerts.lifecycle import rule_tests
from alerts.rulebook.book import Rulebook
from ioc.bootstrap.knowledge import load_world

SHIPPED = sorted(Path(str(resources.files("alerts").joinpath("rules"))).glob("*.yaml"))
WORLD = load_world()
SOUND = """\
rule: test.rule
condition: expression
on: tourism.crowd
levels:
  - severity: major
    when: density_p_m2 >= 2
    for: 5m
title: {vi: "a {value}", en: "a {value}"}
detail: {vi: b, en: b}
runbook: {vi: c, en: c}
tests:
  - name: one
    given:
      - {asset: site.x, at: 0m, every: 1m, until: 4m, density_p_m2: 3.0}
"""
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "\n".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 9)}]" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def faults(tmp_path, content: str | bytes):
    path = tmp_path / "rule.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return rule_tests.check([path])


def test_the_rule_that_is_spoilt_below_is_sound(tmp_path):
    assert faults(tmp_path, SOUND) == []


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (BOMB, "without aliases"),
        ("a: &a\n  b: *a\n", "without aliases"),
        ("<<: {rule: x}\n" + SOUND, "unknown key '<<'"),
        ("[" * 500 + "]" * 500, "nested deeper"),
        ("[" * 100_000, "nested deeper"),
        ("a:\n" + "".join(f"{'  ' * depth}b:\n" for depth in range(1, 400)), "nested deeper"),
        ("# " + "x" * MOST_BYTES, "bytes long"),
        ("rule: " + "x" * 900_000, "characters"),
        (b"\x00\x01\x02", "cannot be read"),
        (b"\xff\xfe\xfa", "cannot be read"),
        ("rule: !!python/object/apply:os.system [echo]\n", "cannot be read"),
        ("rule: !secret x\n", "cannot be read"),
        ("just words", "must be a mapping"),
        ("- a\n- b\n", "must be a mapping"),
        ("[1, 2]: x\n", "a key must be one word"),
        ("? {a: b}\n: x\n", "a key must be one word"),
        ("rule: 2026-13-45\n", "cannot be read"),
        ("\trule: x", "not YAML"),
        ("rule: 'x", "not YAML"),
    ],
    ids=range(19),
)
def test_a_hostile_file_is_refused_with_a_clear_fault(tmp_path, content, says):
    found = faults(tmp_path, content)
    assert any(says in fault.what for fault in found), found
    assert all(fault.line >= 1 and len(fault.what) < 2_000 for fault in found)


def test_a_rule_of_very_many_formulas_is_refused_and_they_are_not_compiled(tmp_path):
    level = SOUND[SOUND.index("  - severity") : SOUND.index("title")]
    sound, broken = level * 12, level.replace("density_p_m2", "densty") * 80
    (fault,) = faults(tmp_path, SOUND.replace(level, sound + broken))
    assert (fault.line, fault.what) == (5, "levels: at most 12 with formulas")


@pytest.mark.parametrize(
    ("change", "line", "says"),
    [
        (("for: 5m", "for: -5m"), 7, "must be a duration"),
        (("for: 5m", "for: 99999999999999999d"), 7, "must be a duration"),
        (("for: 5m", "for: 401d"), 7, "400 days at most"),
        (("for: 5m", f"for: {'9' * 5_000}s"), 7, "must be a duration"),
        (("for: 5m", "for: 300"), 7, "must be a duration"),
        (("density_p_m2 >= 2", f"'{'(' * 40}density_p_m2{')' * 40} >= 2'"), 6, "nested deeper"),
        (("density_p_m2 >= 2", f"density_p_m2 >= {'1 + ' * 400}1"), 6, "longer than"),
        (("density_p_m2 >= 2", "density_p_m2 / people_count > 1"), 6, "divide"),
        (("density_p_m2 >= 2", "density_p_m2 / 0E0 > 1"), 6, "divide"),
        (("density_p_m2 >= 2", "density_p_m2 < double('in' + 'f')"), 6, "not as texts"),
        (("density_p_m2 >= 2", f"density_p_m2 {'* 1e12 ' * 30} > 5"), 6, "no number could hold"),
        (("density_p_m2 >= 2", "density_p_m2 > -.5e400"), 6, "ordinary size"),
        (("density_p_m2 >= 2", "'[1,2,3].exists(x, x > density_p_m2)'"), 6, "runs over lists"),
        (("density_p_m2 >= 2", "density_p_m2 >"), 6, "when:"),
        (("density_p_m2 >= 2", '""'), 6, "when: says nothing"),
        (("density_p_m2 >= 2", '"  "'), 6, "when: says nothing"),
        (("    for: 5m", '    clear: ""'), 7, "clear: says nothing"),
        (("    for: 5m", '    clear: " "'), 7, "clear: says nothing"),
        (("- severity: major\n    when: density_p_m2 >= 2\n    for: 5m", "[]"), 5, "at least one level"),
        (("density_p_m2 >= 2", "density_p_m2 + 2"), 6, "must be true or false"),
        (("density_p_m2 >= 2", "densty >= 2"), 6, "densty"),
        (("density_p_m2 >= 2", "density_p_m2 >= 1e999"), 6, "when:"),
        (("a {value}", "a {value:999999999}"), 8, "without : or !"),
        (("a {value}", "a {value.__class__}"), 8, "no {value.__class__}"),
        (("a {value}", "a {value"), 8, "title.vi"),
        (("detail: {vi: b", "detail: {vi: ' '"), 9, "says nothing"),
        (("rule: test.rule", "rule: Test Rule"), 1, "small letters"),
        (("rule: test.rule", "rule: [a]"), 1, "must be a text"),
        (("every: 1m, until: 4m", "every: 0s, until: 4m"), 14, "every: longer than nothing"),
        (("every: 1m, until: 4m", "every: 0.001s, until: 9h"), 14, "readings at most"),
        (("every: 1m, until: 4m", "again: 1d, times: 900000"), 14, "a whole number"),
        (("every: 1m, until: 4m", "delay: 300d"), 12, "60 days"),
        (("density_p_m2: 3.0", "density_p_m2: three"), 14, "not a tourism.crowd"),
        (("density_p_m2: 3.0", "quality: great"), 14, "quality"),
        (("density_p_m2: 3.0", "lon: east"), 14, "lon"),
        (("name: one", "name: one\n    then_wait: 300d"), 12, "60 days"),
        (("name: one", "name: one\n    begin: yesterday"), 12, "begin"),
    ],
    ids=range(37),
)
def test_a_hostile_value_is_refused_at_its_line(tmp_path, change, line, says):
    assert change[0] in SOUND
    found = faults(tmp_path, SOUND.replace(change[0], change[1], 1))
    assert any(says in fault.what and fault.line == line for fault in found), found


THRESHOLD = SOUND.replace("expression", "threshold")


@pytest.mark.parametrize("limit", [".inf", ".nan", "1e400", "9" * 400, "-.inf", "''", "2000000000000"])
def test_a_limit_that_is_no_ordinary_number_is_refused(tmp_path, limit):
    (fault,) = faults(tmp_path, THRESHOLD.replace(">= 2", f">= {limit}"))
    assert fault.line == 6
    dated = THRESHOLD.replace(
        "density_p_m2 >= 2", f'{{quantity: density_p_m2, operator: ">", limits: {{2020-01-01: {limit}}}}}'
    )
    assert len(faults(tmp_path, dated)) == 1


def test_mistakes_of_a_rule_and_of_the_tests_beside_it_come_together_in_the_order_of_the_file(tmp_path):
    second = THRESHOLD.replace("test.rule", "test.other").replace("site.x, at: 0m", "site.x, at: soon")
    found = faults(tmp_path, SOUND.replace("for: 5m", "for: five") + "---\n" + second)
    assert [fault.line for fault in found] == [7, 29]


SPOILT = (
    "",
    "''",
    "[]",
    "{}",
    "null",
    ".nan",
    "-.inf",
    "-1",
    "0",
    "1e300",
    "'{'",
    "no such thing",
    "[[1]]",
    "2026-01-01",
    "true",
    "-5m",
)


def places(node: yaml.Node, depth: int = 0):
    """Every key and value of a rule, but its tests; those have one form for all rules."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if depth == 0 and key.value == "tests":
                continue
            yield key
            yield value
            yield from places(value, depth + 1)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from places(value, depth + 1)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_wherever_a_shipped_rule_is_spoilt_it_is_sound_or_has_faults_and_never_a_traceback(tmp_path, path):
    text = path.read_text(encoding="utf-8")
    document = next(iter(yaml.compose_all(text, Loader=yaml.SafeLoader)))
    rule = text[: document.end_mark.index]
    rule = rule[: rule.index("\ntests:") + 1]
    spoilt = 0
    for number, node in enumerate(places(document)):
        start, end = node.start_mark.index, node.end_mark.index
        for value in SPOILT[number % 5 :: 5]:
            found = faults(tmp_path, rule[:start] + value + rule[end:])
            assert all(fault.line >= 1 for fault in found)
            if not found:  # what is sound can be put in force, too
                Engine(Rulebook.load([tmp_path / "rule.yaml"]), WORLD)
            spoilt += bool(found)
    assert spoilt > 20


@pytest.mark.parametrize("name", ["09-station-silent.yaml", "23-vessel-lost.yaml"])
@pytest.mark.parametrize(("spoilt", "says"), [("{minutes:1000000000}", "without : or !"), ("}", "Single '}'"),
                                              ("{nobody}", "no {nobody}")])  # fmt: skip
def test_texts_about_several_things_together_are_checked_like_those_of_one(tmp_path, name, spoilt, says):
    text = next(path for path in SHIPPED if path.name == name).read_text(encoding="utf-8").partition("tests:")[0]
    head, mark, rest = text.partition('  detail:\n    vi: "')
    assert mark
    (tmp_path / name).write_text(f"{head}{mark}{spoilt}{rest}", encoding="utf-8")
    [fault] = rule_tests.check([tmp_path])
    assert says in fault.what
    assert fault.line == head.count("\n") + 2
