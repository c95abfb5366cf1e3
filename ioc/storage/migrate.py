"""Brings the schema up to date: numbered migrations first, then the tables that follow from the registry of kinds."""

from __future__ import annotations

import enum
import hashlib
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import resources

from psycopg import AsyncConnection, sql

from ioc.errors import ConfigurationError
from ioc.storage.edition import Edition, detect_edition
from ioc.storage.pool import Database, translated_errors
from ioc.storage.statements import load_statements
from ioc.storage.tables import create_kind_tables

__all__ = [
    "Edition",
    "Migration",
    "Phase",
    "detect_edition",
    "drop_schema",
    "find_pending",
    "list_migrations",
    "list_pending",
    "migrate",
    "migrate_database",
    "require_schema",
]

_SQL = load_statements("migrate")
_NAMED = 3
"""Of a database that lacks everything, a sentence names no more than this."""
_FILE = re.compile(
    r"^(?P<number>\d{4})_(?P<phase>pre|post)_[a-z0-9_]+(?P<needs>(?:\.timescale)?(?:\.community)?)\.sql$"
)


class Phase(enum.StrEnum):
    """When a migration may run: before the new program is rolled out, or after the old one is gone."""

    PRE = "pre"
    POST = "post"


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One numbered file. ``needs`` is the least edition that it runs on."""

    name: str
    number: int
    phase: Phase
    needs: Edition
    text: str

    @property
    def checksum(self) -> str:
        """Digest that shows when a file was changed after it had been applied."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def fits(self, edition: Edition) -> bool:
        """Whether the migration runs on this edition."""
        match self.needs:
            case Edition.PLAIN:
                return True
            case Edition.TIMESCALE_APACHE:
                return edition.has_hypertables
            case Edition.TIMESCALE_COMMUNITY:
                return edition.has_continuous_aggregates


def list_migrations() -> list[Migration]:
    """Give the migrations of this program in the order in which they run.

    Raises:
        ConfigurationError: a file's name does not follow ``NNNN_{pre|post}_what[.timescale|.community].sql``.
    """
    files = [file for file in resources.files("ioc.storage").joinpath("migrations").iterdir() if file.is_file()]
    parsed, faults = [], []
    for file in files:
        if (match := _FILE.match(file.name)) is None:
            if file.name.endswith(".sql"):
                faults.append(f"migration {file.name}: name does not follow NNNN_{{pre|post}}_what.sql")
            continue
        parsed.append(
            Migration(
                name=file.name,
                number=int(match["number"]),
                phase=Phase(match["phase"]),
                needs=_find_need(match["needs"]),
                text=file.read_text(encoding="utf-8"),
            )
        )
    if faults:
        raise ConfigurationError(faults)
    return sorted(parsed, key=lambda migration: (migration.number, migration.phase is Phase.POST, migration.name))


def _find_need(suffix: str) -> Edition:
    if suffix.endswith(".community"):
        return Edition.TIMESCALE_COMMUNITY
    return Edition.TIMESCALE_APACHE if suffix else Edition.PLAIN


async def migrate(
    connection: AsyncConnection, *, schema: str | None = None, phases: Iterable[Phase] = tuple(Phase)
) -> Edition:
    """Bring the connected database's schema up to date and say which edition it is.

    Safe to call from several processes at once and any number of times. Each file runs in a transaction of its own.
    The connection must not be inside a transaction; it is left in autocommit mode. ``schema`` is created where it is
    missing; without it the schema in force on the connection is used. TimescaleDB is switched on where the server
    offers it.

    Raises:
        ConfigurationError: an applied migration's file has changed since.
    """
    await connection.set_autocommit(True)
    if schema is not None:
        name = sql.Identifier(schema)
        await connection.execute(_SQL["create_schema"].format(schema=name))
        await connection.execute(_SQL["set_search_path"].format(schema=name))
    async with _migration_lock(connection):
        await _switch_timescale_on(connection)
        edition = await detect_edition(connection)
        await _apply(connection, edition, frozenset(phases))
        await create_kind_tables(connection, edition)
    return edition


async def migrate_database(conninfo: str, *, schema: str | None = None) -> Edition:
    """Bring the schema of a database up to date, given its address; see ``migrate``.

    Raises:
        StoreUnavailableError: the database does not answer.
        ConfigurationError: an applied migration's file has changed since.
    """
    with translated_errors():
        async with await AsyncConnection.connect(conninfo, autocommit=True, connect_timeout=10) as connection:
            return await migrate(connection, schema=schema)


@asynccontextmanager
async def _migration_lock(connection: AsyncConnection) -> AsyncIterator[None]:
    await connection.execute(_SQL["lock"])
    try:
        yield
    finally:
        if not connection.closed:
            await connection.execute(_SQL["unlock"])


async def _switch_timescale_on(connection: AsyncConnection) -> None:
    # A schema that was laid out without it stays as it is: partitioned tables cannot become hypertables.
    row = await (await connection.execute(_SQL["is_timescale_offered"])).fetchone()
    if row is not None and row[0]:
        await connection.execute(_SQL["create_timescale"])


async def _apply(connection: AsyncConnection, edition: Edition, phases: frozenset[Phase]) -> None:
    await connection.execute(_SQL["create_journal"])
    applied: dict[str, str] = dict(await (await connection.execute(_SQL["list_applied"])).fetchall())
    migrations = [migration for migration in list_migrations() if migration.fits(edition)]
    changed = [m.name for m in migrations if m.name in applied and applied[m.name] != m.checksum]
    if changed:
        raise ConfigurationError([f"migration {name} was applied with another text" for name in changed])
    for migration in migrations:
        if migration.name in applied or migration.phase not in phases:
            continue
        async with connection.transaction():
            await connection.execute(sql.SQL(migration.text))
            await connection.execute(_SQL["note_applied"], (migration.name, migration.checksum))


async def list_pending(connection: AsyncConnection, edition: Edition) -> list[str]:
    """Name the migrations that fit the edition and have not been applied to the schema in force."""
    row = await (await connection.execute(_SQL["has_journal"])).fetchone()
    applied: set[str] = set()
    if row is not None and row[0]:
        applied = {name for name, _ in await (await connection.execute(_SQL["list_applied"])).fetchall()}
    return [item.name for item in list_migrations() if item.fits(edition) and item.name not in applied]


async def find_pending(database: Database) -> list[str]:
    """Name the migrations that a database still lacks.

    Raises:
        StoreUnavailableError: the database does not answer.
    """
    async with database.connection() as connection, _migration_lock(connection):
        # Under the lock: a program that is still at it has not made the tables of the kinds yet.
        return await list_pending(connection, await detect_edition(connection))


async def require_schema(database: Database) -> None:
    """Refuse a database that this program cannot work with yet.

    Raises:
        ConfigurationError: migrations wait; says what to do about it.
        StoreUnavailableError: the database does not answer.
    """
    pending = await find_pending(database)
    if pending:
        more = f" and {len(pending) - _NAMED} more" if len(pending) > _NAMED else ""
        raise ConfigurationError([f"the database lacks {', '.join(pending[:_NAMED])}{more}; run `ioc db migrate`"])


async def drop_schema(conninfo: str, *, schema: str) -> None:
    """Remove a scratch's schema with everything in it.

    Raises:
        StoreUnavailableError: the database does not answer.
    """
    with translated_errors():
        async with await AsyncConnection.connect(conninfo, autocommit=True, connect_timeout=10) as connection:
            await connection.execute(_SQL["drop_schema"].format(schema=sql.Identifier(schema)))
