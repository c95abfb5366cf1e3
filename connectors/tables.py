"""CSV text with a header: rows that keep their own bytes, so that a broken one can be kept as it came."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from ioc.errors import MalformedPayloadError


class CsvMapping(BaseModel):
    """How a CSV file's columns become a feed's wire keys: renamed columns, and keys with one value for all rows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: Mapping[str, str] = Field(
        default_factory=dict, description="file column → wire key; others keep their name"
    )
    constants: Mapping[str, str] = Field(default_factory=dict, description="wire key → value for every row")

    def apply(self, cells: Mapping[str, str]) -> dict[str, str]:
        """Give a row's wire keys; empty cells are left out."""
        named = {self.columns.get(column, column): cell for column, cell in cells.items() if cell != ""}
        return {**self.constants, **named}


class Row(NamedTuple):
    """One row, ``ordinal`` from 0. ``cells`` is None when the row does not fit the header."""

    ordinal: int
    cells: dict[str, str] | None
    line: bytes


def read_rows(payload: bytes, *, needs: frozenset[str]) -> Iterator[Row]:
    """Read CSV of UTF-8 text; the first line names the columns. Quoted cells must not contain line breaks.

    Raises:
        MalformedPayloadError: no header, or a column that the feed ``needs`` is not in it.
    """
    head, _, rest = payload.partition(b"\n")
    columns = _split(head)
    if columns is None or not needs <= set(columns):
        raise MalformedPayloadError(f"the first line must name the columns {', '.join(sorted(needs))}")
    index = 0
    for raw in rest.split(b"\n"):
        line = raw.rstrip(b"\r")
        if not line.strip():
            continue
        cells = _split(line)
        fits = cells is not None and len(cells) == len(columns)
        yield Row(index, dict(zip(columns, cells, strict=True)) if fits and cells is not None else None, line)
        index += 1


def keep_row(payload: bytes, line: bytes) -> bytes:
    """Give a row with its header, so that it can be parsed again on its own."""
    return payload.partition(b"\n")[0].rstrip(b"\r") + b"\n" + line


def _split(line: bytes) -> list[str] | None:
    try:
        text = line.decode("utf-8-sig").rstrip("\r")
        if '"' not in text:
            return text.split(",")
        rows = list(csv.reader([text], strict=True))
    except (UnicodeDecodeError, csv.Error):
        return None
    return rows[0] if rows else None
