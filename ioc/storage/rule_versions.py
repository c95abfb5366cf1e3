"""Versions of rules as people saved them. They only grow; the database refuses everything else."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from ioc.errors import NotFoundError
from ioc.storage.pool import Database
from ioc.storage.statements import fetch_rows, load_statements

_SQL = load_statements("rules")


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleVersion:
    """One version as it was saved. ``version`` is the hash of its meaning: two numbers may share it."""

    rule_id: str
    number: int
    source: str
    version: str
    tests_count: int
    author: str
    reason: str
    created_at: datetime


class RuleVersionStore:
    """Saves versions and finds them.

    Args:
        database: the store.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(
        self, *, rule_id: str, source: str, version: str, tests_count: int, author: str, reason: str, at: datetime
    ) -> RuleVersion:
        """Add a version; its number is one more than the rule's last."""
        wanted = {
            "rule_id": rule_id, "source": source, "version": version, "tests_count": tests_count, "author": author,
            "reason": reason, "at": at,
        }  # fmt: skip
        async with self._database.transaction() as connection:
            await connection.execute(_SQL["order_changes"])
            [row] = await fetch_rows(connection, _SQL["add_version"], wanted)
        return RuleVersion(**row)

    async def page(self, rule_id: str, *, before: int | None = None, limit: int = 100) -> list[RuleVersion]:
        """Give a rule's versions, newest first; ``before`` is the last number of the page before."""
        return await self._find(rule_id, before=before, limit=limit)

    async def get(self, rule_id: str, number: int) -> RuleVersion:
        """Give one version.

        Raises:
            NotFoundError: there is none with this number.
        """
        found = await self._find(rule_id, number=number)
        if not found:
            raise NotFoundError("rule version", f"{rule_id} {number}")
        return found[0]

    async def find_meaning(self, rule_id: str, version: str) -> RuleVersion | None:
        """Give the newest version of a rule that means this; None where none was saved."""
        found = await self._find(rule_id, version=version, limit=1)
        return found[0] if found else None

    async def find_all(self, names: Collection[tuple[str, int]]) -> dict[tuple[str, int], RuleVersion]:
        """Give the versions of these rules and numbers, by rule and number."""
        wanted = {"rule_ids": [rule_id for rule_id, _ in names], "numbers": [number for _, number in names]}
        async with self._database.connection() as connection:
            rows = await fetch_rows(connection, _SQL["versions_in_force"], wanted)
        return {(row["rule_id"], row["number"]): RuleVersion(**row) for row in rows}

    async def _find(
        self,
        rule_id: str,
        *,
        number: int | None = None,
        version: str | None = None,
        before: int | None = None,
        limit: int = 1,
    ) -> list[RuleVersion]:
        wanted = {"rule_id": rule_id, "number": number, "version": version, "before": before, "limit": limit}
        async with self._database.connection() as connection:
            return [RuleVersion(**row) for row in await fetch_rows(connection, _SQL["versions"], wanted)]
