"""No pattern that is taken can keep the notifier busy: counted, by trying every way to lay it over a label."""

from __future__ import annotations

import re
from re import _constants, _parser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.notification.matchers import MOST_STEPS, Matchers, count_steps

LABEL = "a" * 80
PASS = [
    "vessel[.].*", "vessel[.].*|trip[.].*|wind[.].*|weather[.].*|rain[.].*|water[.].*", "(air|water)[.].*", ".*boat.*",
    ".*ha-long.*bai-chay", "(vessel|boat)[.].*57400.*", "air[.](hong-gai|bai-chay)-?[0-9]{1,3}", ".*", r"a\.\*",
]  # fmt: skip
REFUSED = [
    ".*a.*a.*a.*a.*a.*a.*b", ".*.*.*b", "a?" * 20 + "b", "(a|a)" * 20 + "b", "a{0,80}" * 3 + "b", "(.*|.*)(.*|.*).*b",
    "[]a]*[a]]*" + "[^]]+" * 2 + "b", "a{,}a{1,}a+b",
]  # fmt: skip


def compared(pattern: str, label: str) -> int:
    """Count the characters that an engine looks at which tries everything in turn."""
    count = 0

    def go(nodes, at, then):
        nonlocal count
        if not nodes:
            return then(at)
        (kind, what), *rest = nodes
        if kind is _constants.SUBPATTERN:
            return go(list(what[3]), at, lambda end: go(rest, end, then))
        if kind is _constants.BRANCH:
            return any(go([*branch, *rest], at, then) for branch in what[1])
        least, most, one = (what[0], what[1], what[2]) if kind is _constants.MAX_REPEAT else (1, 1, None)
        atom = re.compile(".") if kind is _constants.ANY or (one and one[0][0] is _constants.ANY) else re.compile("a")
        ends = [at]
        while len(ends) <= most and ends[-1] < len(label):
            count += 1
            if atom.match(label, ends[-1]) is None or _is_b(kind, what, one):
                break
            ends.append(ends[-1] + 1)
        return any(go(rest, end, then) for end in reversed(ends[least:]))

    go(list(_parser.parse(pattern)), 0, lambda end: end == len(label))
    return count


def _is_b(kind, what, one):
    return (what if one is None else one[0][1]) == ord("b") and kind is not _constants.ANY


_ATOMS = st.sampled_from(["a", "b", "."]).flatmap(
    lambda atom: st.sampled_from(["", "*", "+", "?", "{2}", "{1,3}", "{2,}", "{,4}"]).map(lambda times: atom + times)
)
_TEXTS = st.lists(_ATOMS, max_size=3).map("".join)
_GROUPS = st.lists(_TEXTS, min_size=1, max_size=3).map(lambda texts: f"({'|'.join(texts)})")
PATTERNS = st.lists(st.one_of(_ATOMS, _GROUPS), min_size=1, max_size=4).map("".join)


@given(PATTERNS)
@settings(max_examples=60, deadline=None)
def test_no_engine_that_tries_everything_in_turn_compares_more_than_was_counted(pattern):
    most = count_steps(pattern)
    if most <= MOST_STEPS / 4:  # this one is slow
        assert compared(pattern, LABEL) <= most


@pytest.mark.parametrize("pattern", PASS)
def test_patterns_that_people_write_are_taken(pattern):
    assert Matchers.parse(f'asset=~"{pattern}"'.replace("\\", "\\\\")).items
    assert count_steps(pattern) <= MOST_STEPS


@pytest.mark.parametrize("pattern", REFUSED)
@pytest.mark.parametrize("operator", ["=~", "!~"])
def test_patterns_that_could_be_laid_over_a_label_in_too_many_ways_are_refused(pattern, operator):
    with pytest.raises(ValueError, match="too many ways"):
        Matchers.parse(f'asset{operator}"{pattern}"')


def test_a_costly_pattern_that_an_older_version_saved_is_read_and_keeps_nothing_quiet():
    for operator in ("=~", "!~"):
        kept = Matchers.restore(f'unit=1 asset{operator}".*a.*a.*a.*a.*a.*a.*b"')
        assert not kept.matches({"unit": "1", "asset": LABEL})
        assert not kept.matches({"unit": "1", "asset": LABEL + "b"})
        assert Matchers.restore(kept.to_text()) == kept
