"""The schema is the sum of the migrations and the registry, whatever edition of the database stands behind it."""

from __future__ import annotations

import re

import pytest
from psycopg import AsyncConnection

from ioc.domain.kinds import KINDS
from ioc.errors import ConfigurationError
from ioc.storage.buckets import Bucket
from ioc.storage.migrate import list_migrations, migrate, migrate_database
from ioc.storage.tables import TABLES

_COLUMNS = """
SELECT table_name::text, column_name::text, data_type::text
FROM information_schema.columns
WHERE table_schema = current_schema() ORDER BY 1, 2
"""
_DROPPED = re.compile(r"DROP TABLE (\w+)")
_CREATED = re.compile(r"CREATE (?:TABLE|VIEW)\s+(?:IF NOT EXISTS\s+)?(\w+)")
_PARTITION = re.compile(r"_(default|p\d{8})$")


async def _columns(connection: AsyncConnection) -> set[tuple[str, str, str]]:
    rows = await (await connection.execute(_COLUMNS)).fetchall()
    return {row for row in rows if not _PARTITION.search(row[0])}


def _relations_of_registry() -> set[str]:
    rollups = {f"{table.name}_{bucket}" for table in TABLES.values() if table.has_rollups for bucket in Bucket}
    return rollups | {table.name for table in TABLES.values()}


async def test_the_schema_is_the_sum_of_migrations_and_registry(each_edition_url, fresh_database):
    address = await fresh_database(each_edition_url)
    async with await AsyncConnection.connect(address, autocommit=True) as connection:
        edition = await migrate(connection)
        columns = await _columns(connection)
    of_migrations = {name for file in list_migrations() if file.fits(edition) for name in _CREATED.findall(file.text)}
    of_migrations -= {name for file in list_migrations() for name in _DROPPED.findall(file.text)}
    expected = of_migrations | _relations_of_registry() | {"schema_migration"}
    assert {relation for relation, *_ in columns} == expected
    for kind in KINDS.values():
        there = {column for relation, column, _ in columns if relation == kind.table}
        assert there == set(TABLES[kind.name].columns)


async def test_a_second_migration_changes_nothing(each_edition_url, fresh_database):
    address = await fresh_database(each_edition_url, prepare=migrate_database)
    async with await AsyncConnection.connect(address, autocommit=True) as connection:
        before = await _columns(connection)
        await migrate(connection)
        assert await _columns(connection) == before


async def test_a_field_that_is_new_in_the_registry_gets_its_columns(each_edition_url, fresh_database):
    address = await fresh_database(each_edition_url, prepare=migrate_database)
    async with await AsyncConnection.connect(address, autocommit=True) as connection:
        before = await _columns(connection)
        for relation, column in (("met_warning", "headline_en"), ("observation", "value")):
            await connection.execute(f"ALTER TABLE {relation} DROP COLUMN {column}")
        assert await _columns(connection) != before
        await migrate(connection)
        assert await _columns(connection) == before


async def test_a_migration_whose_text_changed_after_it_ran_is_refused(each_edition_url, fresh_database):
    address = await fresh_database(each_edition_url, prepare=migrate_database)
    async with await AsyncConnection.connect(address, autocommit=True) as connection:
        await connection.execute("UPDATE schema_migration SET checksum = 'other' WHERE name LIKE '0001_%'")
        with pytest.raises(ConfigurationError, match="0001_pre_observation_store"):
            await migrate(connection)


async def test_a_schema_of_its_own_holds_everything(each_edition_url, fresh_database):
    address = await fresh_database(each_edition_url)
    async with await AsyncConnection.connect(address, autocommit=True) as connection:
        await migrate(connection, schema="ioc")
        columns = await _columns(connection)
        row = await (await connection.execute("SELECT current_schema()")).fetchone()
    assert row == ("ioc",)
    assert {relation for relation, *_ in columns} >= _relations_of_registry()


async def test_all_editions_have_the_same_relations_and_columns(
    plain_postgres_url, timescaledb_apache_url, timescaledb_community_url, fresh_database
):
    found = []
    for url in (plain_postgres_url, timescaledb_apache_url, timescaledb_community_url):
        address = await fresh_database(url, prepare=migrate_database)
        async with await AsyncConnection.connect(address, autocommit=True) as connection:
            found.append(await _columns(connection))
    plain, apache, community = found
    assert plain == apache
    assert plain == community
