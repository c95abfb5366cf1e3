"""Which texts a field must have for a CEL formula to hold, as far as its form tells: rules need not see the others."""

from __future__ import annotations

import ast


def wanted_texts(formula: str, field: str) -> frozenset[str] | None:
    """Give the texts of a field with which a formula could hold; None where its form does not tell.

    Read are ``field == 'text'`` and ``field in ['text', …]``, joined by ``&&`` and ``||`` with whatever else.
    """
    try:
        node = ast.parse(formula.replace("&&", " and ").replace("||", " or "), mode="eval").body
    except (SyntaxError, ValueError):
        return None
    found = _read(node, field)
    # What was written for CEL's signs may stand in a text, too.
    return None if found is None or any(" and " in text or " or " in text for text in found) else found


def _read(node: ast.expr, field: str) -> frozenset[str] | None:
    match node:
        case ast.BoolOp(op=ast.And(), values=parts):
            known = [found for part in parts if (found := _read(part, field)) is not None]
            return frozenset.intersection(*known) if known else None
        case ast.BoolOp(op=ast.Or(), values=parts):
            ways = [found for part in parts if (found := _read(part, field)) is not None]
            return frozenset[str]().union(*ways) if len(ways) == len(parts) else None
        case ast.Compare(left=ast.Name(id=name), ops=[ast.Eq()], comparators=[ast.Constant(value=str() as text)]):
            return frozenset({text}) if name == field else None
        case ast.Compare(left=ast.Constant(value=str() as text), ops=[ast.Eq()], comparators=[ast.Name(id=name)]):
            return frozenset({text}) if name == field else None
        case ast.Compare(left=ast.Name(id=name), ops=[ast.In()], comparators=[ast.List(elts=items)]) if name == field:
            texts = [item.value for item in items if isinstance(item, ast.Constant) and isinstance(item.value, str)]
            return frozenset(texts) if len(texts) == len(items) else None
        case _:
            return None
