"""The audit log: who did what, when, from where. Rows are only ever added."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg.types.json import Jsonb

from ioc.ports import Clock
from ioc.storage.pool import Database
from ioc.storage.statements import load_statements

_SQL = load_statements("accounts")


class AuditLog:
    """Notes actions of people and machines."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def note(
        self, *, actor: str, address: str, action: str, on: str, detail: Mapping[str, object] | None = None
    ) -> None:
        """Add an entry; ``on`` names what was acted upon."""
        entry = {
            "at": self._clock.now(),
            "actor": actor,
            "address": address,
            "action": action,
            "object": on,
            "detail": Jsonb(dict(detail or {})),
        }
        async with self._database.connection() as connection:
            await connection.execute(_SQL["audit"], entry)

    async def newest(self, limit: int = 100) -> list[dict[str, Any]]:
        """Give the newest entries, newest first."""
        names = ("at", "actor", "address", "action", "object", "detail")
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_SQL["list_audit"], (limit,))).fetchall()
        return [dict(zip(names, row, strict=True)) for row in rows]
