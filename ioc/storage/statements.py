"""Named SQL statements: the text lives in ``ioc/storage/sql/*.sql``, the code knows the names and runs them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any

from psycopg import AsyncConnection, sql
from psycopg.rows import dict_row

_HEADER = re.compile(r"^-- name: ([a-z][a-z0-9_]*)[ \t]*$", re.MULTILINE)


class Statements(Mapping[str, sql.SQL]):
    """The statements of one file by name, ready for ``execute`` or for ``.format(table=Identifier(...))``."""

    def __init__(self, source: str, texts: Mapping[str, str]) -> None:
        self.source = source
        self._statements = {name: sql.SQL(text) for name, text in texts.items()}

    def __getitem__(self, name: str) -> sql.SQL:
        try:
            return self._statements[name]
        except KeyError:
            raise KeyError(f"{self.source} has no statement {name!r}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._statements)

    def __len__(self) -> int:
        return len(self._statements)


def load_statements(name: str) -> Statements:
    """Load ``ioc/storage/sql/<name>.sql``; call it once per module, at import.

    A statement starts at a line ``-- name: xyz`` and ends before the next one. What stands before the first header
    is a comment on the file.
    """
    file = resources.files("ioc.storage").joinpath("sql", f"{name}.sql")
    return Statements(f"{name}.sql", split_statements(file.read_text(encoding="utf-8")))


async def fetch_rows(
    connection: AsyncConnection, statement: sql.SQL, wanted: Mapping[str, object] | None = None
) -> list[dict[str, Any]]:
    """Run a statement and give its rows, each by the names of its columns."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        return await (await cursor.execute(statement, wanted)).fetchall()


class BoundStatements:
    """The statements of one file, run by name on one connection."""

    def __init__(self, statements: Statements, connection: AsyncConnection) -> None:
        self._statements, self._connection = statements, connection

    async def fetch(self, name: str, **wanted: object) -> list[dict[str, Any]]:
        """Run one that gives rows."""
        return await fetch_rows(self._connection, self._statements[name], wanted)

    async def run(self, name: str, **wanted: object) -> None:
        """Run one that gives none."""
        await self._connection.execute(self._statements[name], wanted)

    async def run_unprepared(self, name: str, **wanted: object) -> None:
        """Run one that gives none and is planned anew each time: its tables grow and shrink."""
        await self._connection.execute(self._statements[name], wanted, prepare=False)


def split_statements(text: str) -> dict[str, str]:
    """Split the text of a file into its named statements.

    Raises:
        ValueError: a name stands twice, or a header has no statement behind it.
    """
    _, *parts = _HEADER.split(text)
    statements: dict[str, str] = {}
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        if name in statements:
            raise ValueError(f"statement {name!r} stands twice")
        if not (statement := body.strip()):
            raise ValueError(f"statement {name!r} is empty")
        statements[name] = statement
    return statements
