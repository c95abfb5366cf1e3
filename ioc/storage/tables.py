"""Tables of the event kinds and of their roll-ups, made from the registry: a new kind needs no migration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property

from psycopg import AsyncConnection, sql

from ioc.domain.kinds import KINDS, Kind
from ioc.storage.buckets import Bucket
from ioc.storage.edition import Edition
from ioc.storage.partitions import describe_partition
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

    Changes nothing where everything is there. Columns of fields that left the registry stay. What is asked for goes to
    the server as one script per kind: a first start must not wait for a thousand answers.
    """
    row = await (await connection.execute(_SQL["current_day"])).fetchone()
    # The days around now; retention makes those further ahead.
    days = [] if row is None else [row[0] + timedelta(days=number) for number in (-1, 0, 1)]
    there = await _list_relations(connection)
    columnar = await _list_columnar(connection) if edition.has_continuous_aggregates else set()
    for table in TABLES.values():
        script = [*_describe_table(table, edition, there, days), *_describe_rollups(table, edition, there)]
        if table.name not in columnar and edition.has_continuous_aggregates:
            # Also for what was there before: a server may have come to the other licence since.
            script.append(_SQL["enable_columnstore"].format(table=table.identifier))
            script.append(_SQL["add_columnstore_policy"].format(table=sql.Literal(table.name)))
        async with connection.transaction():
            if script:
                await connection.execute(sql.SQL(";\n").join(script))
        if edition.has_continuous_aggregates and table.has_rollups:
            async with connection.transaction():
                await _create_aggregates(connection, table)


def _describe_table(
    table: KindTable, edition: Edition, there: Mapping[str, set[str]], days: Sequence[date]
) -> Iterator[sql.Composable]:
    name, literal = table.identifier, sql.Literal(table.name)
    if table.name not in there:
        partitioning = sql.SQL("") if edition.has_hypertables else _SQL["partition_by_time"]
        yield _SQL["create_kind_table"].format(table=name, partitioning=partitioning)
        if edition.has_hypertables:
            yield _SQL["make_hypertable"].format(table=literal)
        else:
            default = sql.Identifier(f"{table.name}_default")
            yield _SQL["create_default_partition"].format(partition=default, table=name)
            for day in days:
                yield describe_partition(table.name, day)
        yield _SQL["create_time_index"].format(index=sql.Identifier(f"{table.name}_observed_at"), table=name)
    if (arrivals := f"{table.name}_received_at") not in there:
        yield _SQL["create_arrival_index"].format(index=sql.Identifier(arrivals), table=name)
    known = there.get(table.name, set())
    yield from _add_columns(
        name, {field.name: _COLUMN_TYPES[field.type] for field in table.kind.fields if field.name not in known}
    )


def _describe_rollups(table: KindTable, edition: Edition, there: Mapping[str, set[str]]) -> Iterator[sql.Composable]:
    if edition.has_continuous_aggregates or not table.has_rollups:
        return
    for bucket in Bucket:
        rollup, name = table.rollup(bucket), f"{table.name}_{bucket}"
        if name not in there:
            yield _SQL["create_rollup_table"].format(rollup=rollup)
            yield _SQL["create_rollup_time_index"].format(index=sql.Identifier(f"{name}_bucket"), rollup=rollup)
        known = there.get(name, set())
        yield from _add_columns(
            rollup, {column: kind for column, _, _, kind in table.rollup_columns if column not in known}
        )


def _add_columns(relation: sql.Identifier, types: Mapping[str, str]) -> Iterator[sql.Composable]:
    """Add all columns that are missing in one pass over the catalogue."""
    if types:
        parts = [
            _SQL["add_column"].format(column=sql.Identifier(column), type=sql.SQL(kind))
            for column, kind in types.items()
        ]
        yield _SQL["add_columns"].format(table=relation, columns=sql.SQL(", ").join(parts))


async def _list_columnar(connection: AsyncConnection) -> set[str]:
    """Name the hypertables of the schema in force that have a column store."""
    cursor = await connection.execute(_SQL["list_columnar"])
    return {row[0] for row in await cursor.fetchall()}


async def _list_relations(connection: AsyncConnection) -> dict[str, set[str]]:
    """Give the columns of every relation of the schema in force, indexes included."""
    cursor = await connection.execute(_SQL["list_relations"])
    return {name: set(columns) for name, columns in await cursor.fetchall()}


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
