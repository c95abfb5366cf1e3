"""Reading rule files: YAML whose every fault is named with file and line, all at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import yaml

from alerts.rule import OPERATORS, Comparison, Level, Limit
from ioc.domain.alerts import Severity
from ioc.domain.kinds import KINDS, Payload

# What libyaml reads, it reads ten times faster than Python.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d)")
_DURATIONS = re.compile(rf"(?:{_DURATION.pattern}\s*)+")
LONGEST = timedelta(days=3_660)
_UNITS = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_COMPARISON = re.compile(r"\s*([a-z][a-z0-9_]*)\s*(>=|<=|>|<)\s*(-?\d+(?:\.\d+)?)\s*")
MOST_NESTED = 32
_REQUIRED: Any = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One mistake in a rule file; ``line`` counts from 1."""

    file: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}"


class Table:
    """A mapping of a rule file. What is read wrongly is noted in ``faults`` and replaced by something harmless.

    ``names`` are quantities that a condition makes itself, beside those of the kind.
    """

    def __init__(self, node: yaml.Node, file: str, faults: list[Fault], *, where: str = "") -> None:
        self.node, self.file, self.faults, self._where = node, file, faults, where
        self._entries: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        self._read: set[str] = set()
        if not isinstance(node, yaml.MappingNode):
            self.fault(f"{where or 'the file'} must be a mapping")
            return
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.fault("a key must be a word", key)
                continue
            if key.value in self._entries:
                self.fault(f"{key.value!r} stands twice", key)
            self._entries[key.value] = (key, value)

    @property
    def line(self) -> int:
        """Line that the mapping begins on."""
        return int(self.node.start_mark.line) + 1

    @property
    def names(self) -> tuple[str, ...]:
        """The keys, in the order of the file."""
        return tuple(self._entries)

    def fault(self, what: str, node: yaml.Node | None = None) -> None:
        """Note a mistake."""
        mark = (node or self.node).start_mark
        self.faults.append(Fault(file=self.file, line=int(mark.line) + 1, what=what))

    def has(self, key: str) -> bool:
        """Whether the key is there."""
        return key in self._entries

    def finish(self) -> None:
        """Note every key that nobody asked for."""
        for key, (node, _) in self._entries.items():
            if key not in self._read:
                self.fault(f"unknown key {key!r}", node)

    def value(self, key: str, default: Any = _REQUIRED) -> Any:
        """Give a value as YAML has it."""
        entry = self._take(key, default)
        if entry is None:
            return default
        try:
            return _construct(entry)
        except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
            self.fault(f"{key}: {str(error).splitlines()[0]}", entry)
            return default

    def text(self, key: str, default: str = _REQUIRED) -> str:
        """Give a text."""
        found = self.value(key, default)
        if found is default or isinstance(found, str):
            return "" if found is _REQUIRED else found
        self.fault(f"{key}: must be a text", self._entries[key][1])
        return ""

    def words(self, key: str, default: Sequence[str] = _REQUIRED) -> tuple[str, ...]:
        """Give a list of words; one word may stand alone."""
        found = self.value(key, default)
        if found is _REQUIRED:
            return ()
        items = [found] if isinstance(found, str) else found
        if isinstance(items, list | tuple) and all(isinstance(item, str) for item in items):
            return tuple(items)
        self.fault(f"{key}: must be a list of words", self._entries[key][1])
        return ()

    def number(self, key: str, default: float = _REQUIRED) -> float:
        """Give a number."""
        found = self.value(key, default)
        if isinstance(found, int | float) and not isinstance(found, bool):
            return float(found)
        if found is not _REQUIRED:
            self.fault(f"{key}: must be a number", self._entries[key][1])
        return 0.0

    def flag(self, key: str, default: bool) -> bool:
        """Give a yes or no."""
        found = self.value(key, default)
        if isinstance(found, bool):
            return found
        self.fault(f"{key}: must be true or false", self._entries[key][1])
        return default

    def duration(self, key: str, default: timedelta = _REQUIRED) -> timedelta:
        """Give a duration such as ``90s``, ``15m``, ``6h``, ``1d``."""
        found = self.value(key, default)
        if isinstance(found, timedelta):
            return found
        if (parsed := parse_duration(found)) is not None:
            return parsed
        if found is not _REQUIRED:
            self.fault(f"{key}: must be a duration such as 90s, 15m, 6h, 1d", self._entries[key][1])
        return timedelta(0)

    def table(self, key: str, *, optional: bool = False) -> Table | None:
        """Give a mapping under a key."""
        entry = self._take(key, None if optional else _REQUIRED)
        return None if entry is None else Table(entry, self.file, self.faults, where=key)

    def tables(self, key: str, *, optional: bool = False) -> list[Table]:
        """Give a list of mappings under a key."""
        entry = self._take(key, None if optional else _REQUIRED)
        if entry is None:
            return []
        if not isinstance(entry, yaml.SequenceNode):
            self.fault(f"{key}: must be a list", entry)
            return []
        return [Table(node, self.file, self.faults, where=key) for node in entry.value]

    def kind(self, key: str) -> type[Payload]:
        """Give the kind of event that a word names."""
        name = self.text(key)
        if name in KINDS:
            return KINDS[name].payload
        if self.has(key):
            self.fault(f"{key}: no kind {name!r}; there are {', '.join(KINDS)}", self._entries[key][1])
        return next(iter(KINDS.values())).payload

    def levels(self, key: str, kind: type[Payload], names: Iterable[str] = ()) -> tuple[Level, ...]:
        """Give the levels of a rule, in the order of the file."""
        known = {*names, *KINDS[kind.KIND].quantities}
        found = []
        for table in self.tables(key):
            found.append(
                Level(
                    severity=table.severity("severity"),
                    when=table.comparisons("when", known),
                    clear=table.comparisons("clear", known, optional=True),
                    hold_for=table.duration("for", timedelta(0)),
                )
            )
            table.finish()
        if self.has(key) and not found:
            self.fault(f"{key}: at least one level", self._entries[key][1])
        return tuple(found)

    def severity(self, key: str) -> Severity:
        """Give a severity."""
        word = self.text(key)
        if word in [severity.value for severity in Severity]:
            return Severity(word)
        if self.has(key):
            self.fault(f"{key}: one of {', '.join(Severity)}", self._entries[key][1])
        return Severity.INFO

    def comparisons(self, key: str, known: Iterable[str], *, optional: bool = False) -> tuple[Comparison, ...]:
        """Give comparisons such as ``wind_m_s >= 10.8``, or mappings with limits by date; any of a list counts."""
        entry = self._take(key, None if optional else _REQUIRED)
        if entry is None:
            return ()
        nodes = entry.value if isinstance(entry, yaml.SequenceNode) else [entry]
        found = [self._comparison(key, node, set(known)) for node in nodes]
        return tuple(comparison for comparison in found if comparison is not None)

    def _comparison(self, key: str, node: yaml.Node, known: set[str]) -> Comparison | None:
        if isinstance(node, yaml.MappingNode):
            return self._dated(Table(node, self.file, self.faults, where=key), known)
        parts = _COMPARISON.fullmatch(str(node.value)) if isinstance(node, yaml.ScalarNode) else None
        if parts is None:
            self.fault(f"{key}: must read like `wind_m_s >= 10.8`", node)
            return None
        if not self._knows(parts[1], known, node):
            return None
        return Comparison(quantity=parts[1], operator=parts[2], limit=Limit(values=(float(parts[3]),)))

    def _dated(self, table: Table, known: set[str]) -> Comparison | None:
        quantity, operator = table.text("quantity"), table.text("operator")
        limits = table.value("limits")
        table.finish()
        if operator not in OPERATORS:
            table.fault(f"operator: one of {' '.join(OPERATORS)}")
            return None
        sound = isinstance(limits, dict) and all(
            isinstance(day, date) and isinstance(value, int | float) for day, value in limits.items()
        )
        if not sound or not limits:
            table.fault("limits: a mapping from the first day in force to the value")
            return None
        if not self._knows(quantity, known, table.node):
            return None
        days = sorted(limits)
        limit = Limit(values=tuple(float(limits[day]) for day in days), from_on=tuple(days))
        return Comparison(quantity=quantity, operator=operator, limit=limit)

    def _knows(self, quantity: str, known: set[str], node: yaml.Node) -> bool:
        if quantity in known:
            return True
        self.fault(f"no quantity {quantity!r}; there are {', '.join(sorted(known))}", node)
        return False

    def _take(self, key: str, default: Any) -> yaml.Node | None:
        self._read.add(key)
        entry = self._entries.get(key)
        if entry is None:
            if default is _REQUIRED:
                self.fault(f"{key!r} is missing")
            return None
        return entry[1]


def parse_duration(found: object) -> timedelta | None:
    """Read ``1h30m`` and the like; None when it is no duration, or longer than a rule can mean."""
    if not isinstance(found, str) or not _DURATIONS.fullmatch(found.strip()):
        return None
    try:
        whole = sum((float(amount) * _UNITS[unit] for amount, unit in _DURATION.findall(found)), timedelta(0))
    except OverflowError:
        return None
    return whole if whole <= LONGEST else None


def read_tables(path: Path, faults: list[Fault]) -> list[Table]:
    """Give the rules of a file: one document each."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        faults.append(Fault(file=str(path), line=1, what=f"cannot be read: {error}"))
        return []
    return parse_tables(text, str(path), faults)


def parse_tables(text: str, name: str, faults: list[Fault], *, is_trusted: bool = True) -> list[Table]:
    """Give the rules of a text: one document each; ``name`` stands for the file in faults.

    A text that somebody sends is not trusted: what would make much of little is a fault before it is built.
    """
    try:
        if not is_trusted and (refused := _find_unbounded(text)) is not None:
            faults.append(Fault(file=name, line=refused[0], what=refused[1]))
            return []
        nodes = [node for node in yaml.compose_all(text, Loader=_LOADER) if node is not None]
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        faults.append(Fault(file=name, line=line, what=f"not YAML: {error.problem}"))
        return []
    except yaml.YAMLError as error:
        faults.append(Fault(file=name, line=1, what=f"cannot be read: {error}"))
        return []
    return [Table(node, name, faults) for node in nodes]


def _find_unbounded(text: str) -> tuple[int, str] | None:
    """Find what makes a small text a large rule: nesting, and aliases, which repeat what they stand for.

    The events of a text come one by one; only the tree that is made of them afterwards is built by recursion.
    """
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            return line, "aliases are not read: write it out"
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MOST_NESTED:
            return line, f"nested deeper than {MOST_NESTED}"
    return None


def _construct(node: yaml.Node) -> Any:
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node, deep=True)
    finally:
        loader.dispose()
