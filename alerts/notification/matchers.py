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
            case "=~":
                return _compile(self.value).fullmatch(found) is not None
            case "!~":
                return _compile(self.value).fullmatch(found) is None
            case _:
                return _RANKS.get(found, -1) >= _RANKS[self.value]

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
            _compile(value)
        except re.error as error:
            raise ValueError(f"{name}{operator}{value}: {error}") from error
    return Matcher(name, operator, value)


@functools.lru_cache(maxsize=512)
def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
