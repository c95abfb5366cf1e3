"""Slices of arrival: how a long span is cut so that each piece fits into memory and meets few partitions.

Tables lie by the source's time, and a replay wants the order of arrival. Readings that were buffered come hours after
they were made, so no span of one time is a span of the other. Therefore the store first counts what came, by span of
arrival, with the oldest and newest source's time among it. Spans are put together to slices of bounded size, and a
slice asks a table only if something of it came then, and only for the source's times that came: partitions and column
store batches outside are never opened, and a late reading widens the one slice that it came in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

SPANS = 500
NARROWEST = timedelta(seconds=1)
"""What came within this is read in one piece, however much it is."""


@dataclass(frozen=True, slots=True)
class Count:
    """What came of one kind in one span: how many rows, and the source's times between which they lie."""

    rows_count: int
    oldest_at: datetime
    newest_at: datetime

    def join(self, other: Count | None) -> Count:
        """Put another count of the same kind to this one."""
        if other is None:
            return self
        return Count(
            self.rows_count + other.rows_count,
            min(self.oldest_at, other.oldest_at),
            max(self.newest_at, other.newest_at),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivalSlice:
    """What came from ``start`` (inclusive) to ``end`` (exclusive), by kind; kinds of which nothing came are not there.

    ``rows_count`` includes rows of the archive, which are estimates.
    """

    start: datetime
    end: datetime
    counts: Mapping[str, Count]
    rows_count: int


@dataclass(slots=True)
class Plan:
    """Counts of one span of arrival, cut into equal parts.

    Args:
        start: inclusive.
        end: exclusive.
        slice_rows: how many rows a slice should have at most.
    """

    start: datetime
    end: datetime
    slice_rows: int
    width: timedelta = field(init=False)
    rows_count: int = 0
    _counts: dict[int, dict[str, Count]] = field(default_factory=dict)
    _archived: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Whole microseconds: what the database divides by is exactly what is multiplied here.
        self.width = max(NARROWEST, (self.end - self.start) // SPANS + timedelta(microseconds=1))

    def add(self, kind: str, rows: Iterable[tuple[int, int, datetime, datetime]]) -> None:
        """Note what the store counted of a kind: (span, rows, oldest, newest)."""
        for span, rows_count, oldest_at, newest_at in rows:
            self._counts.setdefault(span, {})[kind] = Count(rows_count, oldest_at, newest_at)
            self.rows_count += rows_count

    def add_archived(self, first_at: datetime, last_at: datetime, rows_count: int) -> None:
        """Note rows of a file that came between two instants, as if evenly."""
        first = max(0, (first_at - self.start) // self.width)
        last = min((self.end - self.start) // self.width, (last_at - self.start) // self.width)
        all_of_it = (last_at - self.start) // self.width - (first_at - self.start) // self.width + 1
        share = -(-rows_count // all_of_it)
        for span in range(first, last + 1):
            self._archived[span] = self._archived.get(span, 0) + share
            self.rows_count += share

    def slices(self) -> Iterator[ArrivalSlice]:
        """Put neighbouring spans together to slices of at most ``slice_rows`` rows, where one span is not more."""
        start, end, counts, rows_count = self.start, self.start, dict[str, Count](), 0
        for span in sorted({*self._counts, *self._archived}):
            found = self._counts.get(span, {})
            more = sum(count.rows_count for count in found.values()) + self._archived.get(span, 0)
            begins_at = self.start + span * self.width
            if rows_count and rows_count + more > self.slice_rows:
                yield ArrivalSlice(start=start, end=end, counts=counts, rows_count=rows_count)
                counts, rows_count = {}, 0
            if not rows_count:
                start = begins_at
            for kind, count in found.items():
                counts[kind] = count.join(counts.get(kind))
            rows_count += more
            end = min(begins_at + self.width, self.end)
        if rows_count:
            yield ArrivalSlice(start=start, end=end, counts=counts, rows_count=rows_count)

    def is_too_large(self, piece: ArrivalSlice) -> bool:
        """Say whether a slice has to be counted more finely before it is read."""
        return piece.rows_count > 2 * self.slice_rows and piece.end - piece.start > NARROWEST
