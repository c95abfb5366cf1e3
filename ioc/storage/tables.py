"""Tables of the event kinds and of their roll-ups, made from the registry: a new kind needs no migration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property

from psycopg import AsyncConnection, sql

from ioc.domain.kinds import KINDS, Kind
from ioc.storage.buckets import Bucket
from ioc.storage.edition import Edition
from ioc.storage.partitions import create_partitions
from ioc.storage.statements import load_statements

_SQL = load_statements("tables")

ENVELOPE_COLUMNS = (
    "asset_id",
    "observed_at",
    "received_at",
    "event_id",
    "quality",
    "feed_id",
    "unit_code",
    "lon_deg",
    "lat_deg",
)
"""Columns that every kind has, in the order in which rows are written."""

_COLUMN_TYPES = {
    float: "double precision",
    int: "bigint",
    str: "text",
    bool: "boolean",
    datetime: "timestamptz",
    date: "date",
}


_PARTS = {"sum": "double precision", "count": "bigint", "min": "double precision", "max": "double precision"}


@dataclass(frozen=True)
class KindTable:
    """Where a kind's readings lie, and where their roll-ups lie."""

    kind: Kind

    @property
    def name(self) -> str:
        """Name of the relation in the store's schema."""
        return self.kind.table

    @property
    def identifier(self) -> sql.Identifier:
        """The relation as part of a statement."""
        return sql.Identifier(self.name)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """All columns in the order in which rows are written."""
        return (*ENVELOPE_COLUMNS, *(field.name for field in self.kind.fields))

    @cached_property
    def column_list(self) -> sql.Composed:
        """All columns as part of a statement."""
        return sql.SQL(", ").join(map(sql.Identifier, self.columns))

    def rollup(self, bucket: Bucket) -> sql.Identifier:
        """The roll-up relation of one width: a table, or a continuous aggregate of the same shape."""
        return sql.Identifier(f"{self.name}_{bucket}")

    @property
    def has_rollups(self) -> bool:
        """Whether there is anything to aggregate."""
        return bool(self.kind.quantities)

    @property
    def rollup_columns(self) -> Iterator[tuple[str, str, str, str]]:
        """Each aggregated column as (name, quantity, part, type), part being sum, count, min or max."""
        for quantity in self.kind.quantities:
            for part, column_type in _PARTS.items():
                yield f"{quantity}_{part}", quantity, part, column_type

    def aggregates_of_readings(self) -> sql.Composed:
        """The select list that makes roll-up columns from readings."""
        return sql.SQL(", ").join(
            sql.SQL("{function}({quantity}{cast}) AS {name}").format(
                function=sql.SQL(part),
                quantity=sql.Identifier(quantity),
                cast=sql.SQL("" if part == "count" else "::double precision"),
                name=sql.Identifier(name),
            )
            for name, quantity, part, _ in self.rollup_columns
        )

    def aggregates_of_aggregates(self) -> sql.Composed:
        """The select list that makes roll-up columns from a finer roll-up."""
        return sql.SQL(", ").join(
            sql.SQL("{function}({name}){cast} AS {name}").format(
                function=sql.SQL("sum" if part == "count" else part),
                name=sql.Identifier(name),
                cast=sql.SQL("::bigint" if part == "count" else ""),
            )
            for name, _, part, _ in self.rollup_columns
        )


TABLES: dict[str, KindTable] = {name: KindTable(kind) for name, kind in KINDS.items()}
"""The table of every kind, by the kind's name."""


async def create_kind_tables(connection: AsyncConnection, edition: Edition) -> None:
    """Create what the registry asks for and the schema lacks: tables, columns, partitions, roll-ups.

    Changes nothing where everything is there. Columns of fields that left the registry stay.
    """
    for table in TABLES.values():
        async with connection.transaction():
            await _create_table(connection, table, edition)
        if table.has_rollups:
            async with connection.transaction():
                await _create_rollups(connection, table, edition)


async def _create_table(connection: AsyncConnection, table: KindTable, edition: Edition) -> None:
    partitioning = sql.SQL("") if edition.has_hypertables else _SQL["partition_by_time"]
    name, literal = table.identifier, sql.Literal(table.name)
    await connection.execute(_SQL["create_kind_table"].format(table=name, partitioning=partitioning))
    if edition.has_hypertables:
        await connection.execute(_SQL["make_hypertable"].format(table=literal))
    else:
        default = sql.Identifier(f"{table.name}_default")
        await connection.execute(_SQL["create_default_partition"].format(partition=default, table=name))
    index = sql.Identifier(f"{table.name}_observed_at")
    await connection.execute(_SQL["create_time_index"].format(index=index, table=name))
    for field in table.kind.fields:
        await _add_column(connection, name, field.name, _COLUMN_TYPES[field.type])
    if edition.has_continuous_aggregates:
        row = await (await connection.execute(_SQL["has_columnstore"].format(table=literal))).fetchone()
        if row is None or not row[0]:
            await connection.execute(_SQL["enable_columnstore"].format(table=name))
            await connection.execute(_SQL["add_columnstore_policy"].format(table=literal))
    if not edition.has_hypertables:
        row = await (await connection.execute(_SQL["current_day"])).fetchone()
        if row is not None:
            await create_partitions(connection, table.name, first_on=row[0] - timedelta(days=1), day_count=9)


async def _create_rollups(connection: AsyncConnection, table: KindTable, edition: Edition) -> None:
    if edition.has_continuous_aggregates:
        await _create_aggregates(connection, table)
        return
    for bucket in Bucket:
        rollup = table.rollup(bucket)
        await connection.execute(_SQL["create_rollup_table"].format(rollup=rollup))
        for name, _, _, column_type in table.rollup_columns:
            await _add_column(connection, rollup, name, column_type)
        index = sql.Identifier(f"{table.name}_{bucket}_bucket")
        await connection.execute(_SQL["create_rollup_time_index"].format(index=index, rollup=rollup))


async def _create_aggregates(connection: AsyncConnection, table: KindTable) -> None:
    """Create the continuous aggregates; where a quantity is new, set the old ones aside and make them anew.

    A continuous aggregate cannot get a column. The old ones keep what they hold, under a name of their own.
    """
    wanted = {name for name, *_ in table.rollup_columns}
    there = await _list_columns(connection, f"{table.name}_{Bucket.MINUTE}")
    if there and wanted <= there:
        return
    for bucket in Bucket:
        rollup = table.rollup(bucket)
        if there:
            aside = sql.Identifier(f"{table.name}_{bucket}_of_{len(there)}")
            await connection.execute(_SQL["rename_aggregate"].format(rollup=rollup, name=aside))
        if bucket.source is None:
            statement = _SQL["create_aggregate_of_readings"]
            source, columns = table.identifier, table.aggregates_of_readings()
        else:
            day = bucket is Bucket.DAY
            statement = _SQL["create_aggregate_by_province_day" if day else "create_aggregate_of_aggregate"]
            source, columns = table.rollup(bucket.source), table.aggregates_of_aggregates()
        await connection.execute(
            statement.format(rollup=rollup, source=source, columns=columns, width=sql.Literal(bucket.width))
        )
    if there:
        kind = sql.Literal(table.kind.name)
        await connection.execute(_SQL["mark_everything"].format(kind=kind, table=table.identifier))


async def _list_columns(connection: AsyncConnection, relation: str) -> set[str]:
    cursor = await connection.execute(_SQL["list_columns"].format(table=sql.Literal(relation)))
    return {row[0] for row in await cursor.fetchall()}


async def _add_column(connection: AsyncConnection, relation: sql.Identifier, column: str, column_type: str) -> None:
    await connection.execute(
        _SQL["add_column"].format(table=relation, column=sql.Identifier(column), type=sql.SQL(column_type))
    )
