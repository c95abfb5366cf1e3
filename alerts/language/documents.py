"""YAML that may come from anybody: refused when it is too large or too deep, or when it refers to itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

# What libyaml reads, it reads ten times faster than Python.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MOST_BYTES = 1_000_000
"""Of one file; the longest that is shipped has a hundredth of it."""
MOST_DEPTH = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One mistake in a rule file; ``line`` counts from 1.

    ``can_run``: the rule can be read and does what it says. Nothing new may say it; a version in force goes on.
    """

    file: str
    line: int
    what: str
    can_run: bool = False

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}"


def read_documents(path: Path, faults: list[Fault]) -> list[yaml.Node]:
    """Give the documents of a file that is to be trusted as far as YAML goes; note what speaks against it."""
    try:
        if (size := path.stat().st_size) > MOST_BYTES:
            faults.append(Fault(file=str(path), line=1, what=f"{size} bytes long; at most {MOST_BYTES}"))
            return []
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        faults.append(Fault(file=str(path), line=1, what=f"cannot be read: {clip(str(error))}"))
        return []
    return parse_documents(text, str(path), faults)


def parse_documents(text: str, name: str, faults: list[Fault]) -> list[yaml.Node]:
    """Give the documents of a text; ``name`` stands for the file in faults."""
    try:
        if (hostile := _find_hostile(text)) is not None:
            faults.append(Fault(file=name, line=hostile[0], what=hostile[1]))
            return []
        return [node for node in yaml.compose_all(text, Loader=_LOADER) if node is not None]
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        faults.append(Fault(file=name, line=line, what=f"not YAML: {error.problem}"))
        return []
    except yaml.YAMLError as error:
        faults.append(Fault(file=name, line=1, what=f"cannot be read: {clip(str(error))}"))
        return []


def _find_hostile(text: str) -> tuple[int, str] | None:
    """Find what would make a small file grow large: nodes that refer to others, and nesting without end."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        line = 1 if event.start_mark is None else event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            return line, f"*{event.anchor}: a rule says everything in its place, without aliases"
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MOST_DEPTH:
            return line, f"nested deeper than {MOST_DEPTH}"
    return None


def suggest(name: str, known: Iterable[str]) -> str:
    """Give ``; did you mean …?`` with the name that is nearest to an unknown one, nothing where none is near."""
    near = get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def clip(text: str) -> str:
    """Give the beginning of a foreign message, in one line."""
    return text.replace("\n", " ")[:200]


def construct(node: yaml.Node) -> Any:
    """Give a node as a plain value, of YAML's own types only.

    Raises:
        yaml.YAMLError: it has a tag of another type.
        ValueError: it looks like a day, an instant or a number, and is none.
    """
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node, deep=True)
    finally:
        loader.dispose()
