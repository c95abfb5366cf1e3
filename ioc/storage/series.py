"""Reads of the observation store: newest readings, history in buckets, and how things stood at an instant."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from psycopg import sql

from ioc.domain.events import Event
from ioc.domain.kinds import Kind
from ioc.storage.archived_history import ArchivedHistory
from ioc.storage.buckets import Bucket
from ioc.storage.pool import Database
from ioc.storage.questions import Aggregate, Fill, Question, Series, find_source, find_table
from ioc.storage.statements import load_statements
from ioc.storage.tables import TABLES

__all__ = ["Aggregate", "Fill", "HistoryStore", "Reading", "Series"]

_SQL = load_statements("series")
_LOOKBACK = timedelta(days=31)
_PIECE_ROWS = 2_000


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


class HistoryStore:
    """Answers questions about readings. Every answer holds everything that was committed before the question.

    Args:
        database: the open pool.
        archive: the files of what is past its retention; without it the store alone answers.
    """

    def __init__(self, database: Database, archive: ArchivedHistory | None = None) -> None:
        self._database, self._archive = database, archive

    async def latest(
        self, *, kinds: Sequence[str] | None = None, unit_code: str | None = None, since: datetime | None = None
    ) -> list[Reading]:
        """Give the newest reading of every asset and kind, of some kinds or one unit, not older than ``since``."""
        wanted = {"kinds": None if kinds is None else list(kinds), "unit_code": unit_code, "since": since}
        async with self._database.connection() as connection:
            rows = await (await connection.execute(_SQL["list_latest"], wanted)).fetchall()
        return [to_reading(row[0], row[1:10], row[10]) for row in rows]

    async def latest_events(self, *, kinds: Sequence[str] | None = None, since: datetime | None = None) -> list[Event]:
        """Give what ``latest`` gives as events, for whoever begins with what was said before its start."""
        events = []
        for reading in await self.latest(kinds=kinds, since=since):
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
        table = find_table(kind)
        names = [field.name for field in table.kind.fields]
        statement = _SQL["list_since"].format(
            table=table.identifier, fields=sql.SQL(", ").join(sql.Identifier(name) for name in names)
        )
        async with self._database.connection() as connection:
            cursor = await connection.execute(statement, (since,))
            while rows := await cursor.fetchmany(_PIECE_ROWS):
                yield [to_stored_event(table.kind, names, row) for row in rows]
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
        source = find_source(kind, quantity)
        question = Question(
            source=source, kind=kind, asset_id=asset_id, quantity=quantity, bucket=bucket, aggregate=aggregate
        )
        if self._archive is not None and start < end:
            found = await self._archive.ask(self._database, question, start, end, fill=fill, limit=limit)
            if found is not None:
                return found
        async with self._database.connection() as connection:
            if bucket is None:
                points: Sequence[tuple[datetime, float | None]] = [
                    (at, value) for at, _, value in await question.list_points(connection, start, end, limit=limit)
                ]
            else:
                points = await question.ask(connection, start, end, fill=fill, limit=limit)
        return question.to_series(points, limit=limit)

    async def as_of(
        self, at: datetime, *, kind: str, assets: Sequence[str] | None = None, lookback: timedelta = _LOOKBACK
    ) -> list[Reading]:
        """Give how assets stood at an instant: each one's last reading at or before it, not older than ``lookback``.

        Without ``assets``, all assets of the kind.

        Raises:
            NotFoundError: no such kind.
        """
        table = find_table(kind)
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
        return [to_reading(kind, row[:9], dict(zip(names, row[9:], strict=True))) for row in rows]


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


def to_stored_event(kind: Kind, names: Sequence[str], row: Sequence[Any]) -> Event:
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


def to_reading(kind: str, envelope: Sequence[Any], values: Mapping[str, Any]) -> Reading:
    """Make a reading of the envelope's columns and the values of its fields by name."""
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
