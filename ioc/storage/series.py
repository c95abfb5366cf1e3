"""Reads of the observation store: newest readings, history in buckets, and how things stood at an instant."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from psycopg import AsyncConnection, sql

from ioc.domain.events import Event
from ioc.domain.kinds import Kind, Observation
from ioc.errors import NotFoundError
from ioc.storage.buckets import Bucket, floor_to_bucket
from ioc.storage.pool import Database
from ioc.storage.statements import load_statements
from ioc.storage.tables import TABLES, KindTable

_SQL = load_statements("series")
_DAY, _MICROSECOND = timedelta(days=1), timedelta(microseconds=1)
_LOOKBACK = timedelta(days=31)
_PIECE_ROWS = 2_000


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
class Reading:
    """One stored reading; ``values`` are its kind's fields by name (instants and dates of ``latest`` as in JSON)."""

    kind: str
    asset_id: str
    observed_at: datetime
    received_at: datetime
    event_id: bytes
    quality: int
    feed_id: str
    unit_code: str | None
    lon_deg: float | None
    lat_deg: float | None
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """History of one quantity of one asset. Points are (start of bucket, or instant; value), oldest first.

    ``bucket`` None means single readings. ``truncated`` says that more points follow after the last.
    """

    kind: str
    asset_id: str
    quantity: str
    unit: str
    bucket: Bucket | None
    aggregate: Aggregate
    points: Sequence[tuple[datetime, float | None]]
    truncated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """Where one quantity's values lie."""

    table: KindTable
    column: str
    unit: str
    has_rollups: bool
    only: sql.SQL | sql.Composed


class HistoryStore:
    """Answers questions about readings. Every answer holds everything that was committed before the question."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def latest(
        self, *, kinds: Sequence[str] | None = None, unit_code: str | None = None, since: datetime | None = None
    ) -> list[Reading]:
        """Give the newest reading of every asset and kind, of some kinds or one unit, not older than ``since``."""
        wanted = {"kinds": None if kinds is None else list(kinds), "unit_code": unit_code, "since": since}
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_SQL["list_latest"], wanted)).fetchall()
        return [_to_reading(row[0], row[1:10], row[10]) for row in rows]

    async def latest_events(self, *, since: datetime | None = None) -> list[Event]:
        """Give the newest reading of every asset and kind as events, for an engine that takes a partition over."""
        events = []
        for reading in await self.latest(since=since):
            if (table := TABLES.get(reading.kind)) is None:
                continue  # a kind that left the registry: no rule reads it
            events.append(_to_event(reading, table.kind))
        return events

    async def count_readings(self) -> dict[str, int]:
        """Count the readings that are stored, by kind. Reads every row: for replays and tests, not for walls."""
        counts: dict[str, int] = {}
        async with self._database.connection() as connection:
            for table in TABLES.values():
                statement = _SQL["count_readings"].format(table=table.identifier)
                row = await (await connection.execute(statement)).fetchone()
                counts[table.kind.name] = 0 if row is None else int(row[0])
        return counts

    async def events_since(self, kind: str, since: datetime) -> AsyncIterator[list[Event]]:
        """Give every reading of a kind since an instant, oldest first: for windows that a process must fill at start.

        They come in pieces, and others may run in between: a busy half day is hundreds of thousands of readings.

        Raises:
            NotFoundError: no such kind.
        """
        table = _find_table(kind)
        names = [field.name for field in table.kind.fields]
        statement = _SQL["list_since"].format(
            table=table.identifier, fields=sql.SQL(", ").join(sql.Identifier(name) for name in names)
        )
        async with self._database.connection() as connection:
            cursor = await connection.execute(statement, (since,))
            while rows := await cursor.fetchmany(_PIECE_ROWS):
                yield [_to_stored_event(table.kind, names, row) for row in rows]
                await asyncio.sleep(0)

    async def series(
        self,
        *,
        kind: str,
        asset_id: str,
        quantity: str,
        start: datetime,
        end: datetime,
        bucket: Bucket | None = None,
        aggregate: Aggregate = Aggregate.MEAN,
        fill: Fill = Fill.NONE,
        limit: int = 10_000,
    ) -> Series:
        """Give the history of a quantity from ``start`` (inclusive) to ``end`` (exclusive).

        With a bucket, the range grows to whole buckets; days are days of the province. Without one the readings come
        as they are, and ``aggregate`` and ``fill`` mean nothing. Roll-ups answer as far as they are complete,
        readings the rest.

        Raises:
            NotFoundError: no such kind, or no such quantity in it.
        """
        source = _find_source(kind, quantity)
        async with self._database.connection() as connection:
            if bucket is None:
                wanted = {"asset_id": asset_id, "start": start, "end": end, "limit": limit + 1, "quantity": quantity}
                statement = _SQL["list_readings"].format(
                    quantity=sql.Identifier(source.column), table=source.table.identifier, only=source.only
                )
                points = await (await connection.execute(statement, wanted)).fetchall()
            else:
                question = _Question(
                    connection=connection,
                    source=source,
                    asset_id=asset_id,
                    quantity=quantity,
                    bucket=bucket,
                    aggregate=aggregate,
                )
                points = await question.ask(start, end, fill=fill, limit=limit)
        return Series(
            kind=kind,
            asset_id=asset_id,
            quantity=quantity,
            unit=source.unit,
            bucket=bucket,
            aggregate=aggregate,
            points=points[:limit],
            truncated=len(points) > limit,
        )

    async def as_of(
        self, at: datetime, *, kind: str, assets: Sequence[str] | None = None, lookback: timedelta = _LOOKBACK
    ) -> list[Reading]:
        """Give how assets stood at an instant: each one's last reading at or before it, not older than ``lookback``.

        Without ``assets``, all assets of the kind.

        Raises:
            NotFoundError: no such kind.
        """
        table = _find_table(kind)
        names = [field.name for field in table.kind.fields]
        statement = _SQL["find_as_of"].format(
            table=table.identifier,
            fields=sql.SQL(", ").join(sql.Identifier("reading", name) for name in names),
        )
        async with self._database.connection() as connection:
            if assets is None:
                known = await (await connection.execute(_SQL["list_assets"], (kind,))).fetchall()
                assets = [row[0] for row in known]
            wanted = {"assets": list(assets), "at": at, "after": at - lookback}
            rows = await (await connection.execute(statement, wanted)).fetchall()
        return [_to_reading(kind, row[:9], dict(zip(names, row[9:], strict=True))) for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """One question for buckets, on one connection."""

    connection: AsyncConnection
    source: _Source
    asset_id: str
    quantity: str
    bucket: Bucket
    aggregate: Aggregate

    async def ask(
        self, start: datetime, end: datetime, *, fill: Fill, limit: int
    ) -> list[tuple[datetime, float | None]]:
        """Give at most ``limit + 1`` points."""
        if end <= start:
            return []
        width = self.bucket.width
        start = floor_to_bucket(start, self.bucket)
        end = floor_to_bucket(end + width - _MICROSECOND, self.bucket)
        if fill is not Fill.NONE:
            end = min(end, start + (limit + 1) * width)
        wanted = await self._wanted(start, end) | {"limit": limit + 1, "last": end - width, "width": width}
        match fill:
            case Fill.NONE:
                statement = _SQL["list_buckets"]
            case Fill.NULL:
                statement = _SQL["list_every_bucket"]
            case Fill.LOCF:
                statement = _SQL["carry_buckets_forward"]
                wanted["seed"] = await self._find_value_before(start)
        cursor = await self.connection.execute(statement.format(found=self._found()), wanted)
        return await cursor.fetchall()

    async def _wanted(self, start: datetime, end: datetime) -> dict[str, object]:
        """Say from where on readings answer (``tail``): the first bucket whose roll-up is not complete."""
        tail = start
        if self.source.has_rollups:
            kind = self.source.table.kind.name
            cursor = await self.connection.execute(_SQL["find_first_mark"], (kind, start, end))
            row = await cursor.fetchone()
            tail = floor_to_bucket(row[0], self.bucket) if row is not None and row[0] is not None else end
        return {"asset_id": self.asset_id, "quantity": self.quantity, "start": start, "tail": tail, "end": end}

    async def _find_value_before(self, start: datetime) -> float | None:
        lookback = min(max(100 * self.bucket.width, _DAY), _LOOKBACK)
        wanted = await self._wanted(floor_to_bucket(start - lookback, self.bucket), start)
        cursor = await self.connection.execute(_SQL["find_value_before"].format(found=self._found()), wanted)
        row = await cursor.fetchone()
        return None if row is None else row[0]

    def _found(self) -> sql.Composed:
        column, aggregate = self.source.column, self.aggregate
        day = self.bucket is Bucket.DAY
        floor = _SQL["floor_to_province_day" if day else "floor_to_width"].format(width=sql.Literal(self.bucket.width))
        # A bucket in which nobody measured the quantity has no value, not even the count 0.
        of_readings = sql.SQL("CASE WHEN count({column}) > 0 THEN {function}({column})::double precision END").format(
            function=sql.SQL(_FUNCTIONS[aggregate]), column=sql.Identifier(column)
        )
        readings = _SQL["bucket_from_readings"].format(
            floor=floor, from_readings=of_readings, table=self.source.table.identifier, only=self.source.only
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
        rollup = _SQL["bucket_from_rollup"].format(from_rollup=of_rollup, rollup=self.source.table.rollup(self.bucket))
        return rollup + sql.SQL(" UNION ALL ") + readings


_FUNCTIONS = {
    Aggregate.MEAN: "avg",
    Aggregate.MIN: "min",
    Aggregate.MAX: "max",
    Aggregate.COUNT: "count",
    Aggregate.SUM: "sum",
}


def _to_event(reading: Reading, kind: Kind) -> Event:
    """Make an event of a row whose values come from JSON; fields that it lacks are new and have their defaults."""
    values = [reading.values[field.name] for field in kind.fields if field.name in reading.values]
    return Event(
        event_id=reading.event_id,
        feed_id=reading.feed_id,
        asset_id=reading.asset_id,
        observed_at=reading.observed_at,
        received_at=reading.received_at,
        # The kind is known: to convert to the union of all kinds costs ten times as much.
        data=msgspec.convert([kind.name, *values], kind.payload),
        lon_deg=reading.lon_deg,
        lat_deg=reading.lat_deg,
        unit_code=reading.unit_code,
        quality=reading.quality,
    )


def _to_stored_event(kind: Kind, names: Sequence[str], row: Sequence[Any]) -> Event:
    """Make an event of a row of the kind's own table, whose columns have the types of the fields."""
    asset_id, observed_at, received_at, event_id, quality, feed_id, unit_code, lon_deg, lat_deg, *values = row
    # A field that is newer than the row has its default.
    known = {name: value for name, value in zip(names, values, strict=True) if value is not None}
    return Event(
        event_id=event_id.bytes,
        feed_id=feed_id,
        asset_id=asset_id,
        observed_at=observed_at,
        received_at=received_at,
        data=kind.payload(**known),
        lon_deg=lon_deg,
        lat_deg=lat_deg,
        unit_code=unit_code,
        quality=quality,
    )


def _find_table(kind: str) -> KindTable:
    if (table := TABLES.get(kind)) is None:
        raise NotFoundError("kind", kind)
    return table


def _find_source(kind: str, quantity: str) -> _Source:
    table = _find_table(kind)
    if kind == Observation.KIND:
        # The generic kind: one row is one value, and names its quantity itself.
        only = sql.SQL("AND quantity = %(quantity)s")
        return _Source(table=table, column="value", unit="", has_rollups=False, only=only)
    if (described := table.kind.quantities.get(quantity)) is None:
        raise NotFoundError("quantity", f"{kind}.{quantity}")
    return _Source(table=table, column=quantity, unit=described.unit, has_rollups=True, only=sql.SQL(""))


def _to_reading(kind: str, envelope: Sequence[Any], values: Mapping[str, Any]) -> Reading:
    asset_id, observed_at, received_at, event_id, quality, feed_id, unit_code, lon_deg, lat_deg = envelope
    return Reading(
        kind=kind,
        asset_id=asset_id,
        observed_at=observed_at,
        received_at=received_at,
        event_id=event_id.bytes,
        quality=quality,
        feed_id=feed_id,
        unit_code=unit_code,
        lon_deg=lon_deg,
        lat_deg=lat_deg,
        values=values,
    )
