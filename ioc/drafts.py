"""Draft rules that somebody sent as text: read like a rule file, without being one of the deployment's."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import yaml

from alerts.rule_files import Fault
from alerts.rulebook import Rulebook, RulebookError

NAME = "rules"
"""What stands for the file in faults."""
_MOST_NESTED = 32


def read_drafts(text: str) -> Rulebook:
    """Read the YAML documents of draft rules.

    Raises:
        RulebookError: with every fault, each with its line.
    """
    if (fault := _find_unbounded(text)) is not None:
        raise RulebookError([fault])
    with tempfile.TemporaryDirectory(prefix="ioc-drafts-") as folder:
        path = Path(folder) / f"{NAME}.yaml"
        path.write_text(text, encoding="utf-8")
        try:
            rulebook = Rulebook.load([path])
        except RulebookError as error:
            raise RulebookError([replace(fault, file=NAME) for fault in error.rule_faults]) from None
    if not rulebook.rules:
        raise RulebookError([Fault(file=NAME, line=1, what="there is no rule in it")])
    return rulebook


def _find_unbounded(text: str) -> Fault | None:
    """Find what makes a small text a large rule: nesting, and aliases, which repeat what they stand for."""
    depth = 0
    try:
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            line = event.start_mark.line + 1 if event.start_mark else 1
            if isinstance(event, yaml.AliasEvent):
                return Fault(file=NAME, line=line, what="aliases are not read: write it out")
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _MOST_NESTED:
                return Fault(file=NAME, line=line, what=f"nested deeper than {_MOST_NESTED}")
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        return Fault(file=NAME, line=line, what=f"not YAML: {error.problem}")
    except yaml.YAMLError as error:
        return Fault(file=NAME, line=1, what=f"cannot be read: {error}")
    return None
