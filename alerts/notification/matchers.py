"""Matchers: ``severity>=major rule=~"vessel[.].*" unit!=06652``, all of which must hold."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from alerts.notification.labels import Labels
from ioc.domain.alerts import Severity

_LONGEST = 200
_MOST = 20
_PART = re.compile(r'\s*([a-z][a-z0-9_]*)\s*(=~|!~|!=|>=|=)\s*("(?:[^"\\]|\\["\\])*"|[^\s",{}]*)\s*,?')
_REPEATED_GROUP = re.compile(r"\)\s*[*+{?]|[*+?}][*+{]|\\[1-9]|\(\?")
_PIECE = re.compile(
    r"(?P<group>[(|)])|(?:\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.)(?:(?P<times>[*+?]|\{\d+\}|\{\d*,\d*\})\??)?", re.DOTALL
)
"""A bracket or a bar, or what stands for one character, with how often it may."""
_LONGEST_LABEL = 80
"""Names have at most 64 characters behind their class."""
MOST_STEPS = 65_000
"""What Python does within about a millisecond: two ``.*`` with texts between them are below it, three not."""
_ANYTHING = ("", "a", "Z9", "/ ~", *Severity)
_RANKS = {severity.value: severity.rank for severity in Severity}


@dataclass(frozen=True, slots=True)
class Matcher:
    """One comparison. ``=~`` and ``!~`` match the whole value; ``>=`` compares severities."""

    name: str
    operator: str
    value: str

    def matches(self, labels: Labels) -> bool:
        """Whether the labels meet it; a label that is missing is empty."""
        found = labels.get(self.name, "")
        match self.operator:
            case "=":
                return found == self.value
            case "!=":
                return found != self.value
            case "=~" | "!~":
                pattern = _compile(self.value)
                # One too costly, of an older version, holds nowhere: then people are told.
                return pattern is not None and (pattern.fullmatch(found) is not None) is (self.operator == "=~")
            case _:
                return _RANKS.get(found, -1) >= _RANKS[self.value]

    @property
    def is_always_met(self) -> bool:
        """Whether every alert meets it: the least severity, or a pattern that matches anything and nothing."""
        if self.operator == ">=":
            return _RANKS[self.value] == min(_RANKS.values())
        return self.operator == "=~" and all(self.matches({self.name: value}) for value in _ANYTHING)

    def to_text(self) -> str:
        """Write it as it is read."""
        # A bare ~ behind = would be read as the operator =~.
        plain = re.fullmatch(r'[^\s",{}\\~][^\s",{}\\]*', self.value)
        quoted = self.value if plain else '"' + self.value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        return f"{self.name}{self.operator}{quoted}"


@dataclass(frozen=True, slots=True)
class Matchers:
    """Comparisons that must all hold; none of them matches everything."""

    items: tuple[Matcher, ...] = ()

    @staticmethod
    def parse(text: str) -> Matchers:
        """Read matchers, separated by spaces or commas.

        Raises:
            ValueError: the text is not matchers, with the place; a pattern is not regular, too long or too costly.
        """
        found = Matchers.restore(text)
        for item in found.items:
            if item.operator in ("=~", "!~") and _compile(item.value) is None:
                raise ValueError(
                    f"{item.name}{item.operator}{item.value}: it can be matched in too many ways; write at most two .* "
                    "(or + or {…}) one after the other, and few of ? and (…|…)"
                )
        return found

    @staticmethod
    def restore(text: str) -> Matchers:
        """Read matchers that were saved. An older version allowed costlier patterns, which hold nowhere now.

        Raises:
            ValueError: as ``parse``, but for what a pattern costs.
        """
        found, at = [], 0
        while text[at:].strip():
            part = _PART.match(text, at)
            if part is None:
                raise ValueError(
                    f'cannot read {text[at:].strip()[:40]!r}; write for example severity>=major unit="06652"'
                )
            found.append(_to_matcher(*part.groups()))
            at = part.end()
        if len(found) > _MOST:
            raise ValueError(f"at most {_MOST} matchers")
        return Matchers(tuple(found))

    @property
    def are_empty(self) -> bool:
        """Whether there are none, or only such as every alert meets, whatever it is about."""
        return all(item.is_always_met for item in self.items)

    def matches(self, labels: Labels) -> bool:
        """Whether all hold."""
        return all(item.matches(labels) for item in self.items)

    def why_not(self, labels: Labels) -> str | None:
        """Give the first that does not hold, with what stands there instead; None when all do."""
        for item in self.items:
            if not item.matches(labels):
                return f"{item.to_text()} (is {labels.get(item.name) or 'empty'})"
        return None

    def to_text(self) -> str:
        """Write them as they are read."""
        return " ".join(item.to_text() for item in self.items)


def join(texts: Sequence[str]) -> Matchers:
    """Read several texts as one.

    Raises:
        ValueError: as ``Matchers.parse``.
    """
    return Matchers.parse(" ".join(texts))


def _to_matcher(name: str, operator: str, written: str) -> Matcher:
    value = re.sub(r"\\([\"\\])", r"\1", written[1:-1]) if written.startswith('"') else written
    if len(value) > _LONGEST:
        raise ValueError(f"{name}: at most {_LONGEST} characters")
    if operator == ">=" and (name != "severity" or value not in _RANKS):
        raise ValueError(f"{name}>={value}: only severities have an order: severity>={'|'.join(_RANKS)}")
    if name == "severity" and operator in ("=", "!=") and value not in _RANKS:
        raise ValueError(f"severity{operator}{value}: one of {', '.join(_RANKS)}")
    if operator in ("=~", "!~"):
        # Python's engine backtracks: what repeats a repetition can take for ever on a label made for it.
        if _REPEATED_GROUP.search(re.sub(r"\\[^1-9]|\[[^\]]*\]", "x", value)):
            raise ValueError(f"{name}{operator}{value}: repeated groups and back references are not allowed")
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"{name}{operator}{value}: {error}") from error
    return Matcher(name, operator, value)


@functools.lru_cache(maxsize=512)
def _compile(pattern: str) -> re.Pattern[str] | None:
    return re.compile(pattern) if count_steps(pattern) <= MOST_STEPS else None


def count_steps(pattern: str) -> int:
    """Give how many characters are compared at most to match a pattern with a label: by all ways to lay it over one.

    Args:
        pattern: one that compiles, without repeated groups; these would have more ways than can be counted like this.
    """
    steps, ways, entered, closed = 0, 1, 1, 0
    outside: list[tuple[int, int]] = []
    for piece in _PIECE.finditer(pattern):
        match piece["group"]:
            case "(":
                outside.append((entered, closed))
                entered, closed = ways, 0
            case "|":
                closed, ways = closed + ways, entered
            case ")":
                ways += closed
                entered, closed = outside.pop()
            case _:
                least, most = _read_times(piece["times"])
                steps += ways * most
                ways *= most - least + 1
    return steps


def _read_times(times: str | None) -> tuple[int, int]:
    """Give how often at least and at most something stands in a label."""
    if times is None:
        return 1, 1
    written = {"*": "0,", "+": "1,", "?": "0,1"}.get(times, times.strip("{}"))
    first, comma, last = written.partition(",")
    least = min(int(first or 0), _LONGEST_LABEL)
    return least, max(least, min(int(last or _LONGEST_LABEL), _LONGEST_LABEL)) if comma else least
