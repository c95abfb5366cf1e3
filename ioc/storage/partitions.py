"""Daily partitions of plain PostgreSQL: made ahead of time, dropped as a whole when their day is past its retention."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

from psycopg import AsyncConnection, sql

from ioc.storage.statements import load_statements

_SQL = load_statements("tables")
_DAY = re.compile(r"_p(\d{4})(\d{2})(\d{2})$")


async def create_partitions(connection: AsyncConnection, table: str, *, first_on: date, day_count: int) -> int:
    """Create the partitions of ``day_count`` days (UTC) from ``first_on`` that are not there, and count them.

    Rows of such a day that went to the default partition (a source whose clock runs ahead) move to their own.
    Does nothing for a table that is not partitioned. Call inside a transaction.
    """
    row = await (await connection.execute(_SQL["is_partitioned"].format(table=sql.Literal(table)))).fetchone()
    if row is None or not row[0]:
        return 0
    there = await list_partitions(connection, table)
    created = 0
    for offset in range(day_count):
        day = first_on + timedelta(days=offset)
        if day not in there:
            await _create_partition(connection, table, day)
            created += 1
    return created


async def list_partitions(connection: AsyncConnection, table: str) -> dict[date, str]:
    """Give a table's daily partitions by their day."""
    cursor = await connection.execute(_SQL["list_partitions"].format(table=sql.Literal(table)))
    names = [row[0] for row in await cursor.fetchall()]
    matches = [(match, name) for name in names if (match := _DAY.search(name)) is not None]
    return {date(int(match[1]), int(match[2]), int(match[3])): name for match, name in matches}


async def drop_partitions(connection: AsyncConnection, table: str, *, before: datetime) -> int:
    """Drop the partitions whose whole day lies before an instant, and count them."""
    past = [name for day, name in (await list_partitions(connection, table)).items() if _start_of(day, 1) <= before]
    for name in past:
        await connection.execute(_SQL["drop_partition"].format(partition=sql.Identifier(name)))
    return len(past)


def describe_partition(table: str, day: date) -> sql.Composed:
    """Give the statement that makes the partition of a day (UTC) of a table without rows of that day."""
    return _SQL["create_partition"].format(**_parts(table, day))


async def _create_partition(connection: AsyncConnection, table: str, day: date) -> None:
    parts = _parts(table, day)
    row = await (await connection.execute(_SQL["has_strays"].format(**parts))).fetchone()
    if row is None or not row[0]:
        await connection.execute(describe_partition(table, day))
        return
    for step in ("create_detached_partition", "move_strays", "attach_partition"):
        await connection.execute(_SQL[step].format(**parts))


def _parts(table: str, day: date) -> dict[str, sql.Composable]:
    return {
        "table": sql.Identifier(table),
        "partition": sql.Identifier(f"{table}_p{day:%Y%m%d}"),
        "default_partition": sql.Identifier(f"{table}_default"),
        "start": sql.Literal(_start_of(day, 0)),
        "end": sql.Literal(_start_of(day, 1)),
    }


def _start_of(day: date, later_days: int) -> datetime:
    return datetime.combine(day + timedelta(days=later_days), time(), UTC)
