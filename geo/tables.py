"""The shipped tables of geodata, as they lie in the package."""

from __future__ import annotations

import csv
from importlib.resources import files
from io import StringIO


def read_raw(name: str) -> bytes:
    """A shipped file of geodata, byte for byte."""
    return files("geo").joinpath("data", name).read_bytes()


def read_rows(name: str) -> list[dict[str, str]]:
    """The rows of a shipped CSV table."""
    return list(csv.DictReader(StringIO(read_raw(name).decode())))
