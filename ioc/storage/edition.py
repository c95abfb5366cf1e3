"""Which PostgreSQL stands behind the store: the three editions differ in what they offer, never in what they hold."""

from __future__ import annotations

import enum

from psycopg import AsyncConnection

from ioc.storage.statements import load_statements

_SQL = load_statements("migrate")


class Edition(enum.StrEnum):
    """What the database can do for time series."""

    PLAIN = "plain"
    TIMESCALE_APACHE = "timescale_apache"
    TIMESCALE_COMMUNITY = "timescale_community"

    @property
    def has_hypertables(self) -> bool:
        """Whether the TimescaleDB extension is there, in either licence."""
        return self is not Edition.PLAIN

    @property
    def has_continuous_aggregates(self) -> bool:
        """Whether continuous aggregates, columnstore compression and retention policies are there."""
        return self is Edition.TIMESCALE_COMMUNITY


async def detect_edition(connection: AsyncConnection) -> Edition:
    """Find out the edition of the connected database (``SHOW timescaledb.license``)."""
    cursor = await connection.execute(_SQL["find_licence"])
    row = await cursor.fetchone()
    match row[0] if row else None:
        case None:
            return Edition.PLAIN
        case "timescale":
            return Edition.TIMESCALE_COMMUNITY
        case _:
            return Edition.TIMESCALE_APACHE
