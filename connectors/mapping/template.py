"""Names made of a record's values: ``air.{station.code}``, ``gate.{name|slug}``."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from connectors.mapping.paths import Path

_PLACE = re.compile(r"\{([^{}|]+)(?:\|(slug))?\}")
_FIXED = re.compile(r"[A-Za-z0-9._ :/-]*")


@dataclass(frozen=True, slots=True)
class Template:
    """Fixed texts with places between them: one text more than places. A flag says that a place is slugged."""

    texts: tuple[str, ...]
    places: tuple[tuple[Path, bool], ...]

    @classmethod
    def read(cls, text: str) -> Template:
        """Read a template.

        Raises:
            ValueError: a brace without its other, a path that is none, or letters that no id has.
        """
        pieces = _PLACE.split(text)
        texts, paths, slugs = pieces[::3], pieces[1::3], pieces[2::3]
        for fixed in texts:
            if "{" in fixed or "}" in fixed:
                raise ValueError(f"{text!r}: a place reads {{path}} or {{path|slug}}")
            if _FIXED.fullmatch(fixed) is None:
                raise ValueError(f"{text!r}: only letters, digits, dot, dash and underscore stand in an id")
        places = tuple((Path.read(path.strip()), slug is not None) for path, slug in zip(paths, slugs, strict=True))
        return cls(texts=tuple(texts), places=places)

    def fill(self, give: Callable[[Path], str | None]) -> str | None:
        """Fill the places with what ``give`` finds; None when one is missing."""
        made = self.texts[0]
        for (path, is_slug), text in zip(self.places, self.texts[1:], strict=True):
            value = give(path)
            if not value:
                return None
            made += (to_slug(value) if is_slug else value) + text
        return made


def to_slug(text: str) -> str:
    """Write a name with the letters of an id: ``Hồng Gai`` → ``hong-gai``."""
    plain = unicodedata.normalize("NFD", text.lower().replace("đ", "d"))
    kept = "".join(mark for mark in plain if not unicodedata.combining(mark))
    return re.sub(r"[^a-z0-9._]+", "-", kept).strip("-._")
