"""Reading rule files: every fault is named with file and line, all at once.

A file may come from anybody who may propose a rule: a number or a duration that no rule could mean is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from alerts.language.contradictions import find_clear_fault, find_hidden
from alerts.language.days import confine, is_day, is_number, read_limit
from alerts.language.documents import Fault as Fault
from alerts.language.documents import clip, construct, parse_documents, read_documents, suggest
from alerts.language.rule import OPERATORS, Comparison, Level, Limit
from ioc.domain.alerts import Severity
from ioc.domain.durations import FORMS, read_duration
from ioc.domain.kinds import KINDS, Payload

_COMPARISON = re.compile(r"\s*([a-z][a-z0-9_]*)\s*(>=|<=|>|<)\s*(-?\d+(?:\.\d+)?)\s*")
_REQUIRED: Any = object()

FindFault = Callable[[Comparison], str | None]
"""Says why a comparison cannot mean what it says, None where it can."""

LONGEST = timedelta(days=400)
_MOST_CHARACTERS = 4_000


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
                self.fault("a key must be one word", key)
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

    def fault(self, what: str, node: yaml.Node | None = None, *, can_run: bool = False) -> None:
        """Note a mistake; ``can_run`` as ``Fault`` has it."""
        mark = (node or self.node).start_mark
        self.faults.append(Fault(file=self.file, line=int(mark.line) + 1, what=what, can_run=can_run))

    def node_of(self, key: str) -> yaml.Node | None:
        """Give where a key's value stands."""
        entry = self._entries.get(key)
        return None if entry is None else entry[1]

    def has(self, key: str) -> bool:
        """Whether the key is there."""
        return key in self._entries

    def finish(self) -> None:
        """Note every key that nobody asked for."""
        for key, (node, _) in self._entries.items():
            if key not in self._read:
                self.fault(f"unknown key {key!r}{suggest(key, self._read - set(self._entries))}", node)

    def value(self, key: str, default: Any = _REQUIRED) -> Any:
        """Give a value as YAML has it."""
        entry = self._take(key, default)
        if entry is None:
            return default
        try:
            return construct(entry)
        except (yaml.YAMLError, ValueError, OverflowError, TypeError) as error:
            reason = error.problem if isinstance(error, yaml.MarkedYAMLError) else str(error)
            self.fault(f"{key}: cannot be read: {clip(str(reason))}", entry)
            return default

    def text(self, key: str, default: str = _REQUIRED) -> str:
        """Give a text."""
        found = self.value(key, default)
        if found is default or (isinstance(found, str) and len(found) <= _MOST_CHARACTERS):
            return "" if found is _REQUIRED else found
        if isinstance(found, str):
            self.fault(f"{key}: longer than {_MOST_CHARACTERS} characters", self._entries[key][1])
            return ""
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
        """Give a number; infinity and NaN are none."""
        found = self.value(key, default)
        if is_number(found):
            return float(found)
        if found is not _REQUIRED:
            self.fault(f"{key}: must be a number of ordinary size", self._entries[key][1])
        return 0.0

    def positive(self, key: str, default: float = _REQUIRED) -> float:
        """Give a number above 0; where there is none, 1."""
        found = self.number(key, default)
        if found > 0:
            return found
        if self.has(key) and is_number(found):
            self.fault(f"{key}: must be above 0", self._entries[key][1])
        return 1.0

    def share(self, key: str, default: float = _REQUIRED) -> float:
        """Give a number from 0 to 1."""
        found = self.number(key, default)
        if not 0 <= found <= 1:
            self.fault(f"{key}: from 0 to 1", self._entries[key][1])
            return 0.0
        return found

    def whole(self, key: str, default: int = _REQUIRED, *, least: int, most: int) -> int:
        """Give a whole number between two, both included."""
        found = self.number(key, default)
        if self.has(key) and not (found == int(found) and least <= found <= most):
            self.fault(f"{key}: a whole number from {least} to {most}", self._entries[key][1])
            return least
        return int(found)

    def choice(self, key: str, words: Sequence[str], default: str = _REQUIRED) -> str:
        """Give one of some words; the first where none of them stands."""
        found = self.text(key, default)
        if found in words:
            return found
        if self.has(key):
            self.fault(f"{key}: one of {', '.join(words)}", self._entries[key][1])
        return words[0]

    def choices(self, key: str, words: Sequence[str], default: Sequence[str] = _REQUIRED) -> tuple[str, ...]:
        """Give a list of some words; one may stand alone."""
        found = self.words(key, default)
        for name in found:
            if name not in words:
                self.fault(
                    f"{key}: no kind {name!r}{suggest(name, words)}; there are {', '.join(words)}",
                    self._entries[key][1],
                )
        return found

    def flag(self, key: str, default: bool) -> bool:
        """Give a yes or no."""
        found = self.value(key, default)
        if isinstance(found, bool):
            return found
        self.fault(f"{key}: must be true or false", self._entries[key][1])
        return default

    def duration(self, key: str, default: timedelta = _REQUIRED) -> timedelta:
        """Give a duration such as ``90s``, ``15m``, ``12h``, ``7d``."""
        found = self.value(key, default)
        if isinstance(found, timedelta):
            return found
        if (parsed := parse_duration(found)) is not None:
            return parsed
        if found is not _REQUIRED:
            what = f"must be a duration such as {FORMS}, of {LONGEST.days} days at most"
            self.fault(f"{key}: {what}", self._entries[key][1])
        return timedelta(0)

    def span(self, key: str, default: timedelta = _REQUIRED) -> timedelta:
        """Give a duration that is longer than nothing."""
        known_faults = len(self.faults)
        found = self.duration(key, default)
        if self.has(key) and not found and len(self.faults) == known_faults:
            self.fault(f"{key}: must be longer than nothing, such as 15m", self.node_of(key), can_run=True)
        return found

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
        """Give the kind of event that a word names; the nearest where none has the name, as further faults go by it."""
        name = self.text(key)
        if name in KINDS:
            return KINDS[name].payload
        if self.has(key):
            what = f"no kind {name!r}" + (suggest(name, KINDS) or f"; there are {', '.join(KINDS)}")
            self.fault(f"{key}: {what}", self._entries[key][1])
        near = get_close_matches(name, KINDS, n=1)
        return KINDS[near[0] if near else next(iter(KINDS))].payload

    def levels(
        self, key: str, kind: type[Payload], names: Iterable[str] = (), *, find_fault: FindFault | None = None
    ) -> tuple[Level, ...]:
        """Give the levels of a rule, in the order of the file; ``find_fault`` as ``note_doubts`` has it."""
        known = {*names, *KINDS[kind.KIND].quantities}
        found, tables, known_faults = [], self.tables(key), len(self.faults)
        for table in tables:
            when, (from_on, until_on) = table.comparisons("when", known), table.term()
            days = [day for item in when for day in item.limit.from_on]
            if from_on is not None and days:
                table.fault("effective_from: the limits say their days themselves", table.node_of("effective_from"))
            if until_on is not None and days and until_on <= min(days):
                table.fault("effective_until: after the day of the first limit", table.node_of("effective_until"))
            found.append(
                Level(
                    severity=table.severity("severity"),
                    when=tuple(confine(item, from_on, until_on) for item in when),
                    clear=table.comparisons("clear", known, optional=True),
                    hold_for=table.duration("for", timedelta(0)),
                )
            )
            table.finish()
            note_empty(table)
        if self.has(key) and not found:
            self.fault(f"{key}: at least one level", self._entries[key][1])
        if len(self.faults) == known_faults:  # what is read wrongly was replaced and contradicts nothing
            note_contradictions(found, tables)
            if find_fault is not None:
                for level, table in zip(found, tables, strict=True):
                    note_doubts(table, level.when, find_fault)
        return tuple(found)

    def term(self) -> tuple[date | None, date | None]:
        """Give the days between which a level is in force, the second itself not; None where it has no such end."""
        from_on, until_on = self._day("effective_from"), self._day("effective_until")
        if from_on is not None and until_on is not None and until_on <= from_on:
            self.fault(f"effective_until: after {from_on}, where it begins", self.node_of("effective_until"))
        return from_on, until_on

    def limit(self, key: str) -> float | Limit:
        """Give a limit: a number, or by the days from which its values hold."""
        node = self.node_of(key)
        if not isinstance(node, yaml.MappingNode):
            return self.number(key)
        self._read.add(key)
        return read_limit(node, key, self.fault) or 0.0

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
        found = parse_comparison(str(node.value)) if isinstance(node, yaml.ScalarNode) else None
        if found is None:
            self.fault(f"{key}: must read like `wind_m_s >= 10.8`", node)
            return None
        if not self._knows(found.quantity, known, node):
            return None
        if not is_number(found.limit.values[0]):
            self.fault(f"{key}: must be a number of ordinary size", node)
            return None
        return found

    def _dated(self, table: Table, known: set[str]) -> Comparison | None:
        quantity, operator = table.text("quantity"), table.text("operator")
        node = table._take("limits", _REQUIRED)
        table.finish()
        if operator not in OPERATORS:
            table.fault(f"operator: one of {' '.join(OPERATORS)}")
            return None
        limit = None if node is None else read_limit(node, "limits", table.fault)
        if limit is None or not self._knows(quantity, known, table.node):
            return None
        return Comparison(quantity=quantity, operator=operator, limit=limit)

    def _day(self, key: str) -> date | None:
        found = self.value(key, None)
        if found is None or is_day(found):
            return found
        self.fault(f"{key}: a day, such as 2026-01-01", self.node_of(key))
        return None

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


def note_contradictions(levels: Sequence[Level], tables: Sequence[Table]) -> None:
    """Note in the table of each level what contradicts itself or another level."""
    for level, table in zip(levels, tables, strict=True):
        if (what := find_clear_fault(level)) is not None:
            table.fault(what, table.node_of("clear"), can_run=True)
    for index, what in find_hidden(levels):
        tables[index].fault(what, tables[index].node_of("when"), can_run=True)


def note_empty(level: Table) -> None:
    """Note in the table of a level a list without any comparison, which is never so or asks nothing."""
    for key in ("when", "clear"):
        node = level.node_of(key)
        if isinstance(node, yaml.SequenceNode) and not node.value:
            level.fault(f"{key}: at least one comparison, such as `wind_m_s >= 10.8`", node, can_run=True)


def note_others(table: Table, levels: Sequence[Level], own: str) -> None:
    """Note levels on other quantities than the one that a condition makes itself, as it looks at no other."""
    others = {item.quantity for level in levels for item in (*level.when, *level.clear)} - {own}
    if others:
        what = f"levels: on {own} alone, not {', '.join(sorted(others))}"
        table.fault(what, table.node_of("levels"), can_run=True)


def note_doubts(table: Table, when: Iterable[Comparison], find_fault: FindFault) -> None:
    """Note in the table of a level what ``find_fault`` has against its comparisons, which can run all the same."""
    for what in dict.fromkeys(map(find_fault, when)):
        if what is not None:
            table.fault(what, table.node_of("when"), can_run=True)


def parse_comparison(text: str) -> Comparison | None:
    """Read ``wind_m_s >= 10.8``; None when it is anything else."""
    parts = _COMPARISON.fullmatch(text)
    return (
        None
        if parts is None
        else Comparison(quantity=parts[1], operator=parts[2], limit=Limit(values=(float(parts[3]),)))
    )


def parse_duration(found: object) -> timedelta | None:
    """Read ``1h30m`` and the like; None when it is no duration, or longer than any rule asks for."""
    parsed = read_duration(found) if isinstance(found, str) else None
    return parsed if parsed is not None and parsed <= LONGEST else None


def read_tables(path: Path, faults: list[Fault]) -> list[Table]:
    """Give the rules of a file: one document each."""
    return [Table(node, str(path), faults) for node in read_documents(path, faults)]


def parse_tables(text: str, name: str, faults: list[Fault]) -> list[Table]:
    """Give the rules of a text: one document each; ``name`` stands for the file in faults."""
    return [Table(node, name, faults) for node in parse_documents(text, name, faults)]
