"""One question for the history of a quantity, asked of the store: complete roll-ups first, readings for the rest."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg import AsyncConnection, sql

from ioc.domain.kinds import Observation
from ioc.errors import NotFoundError
from ioc.storage.buckets import Bucket, floor_to_bucket
from ioc.storage.statements import load_statements
from ioc.storage.tables import TABLES, KindTable

_SQL = load_statements("series")
_DAY, _MICROSECOND = timedelta(days=1), timedelta(microseconds=1)
_LOOKBACK = timedelta(days=31)


class Aggregate(enum.StrEnum):
    """How the readings of a bucket become one value. Readings of quality ``BAD`` are left out of all of them."""

    MEAN = "mean"
    MIN = "min"
    MAX = "max"
    COUNT = "count"
    SUM = "sum"


class Fill(enum.StrEnum):
    """What stands for a bucket without readings: no point, a point without value, or the value before it."""

    NONE = "none"
    NULL = "null"
    LOCF = "locf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """History of one quantity of one asset. Points are (start of bucket, or instant; value), oldest first.

    ``bucket`` None means single readings. ``truncated`` says that more points follow after the last. ``from_archive``:
    files of the archive gave part of it; those that could not be read stand in ``unreadable_files`` with the reason,
    and what they hold is missing.
    """

    kind: str
    asset_id: str
    quantity: str
    unit: str
    bucket: Bucket | None
    aggregate: Aggregate
    points: Sequence[tuple[datetime, float | None]]
    truncated: bool
    from_archive: bool = False
    unreadable_files: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where one quantity's values lie."""

    table: KindTable
    column: str
    unit: str
    has_rollups: bool
    only: sql.SQL | sql.Composed


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question for the history of a quantity; ``bucket`` None asks for single readings."""

    source: Source
    kind: str
    asset_id: str
    quantity: str
    bucket: Bucket | None
    aggregate: Aggregate

    def to_series(
        self,
        points: Sequence[tuple[datetime, float | None]],
        *,
        limit: int,
        from_archive: bool = False,
        unreadable_files: Sequence[str] = (),
    ) -> Series:
        """Give the answer; ``points`` may hold more than ``limit``, which says that more follow."""
        return Series(
            kind=self.kind, asset_id=self.asset_id, quantity=self.quantity, unit=self.source.unit,
            bucket=self.bucket, aggregate=self.aggregate, points=points[:limit], truncated=len(points) > limit,
            from_archive=from_archive, unreadable_files=unreadable_files,
        )  # fmt: skip

    @property
    def width(self) -> timedelta:
        """How long a bucket is; only where buckets are asked for."""
        return self.settled_bucket.width

    @property
    def settled_bucket(self) -> Bucket:
        """The bucket, where one is asked for."""
        if self.bucket is None:
            raise ValueError("single readings have no bucket")
        return self.bucket

    async def list_points(
        self, connection: AsyncConnection, start: datetime, end: datetime, *, limit: int
    ) -> list[tuple[datetime, bytes, float]]:
        """Give at most ``limit + 1`` single readings with their events' ids."""
        wanted = {
            "asset_id": self.asset_id, "start": start, "end": end, "limit": limit + 1, "quantity": self.quantity,
        }  # fmt: skip
        statement = _SQL["list_points"].format(
            quantity=sql.Identifier(self.source.column), table=self.source.table.identifier, only=self.source.only
        )
        rows = await (await connection.execute(statement, wanted)).fetchall()
        return [(at, event_id.bytes, value) for at, event_id, value in rows]

    async def list_partials(
        self, connection: AsyncConnection, start: datetime, end: datetime
    ) -> list[tuple[datetime, float, int, float, float]]:
        """Give what the stored readings of each bucket add up to: (bucket, sum, count, least, greatest)."""
        wanted = {"asset_id": self.asset_id, "start": start, "end": end, "quantity": self.quantity}
        statement = _SQL["partials_from_readings"].format(
            floor=self._floor(), column=sql.Identifier(self.source.column), table=self.source.table.identifier,
            only=self.source.only,
        )  # fmt: skip
        return await (await connection.execute(statement, wanted)).fetchall()

    async def ask(
        self, connection: AsyncConnection, start: datetime, end: datetime, *, fill: Fill, limit: int
    ) -> list[tuple[datetime, float | None]]:
        """Give at most ``limit + 1`` points."""
        if end <= start:
            return []
        width = self.width
        start, end = self.grow(start, end)
        if fill is not Fill.NONE:
            end = min(end, start + (limit + 1) * width)
        wanted = await self._wanted(connection, start, end) | {"limit": limit + 1, "last": end - width, "width": width}
        match fill:
            case Fill.NONE:
                statement = _SQL["list_buckets"]
            case Fill.NULL:
                statement = _SQL["list_every_bucket"]
            case Fill.LOCF:
                statement = _SQL["carry_buckets_forward"]
                wanted["seed"] = await self.find_value_before(connection, start)
        cursor = await connection.execute(statement.format(found=self._found()), wanted)
        return await cursor.fetchall()

    async def _wanted(self, connection: AsyncConnection, start: datetime, end: datetime) -> dict[str, object]:
        """Say from where on readings answer (``tail``): the first bucket whose roll-up is not complete."""
        tail = start
        if self.source.has_rollups:
            kind = self.source.table.kind.name
            cursor = await connection.execute(_SQL["find_first_mark"], (kind, start, end))
            row = await cursor.fetchone()
            tail = floor_to_bucket(row[0], self.settled_bucket) if row is not None and row[0] is not None else end
        return {"asset_id": self.asset_id, "quantity": self.quantity, "start": start, "tail": tail, "end": end}

    def grow(self, start: datetime, end: datetime) -> tuple[datetime, datetime]:
        """Give the range as whole buckets."""
        bucket = self.settled_bucket
        return floor_to_bucket(start, bucket), floor_to_bucket(end + bucket.width - _MICROSECOND, bucket)

    @property
    def lookback(self) -> timedelta:
        """How far before a range its first value is looked for."""
        return min(max(100 * self.width, _DAY), _LOOKBACK)

    async def find_value_before(self, connection: AsyncConnection, start: datetime) -> float | None:
        """Give the value of the last bucket before an instant."""
        wanted = await self._wanted(connection, floor_to_bucket(start - self.lookback, self.settled_bucket), start)
        cursor = await connection.execute(_SQL["find_value_before"].format(found=self._found()), wanted)
        row = await cursor.fetchone()
        return None if row is None else row[0]

    def _found(self) -> sql.Composed:
        column, aggregate = self.source.column, self.aggregate
        # A bucket in which nobody measured the quantity has no value, not even the count 0.
        of_readings = sql.SQL("CASE WHEN count({column}) > 0 THEN {function}({column})::double precision END").format(
            function=sql.SQL(_FUNCTIONS[aggregate]), column=sql.Identifier(column)
        )
        readings = _SQL["bucket_from_readings"].format(
            floor=self._floor(), from_readings=of_readings, table=self.source.table.identifier, only=self.source.only
        )
        if not self.source.has_rollups:
            return readings
        total, count = sql.Identifier(f"{column}_sum"), sql.Identifier(f"{column}_count")
        if aggregate is Aggregate.MEAN:
            of_rollup = sql.SQL("{total} / nullif({count}, 0)").format(total=total, count=count)
        else:
            of_rollup = sql.SQL("CASE WHEN {count} > 0 THEN {part}::double precision END").format(
                count=count, part=sql.Identifier(f"{column}_{aggregate}")
            )
        rollup = _SQL["bucket_from_rollup"].format(
            from_rollup=of_rollup, rollup=self.source.table.rollup(self.settled_bucket)
        )
        return rollup + sql.SQL(" UNION ALL ") + readings

    def _floor(self) -> sql.Composed:
        name = "floor_to_province_day" if self.bucket is Bucket.DAY else "floor_to_width"
        return _SQL[name].format(width=sql.Literal(self.width))


_FUNCTIONS = {
    Aggregate.MEAN: "avg",
    Aggregate.MIN: "min",
    Aggregate.MAX: "max",
    Aggregate.COUNT: "count",
    Aggregate.SUM: "sum",
}


def find_table(kind: str) -> KindTable:
    """Give a kind's table.

    Raises:
        NotFoundError: no such kind.
    """
    if (table := TABLES.get(kind)) is None:
        raise NotFoundError("kind", kind)
    return table


def find_source(kind: str, quantity: str) -> Source:
    """Say where a quantity's values lie.

    Raises:
        NotFoundError: no such kind, or no such quantity in it.
    """
    table = find_table(kind)
    if kind == Observation.KIND:
        # The generic kind: one row is one value, and names its quantity itself.
        only = sql.SQL("AND quantity = %(quantity)s")
        return Source(table=table, column="value", unit="", has_rollups=False, only=only)
    if (described := table.kind.quantities.get(quantity)) is None:
        raise NotFoundError("quantity", f"{kind}.{quantity}")
    return Source(table=table, column=quantity, unit=described.unit, has_rollups=True, only=sql.SQL(""))
