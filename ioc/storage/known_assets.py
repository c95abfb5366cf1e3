"""Which assets were ever heard of: for whoever asks about one and may have mistyped its name."""

from __future__ import annotations

from collections.abc import Sequence

from ioc.storage.pool import Database
from ioc.storage.statements import load_statements
from ioc.storage.tables import TABLES

_SQL = load_statements("known_assets")
MOST_NAMES = 20_000


class KnownAssets:
    """Assets by what is stored of them: a newest reading, or an alert. Days in the archive are not looked at.

    Args:
        database: the open pool.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def is_heard_of(self, asset_id: str) -> bool:
        """Whether anything of an asset is stored, of any kind."""
        wanted = {"kinds": list(TABLES), "asset_id": asset_id}
        async with self._database.connection() as connection:
            row = await (await connection.execute(_SQL["is_heard_of"], wanted)).fetchone()
        return row is not None and bool(row[0])

    async def kinds_of(self, asset_id: str) -> frozenset[str]:
        """Name the kinds of which a reading of an asset is stored."""
        wanted = {"kinds": list(TABLES), "asset_id": asset_id}
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_SQL["list_kinds"], wanted)).fetchall()
        return frozenset(row[0] for row in rows)

    async def of_kinds(self, kinds: Sequence[str]) -> list[str]:
        """Give the assets that readings of some kinds are stored of, at most 20,000."""
        wanted = {"kinds": list(kinds), "limit": MOST_NAMES}
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_SQL["list_heard"], wanted)).fetchall()
        return [row[0] for row in rows]
