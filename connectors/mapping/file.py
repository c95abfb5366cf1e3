"""Mapping files read: every fault of a file at once, each with its line."""

from __future__ import annotations

import pathlib
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import yaml
from pydantic import ValidationError

from connectors.mapping.config import EventRule, MappingConfig
from connectors.units import convert
from ioc.domain.kinds import KINDS, Kind, Observation
from ioc.errors import ConfigurationError

SUFFIX = ".mapping.yaml"
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Place = Sequence[str | int]


def read_mapping(path: pathlib.Path) -> MappingConfig:
    """Read a mapping file.

    Raises:
        ConfigurationError: with every fault, each with file and line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError([f"{path}: cannot be read: {type(error).__name__}"]) from error
    return parse_mapping(text, str(path))


def parse_mapping(text: str, where: str) -> MappingConfig:
    """Read the text of a mapping file; ``where`` stands before each fault.

    Raises:
        ConfigurationError: with every fault, each with its line.
    """
    try:
        root = yaml.compose(text, Loader=_LOADER)
        faults = [] if root is None else [f"{where}:{line}: {reason}" for line, reason in _find_repeated(root)]
        values = yaml.load(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        line = 1 if error.problem_mark is None else error.problem_mark.line + 1
        raise ConfigurationError([f"{where}:{line}: {error.problem}"]) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigurationError([f"{where}:1: not YAML: {type(error).__name__}"]) from error
    if not isinstance(values, dict) or root is None:
        raise ConfigurationError([f"{where}:1: must be a mapping of settings"])
    try:
        config = MappingConfig.model_validate(values)
    except ValidationError as error:
        faults += [
            f"{where}:{_find_line(root, fault['loc'])}: {_name(fault['loc'])}{_explain(fault)}"
            for fault in error.errors()
        ]
        raise ConfigurationError(faults) from error
    faults += [
        f"{where}:{_find_line(root, place)}: {_name(place)}{reason}"
        for number, rule in enumerate(config.becomes)
        for place, reason in _find_faults(rule, ("becomes", number), config.personal)
    ]
    if faults:
        raise ConfigurationError(faults)
    return config


def _find_faults(rule: EventRule, at: _Place, personal: Container[str]) -> Iterator[tuple[_Place, str]]:
    """Say what a rule asks of its kind that the kind does not have, and what it lacks."""
    kind = KINDS[rule.kind]
    if kind.payload is Observation:
        if not rule.quantities:
            yield (*at, "kind"), "an observation needs quantities"
        for name in rule.fields:
            yield (*at, "fields", name), "an observation has no such field: name the value under quantities"
        return
    entries = {entry.name: entry for entry in kind.fields}
    for name, part in rule.quantities.items():
        if name not in kind.quantities:
            yield (*at, "quantities", name), f"{kind.name} has no such quantity; it has {_list(kind.quantities)}"
        elif part.unit is not None and convert(1.0, part.unit, kind.quantities[name].unit) is None:
            yield (*at, "quantities", name, "unit"), f"no way from {part.unit!r} to {kind.quantities[name].unit}"
        elif part.source in personal:
            yield (*at, "quantities", name), "a number cannot be personal data: it would not become a pseudonym"
    for name in rule.fields:
        if name not in entries or name in kind.quantities:
            others = [entry for entry in entries if entry not in kind.quantities]
            yield (*at, "fields", name), f"{kind.name} has no such field; it has {_list(others) or 'none'}"
    missing = [name for name in _find_needed(kind) if name not in rule.fields and name not in rule.quantities]
    if missing:
        yield (*at, "kind"), f"{kind.name} needs {_list(missing)}"


def _find_needed(kind: Kind) -> Iterator[str]:
    for entry in msgspec.structs.fields(kind.payload):
        if entry.required:
            yield entry.name


def _find_repeated(node: yaml.Node) -> Iterator[tuple[int, str]]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                yield key.start_mark.line + 1, f"{name!r} is there twice"
            seen.add(name)
            yield from _find_repeated(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _find_repeated(value)


def _find_line(node: yaml.Node, place: _Place) -> int:
    """Give the line of the entry at a place, or of what comes nearest to it."""
    line = node.start_mark.line + 1
    for step in place:
        found = None
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if str(key.value) == str(step)), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            found = (node.value[step], node.value[step])
        if found is None:
            continue  # steps that stand for a type of the model and not for an entry of the file
        line, node = found[0].start_mark.line + 1, found[1]
    return line


def _name(place: _Place) -> str:
    steps = [str(step) for step in place if not str(step).endswith(("]", ")"))]
    return f"{'.'.join(steps)}: " if steps else ""


def _explain(fault: Mapping[str, Any]) -> str:
    return str(fault["msg"]).removeprefix("Value error, ")


def _list(names: Any) -> str:
    return ", ".join(names)
