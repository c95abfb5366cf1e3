"""Reading the archive for history: one asset's values of a span, as they are or summed up by bucket.

Only the columns that are asked for are read, row group by row group; groups that hold nothing of the span are skipped.
A file that cannot be read is named in the answer, and the others answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ioc import cancellation
from ioc.arrow import pa, pc
from ioc.errors import StoreUnavailableError, UnreadableFileError
from ioc.logs import logger
from ioc.recordings.columns import find_kind, opened
from ioc.storage.buckets import Bucket

_log = logger("archive")
_DEADLINE_S = 30.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_BAD = 3

Made = TypeVar("Made")

Point = tuple[datetime, bytes, float]
"""Instant, id of the event, value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedFile:
    """One file of the index."""

    name: str
    rows_count: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked: a column of one asset from ``start`` (inclusive) to ``end`` (exclusive).

    ``only_quantity``: rows of the generic kind name their quantity themselves.
    """

    kind: str
    asset_id: str
    column: str
    start: datetime
    end: datetime
    only_quantity: str | None = None


@dataclass(slots=True)
class Partial:
    """What a bucket's readings add up to, so that parts from files and from the store can be put together."""

    total: float = 0.0
    count: int = 0
    low: float = float("inf")
    high: float = float("-inf")

    def add(self, total: float, count: int, low: float, high: float) -> None:
        """Put another part in."""
        self.total += total
        self.count += count
        self.low = min(self.low, low)
        self.high = max(self.high, high)


@dataclass(slots=True)
class Unreadable:
    """The files that could not be read, with the reason."""

    faults: list[str] = field(default_factory=list)


class ArchiveReader:
    """Answers from the files of the archive.

    Args:
        folder: where they lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def points(
        self, files: Sequence[ArchivedFile], wanted: Wanted, *, limit: int, unreadable: Unreadable
    ) -> list[Point]:
        """Give the oldest readings, at most ``limit`` and those of the same file, in their order.

        Raises:
            StoreUnavailableError: the files could not be read in time.
        """
        found: list[Point] = []
        for number, file in enumerate(files):
            found += await self._read(file, wanted, _list_points, unreadable) or []
            later = files[number + 1 :]
            if len(found) >= limit and all(other.first_at > file.last_at for other in later):
                break
        return sorted(found)

    async def partials(
        self, files: Sequence[ArchivedFile], wanted: Wanted, bucket: Bucket, *, unreadable: Unreadable
    ) -> dict[datetime, Partial]:
        """Give what the readings of each bucket add up to; readings of quality ``BAD`` are left out.

        Raises:
            StoreUnavailableError: the files could not be read in time.
        """
        found: dict[datetime, Partial] = {}
        for file in files:
            for at, total, count, low, high in (
                await self._read(file, wanted, lambda groups: _sum_up(groups, bucket), unreadable) or []
            ):
                found.setdefault(at, Partial()).add(total, count, low, high)
        return found

    async def _read(
        self,
        file: ArchivedFile,
        wanted: Wanted,
        make: Callable[[Iterator[pa.Table]], list[Made]],
        unreadable: Unreadable,
    ) -> list[Made] | None:
        try:
            async with cancellation.timeout(_DEADLINE_S):
                return await asyncio.to_thread(lambda: make(_read_groups(self._folder / file.name, file, wanted)))
        except TimeoutError as error:
            raise StoreUnavailableError(f"{file.name} was not read within {_DEADLINE_S:g} s") from error
        except UnreadableFileError as error:
            _log.error("archive.unreadable", file=file.name, reason=error.reason)
            unreadable.faults.append(f"{file.name}: {error.reason}")
            return None


def _read_groups(path: Path, file: ArchivedFile, wanted: Wanted) -> Iterator[pa.Table]:
    """Give the rows that are asked for, a row group at a time."""
    with opened(path) as parquet:
        find_kind(path, parquet)
        if parquet.metadata.num_rows != file.rows_count:
            raise UnreadableFileError(str(path), f"{parquet.metadata.num_rows} rows, the index says {file.rows_count}")
        names = parquet.schema_arrow.names
        if wanted.column not in names:
            return  # older than the field
        only = [] if wanted.only_quantity is None else ["quantity"]
        place = names.index("observed_at")
        for group in range(parquet.num_row_groups):
            statistics = parquet.metadata.row_group(group).column(place).statistics
            low, high = statistics.min.replace(tzinfo=UTC), statistics.max.replace(tzinfo=UTC)
            if high < wanted.start or low >= wanted.end:
                continue
            columns = ["asset_id", "observed_at", "event_id", "quality", wanted.column, *only]
            table = parquet.read_row_group(group, columns=columns)
            yield table.filter(_to_mask(table, wanted))


def _to_mask(table: pa.Table, wanted: Wanted) -> pa.ChunkedArray:
    at = table.column("observed_at")
    start, end = (pa.scalar(instant, at.type) for instant in (wanted.start, wanted.end))
    mask = pc.and_(pc.equal(table.column("asset_id"), wanted.asset_id), pc.is_valid(table.column(wanted.column)))
    mask = pc.and_(mask, pc.and_(pc.greater_equal(at, start), pc.less(at, end)))
    if wanted.only_quantity is not None:
        mask = pc.and_(mask, pc.equal(table.column("quantity"), wanted.only_quantity))
    return mask


def _list_points(groups: Iterator[pa.Table]) -> list[Point]:
    points: list[Point] = []
    for table in groups:
        at, ids, values = table.column("observed_at"), table.column("event_id"), table.column(4)
        instants = [instant.replace(tzinfo=UTC) for instant in at.to_pylist()]
        points += zip(instants, ids.to_pylist(), map(float, values.to_pylist()), strict=True)
    return points


_Sum = tuple[datetime, float, int, float, float]


def _sum_up(groups: Iterator[pa.Table], bucket: Bucket) -> list[_Sum]:
    width = bucket.width // _MICROSECOND
    origin = (bucket.origin - _EPOCH) // _MICROSECOND
    sums: list[_Sum] = []
    for table in groups:
        sound = table.filter(pc.less(table.column("quality"), _BAD))
        if sound.num_rows == 0:
            continue
        at: NDArray[np.int64] = pc.cast(sound.column("observed_at"), pa.int64()).to_numpy()
        values: NDArray[np.float64] = pc.cast(sound.column(4), pa.float64()).to_numpy()
        floors = (at - origin) // width * width + origin
        order = np.argsort(floors, kind="stable")
        floors, values = floors[order], values[order]
        buckets, firsts, counts = np.unique(floors, return_index=True, return_counts=True)
        parts = [fold.reduceat(values, firsts) for fold in (np.add, np.minimum, np.maximum)]
        for place, start in enumerate(buckets):
            total, low, high = (float(part[place]) for part in parts)
            sums.append((_EPOCH + int(start) * _MICROSECOND, total, int(counts[place]), low, high))
    return sums
