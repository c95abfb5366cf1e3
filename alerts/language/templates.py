"""Templates of what people read: names alone between braces, and only those that a rule knows."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from string import Formatter

from alerts.language.files import Table


def names_in(text: str) -> frozenset[str]:
    """Give what a template names between braces; of one that cannot be read, nothing."""
    try:
        return frozenset(name for _, name, _, _ in Formatter().parse(text) if name is not None)
    except ValueError:
        return frozenset()


def check_template(table: Table, where: str, text: str, allowed: AbstractSet[str]) -> None:
    """Note what is wrong with a template; ``where`` names it in the rule's file."""
    try:
        parts = [part for part in Formatter().parse(text) if part[1] is not None]
    except ValueError as error:
        table.fault(f"{where}: {error}")
        return
    if any(form or conversion for _, _, form, conversion in parts):
        # A width of a thousand million is a text of a thousand million characters.
        table.fault(f"{where}: a name alone between the braces, without : or !")
    for name in sorted({str(name) for _, name, _, _ in parts} - allowed):
        table.fault(f"{where}: no {{{name}}}; there are {', '.join(sorted(allowed))}")
