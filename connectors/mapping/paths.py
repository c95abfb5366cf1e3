"""Where a value lies in a record: dotted names or a JSON pointer, ``$.`` from the root of the body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_MOST_PARTS = 16


class RepeatedKeys(dict[str, Any]):
    """An object in which a key came twice: which of its values was meant, nobody can know."""


class AmbiguousError(LookupError):
    """A value lies in an object that names a key twice."""


@dataclass(frozen=True, slots=True)
class Path:
    """A way into a record. ``is_rooted``: it begins at the body that holds the record, not at the record."""

    text: str
    parts: tuple[str, ...]
    is_rooted: bool

    @classmethod
    def read(cls, text: str) -> Path:
        """Read ``a.b.0``, ``/a/b/0`` (RFC 6901, for names with dots in them) or ``$.a``.

        Raises:
            ValueError: it is empty, has an empty part, or more parts than anybody needs.
        """
        is_rooted = text.startswith("$.")
        inside = text.removeprefix("$.")
        if inside.startswith("/"):
            parts = [part.replace("~1", "/").replace("~0", "~") for part in inside[1:].split("/")]
        else:
            parts = inside.split(".")
        if not all(parts) or len(parts) > _MOST_PARTS:
            raise ValueError(f"{text!r} is no path: write a.b.0 or /a/b/0")
        return cls(text=inside, parts=tuple(parts), is_rooted=is_rooted)

    def find(self, record: Any, root: Any = None) -> Any:
        """Give the value there, None where there is none. A column of CSV may have dots in its name.

        Raises:
            AmbiguousError: a key on the way came twice.
        """
        value = root if self.is_rooted else record
        if isinstance(value, dict) and self.text in value and not isinstance(value, RepeatedKeys):
            return value[self.text]
        for part in self.parts:
            value = _step(value, part)
        return value


def _step(value: Any, part: str) -> Any:
    if isinstance(value, RepeatedKeys):
        raise AmbiguousError
    if isinstance(value, dict):
        return value.get(part)
    if isinstance(value, list) and part.isascii() and part.isdecimal() and len(part) < 8:
        place = int(part)
        return value[place] if place < len(value) else None
    return None
