"""The register of suppressions as those read it who open alerts or give them back."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from psycopg import AsyncConnection

from alerts.notification.matchers import Matchers
from alerts.notification.register import RegisterEntry
from ioc.domain.alerts import OperatorState
from ioc.storage.statements import fetch_rows, load_statements

_SQL = load_statements("suppressions")


async def read_register(connection: AsyncConnection) -> list[RegisterEntry]:
    """Give the running entries, and keep the register as it is until the caller's transaction ends.

    Take it before any alert is locked: who changes the register locks alerts after it.
    """
    await connection.execute(_SQL["share_register"])
    return await fetch_running(connection)


async def lock_register(connection: AsyncConnection) -> None:
    """Have the register alone until the caller's transaction ends: nobody opens an alert past it meanwhile."""
    await connection.execute(_SQL["lock_register"])


async def fetch_running(connection: AsyncConnection) -> list[RegisterEntry]:
    """Give the running entries to a caller who has the register."""
    return [to_entry(row) for row in await fetch_rows(connection, _SQL["running"])]


def to_entry(row: Mapping[str, Any]) -> RegisterEntry:
    """Read a row of the table ``suppression``."""
    return RegisterEntry(
        suppression_id=row["suppression_id"], state=OperatorState(row["state"]), matchers=_parse(row["matchers"]),
        starts_at=row["starts_at"], ends_at=row["ends_at"], author=row["author"], reason=row["reason"],
        created_at=row["created_at"],
    )  # fmt: skip


@lru_cache(maxsize=1_024)
def _parse(text: str) -> Matchers:
    """The same entries are read with every batch that opens an alert."""
    return Matchers.restore(text)
