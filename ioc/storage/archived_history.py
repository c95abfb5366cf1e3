"""History where part of it has left the store: files of the archive and the store answer together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from psycopg import AsyncConnection

from ioc.errors import StoreUnavailableError
from ioc.ports import Clock
from ioc.storage.archive_reads import ArchivedFile, ArchiveReader, Partial, Unreadable, Wanted
from ioc.storage.buckets import Bucket, floor_to_bucket
from ioc.storage.pool import Database
from ioc.storage.questions import Aggregate, Fill, Question, Series
from ioc.storage.statements import load_statements

_SQL = load_statements("archive")
_DEADLINE = timedelta(minutes=2)
_TRIES = 3
_Points = Sequence[tuple[datetime, float | None]]


class ArchivedHistory:
    """Answers questions whose range reaches into the archive.

    Readings that are archived answer for themselves; buckets come from roll-ups where the store still keeps these, and
    are made of readings, archived or not, where it does not.

    Args:
        reader: the files.
        clock: says which roll-ups are past their retention.
        keep_rollups: how long the store keeps roll-ups of each width; those not named, for ever.
    """

    def __init__(self, reader: ArchiveReader, clock: Clock, *, keep_rollups: Mapping[Bucket, timedelta]) -> None:
        self._reader, self._clock, self._keep_rollups = reader, clock, keep_rollups

    async def ask(
        self, database: Database, question: Question, start: datetime, end: datetime, *, fill: Fill, limit: int
    ) -> Series | None:
        """Answer a question, or give None when the store alone can.

        Raises:
            StoreUnavailableError: store or files did not answer in time.
        """
        span = start, end
        if question.bucket is not None:
            start, end = question.grow(start, end)
            # Nothing after the last bucket that is given out needs to be read.
            end = min(end, start + (limit + 1) * question.width) if fill is not Fill.NONE else end
            span = start - (question.lookback if fill is Fill.LOCF else timedelta(0)), self._find_edge(question, end)
        if span[0] >= span[1]:
            return None
        for _ in range(_TRIES):
            async with database.connection(deadline=_DEADLINE) as connection:
                files = await _list_files(connection, question, *span)
                if not files:
                    return None
                unreadable = Unreadable()
                if question.bucket is None:
                    found = await self._list_points(connection, question, files, start, end, limit, unreadable)
                else:
                    found = await self._list_buckets(
                        connection, question, files, span[0], span[1], start, end, fill, limit, unreadable
                    )
                # A day that left the store in between would be missing, or count twice.
                if files == await _list_files(connection, question, *span):
                    points, from_archive = found
                    return question.to_series(
                        points, limit=limit, from_archive=from_archive, unreadable_files=unreadable.faults
                    )
        raise StoreUnavailableError("the archive changes faster than it can be read")

    def _find_edge(self, question: Question, end: datetime) -> datetime:
        """Say up to where buckets are made of readings because the store keeps no roll-ups of them any more."""
        if not question.source.has_rollups:
            return end
        age = self._keep_rollups.get(question.settled_bucket)
        if age is None:
            return datetime.min.replace(tzinfo=end.tzinfo)
        return min(end, floor_to_bucket(self._clock.now() - age, question.settled_bucket) + question.width)

    async def _list_points(
        self,
        connection: AsyncConnection,
        question: Question,
        files: Sequence[ArchivedFile],
        start: datetime,
        end: datetime,
        limit: int,
        unreadable: Unreadable,
    ) -> tuple[_Points, bool]:
        wanted = _to_wanted(question, start, end)
        archived = await self._reader.points(files, wanted, limit=limit + 1, unreadable=unreadable)
        stored = await question.list_points(connection, start, end, limit=limit)
        # By id: a reading that came again after its day had left the store is the same reading.
        merged = {(at, event_id): value for at, event_id, value in [*archived, *stored]}
        points: _Points = [(at, value) for (at, _), value in sorted(merged.items())][: limit + 1]
        return points, bool(archived)

    async def _list_buckets(
        self,
        connection: AsyncConnection,
        question: Question,
        files: Sequence[ArchivedFile],
        ancient_from: datetime,
        ancient_to: datetime,
        start: datetime,
        end: datetime,
        fill: Fill,
        limit: int,
        unreadable: Unreadable,
    ) -> tuple[_Points, bool]:
        bucket = question.settled_bucket
        since = floor_to_bucket(ancient_from, bucket)
        partials = await self._reader.partials(
            files, _to_wanted(question, since, ancient_to), bucket, unreadable=unreadable
        )
        from_archive = bool(partials)
        for at, total, count, low, high in await question.list_partials(connection, since, ancient_to):
            partials.setdefault(at, Partial()).add(total, count, low, high)
        values = {at: _to_value(partial, question.aggregate) for at, partial in partials.items()}
        young = max(start, ancient_to)
        if young < end:
            recent = await question.ask(connection, young, end, fill=Fill.NONE, limit=limit)
            values.update({at: value for at, value in recent if value is not None})
        seed = None
        if fill is Fill.LOCF:
            before = [at for at in values if at < start]
            seed = values[max(before)] if before else await question.find_value_before(connection, start)
        return _fill_in(values, start, end, question.width, fill=fill, seed=seed, limit=limit), from_archive


async def _list_files(
    connection: AsyncConnection, question: Question, start: datetime, end: datetime
) -> list[ArchivedFile]:
    wanted: dict[str, Any] = {"kind": question.kind, "start": start, "end": end}
    rows = await (await connection.execute(_SQL["list_files"], wanted)).fetchall()
    return [
        ArchivedFile(name=name, rows_count=rows_count, first_at=first_at, last_at=last_at)
        for name, rows_count, first_at, last_at in rows
    ]


def _to_wanted(question: Question, start: datetime, end: datetime) -> Wanted:
    is_generic = not question.source.has_rollups
    return Wanted(
        kind=question.kind, asset_id=question.asset_id, column=question.source.column, start=start, end=end,
        only_quantity=question.quantity if is_generic else None,
    )  # fmt: skip


def _to_value(partial: Partial, aggregate: Aggregate) -> float:
    match aggregate:
        case Aggregate.MEAN:
            return partial.total / partial.count
        case Aggregate.MIN:
            return partial.low
        case Aggregate.MAX:
            return partial.high
        case Aggregate.COUNT:
            return float(partial.count)
        case Aggregate.SUM:
            return partial.total


def _fill_in(
    values: Mapping[datetime, float],
    start: datetime,
    end: datetime,
    width: timedelta,
    *,
    fill: Fill,
    seed: float | None,
    limit: int,
) -> _Points:
    """Give at most ``limit + 1`` points, with what stands for empty buckets."""
    if fill is Fill.NONE:
        return [(at, values[at]) for at in sorted(values) if start <= at < end][: limit + 1]
    points: list[tuple[datetime, float | None]] = []
    at, last = start, seed
    while at < end and len(points) <= limit:
        value = values.get(at)
        if fill is Fill.LOCF:
            last = last if value is None else value
            value = last
        points.append((at, value))
        at += width
    return points
