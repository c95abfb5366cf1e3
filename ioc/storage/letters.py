"""Dead letters as operators see them: list, look at the bytes, mark as retried or discarded."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from ioc.errors import NotFoundError
from ioc.storage.pool import Database
from ioc.storage.statements import load_statements

_SQL = load_statements("batches")


class LetterState(enum.StrEnum):
    """What people did about a dead letter."""

    NEW = "new"
    RETRIED = "retried"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLetter:
    """A dead letter without its bytes."""

    dead_letter_id: UUID
    feed_id: str
    received_at: datetime
    reason: str
    source: str
    state: LetterState
    retried_at: datetime | None
    size_bytes: int


class DeadLetterStore:
    """The dead letters that the worker buried."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self,
        *,
        state: LetterState | None = LetterState.NEW,
        feed_id: str | None = None,
        after: StoredLetter | None = None,
        limit: int = 100,
    ) -> Sequence[StoredLetter]:
        """Give letters, newest arrival first; ``after`` is the last letter of the page before."""
        wanted = {
            "state": state,
            "feed_id": feed_id,
            "before_at": None if after is None else after.received_at,
            "before_id": None if after is None else after.dead_letter_id,
            "limit": limit,
        }
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_SQL["list_letters"], wanted)).fetchall()
        return [_to_letter(row) for row in rows]

    async def show(self, dead_letter_id: UUID) -> tuple[StoredLetter, bytes]:
        """Give a letter with its bytes.

        Raises:
            NotFoundError: there is no such letter.
        """
        async with self._database.connection() as connection:
            row = await (await connection.execute(_SQL["find_letter"], (dead_letter_id,))).fetchone()
        if row is None:
            raise NotFoundError("dead letter", str(dead_letter_id))
        return _to_letter(row[:8]), row[8]

    async def settle(self, dead_letter_id: UUID, state: LetterState, *, at: datetime) -> None:
        """Note that a letter was retried or discarded.

        Raises:
            NotFoundError: there is no such letter.
        """
        async with self._database.connection() as connection:
            cursor = await connection.execute(_SQL["settle_letter"], (state, at, dead_letter_id))
            if await cursor.fetchone() is None:
                raise NotFoundError("dead letter", str(dead_letter_id))

    async def count(self) -> Mapping[str, int]:
        """Count the letters that nobody has looked after, by feed."""
        async with self._database.connection() as connection:
            rows: list[tuple[str, int]] = await (await connection.execute(_SQL["count_letters"])).fetchall()
        return dict(rows)


def _to_letter(row: Sequence[Any]) -> StoredLetter:
    dead_letter_id, feed_id, received_at, reason, source, state, retried_at, size_bytes = row
    return StoredLetter(
        dead_letter_id=dead_letter_id,
        feed_id=feed_id,
        received_at=received_at,
        reason=reason,
        source=source,
        state=LetterState(state),
        retried_at=retried_at,
        size_bytes=size_bytes,
    )
