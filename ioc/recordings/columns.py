"""Recordings and archive as columns: one Parquet file holds one kind, compressed with zstd, units in the metadata.

Row groups are the runs of a merge: rows of a group stand in the order of their arrival, groups nearly so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import numpy as np
from numpy.typing import NDArray

from ioc.arrow import pa, pq
from ioc.domain.events import Event
from ioc.domain.kinds import KINDS, Field, Kind
from ioc.domain.rows import make_events, to_instants
from ioc.errors import UnreadableFileError
from ioc.recordings.lines import MINUTE, Passed, thin
from ioc.recordings.whole import WholeFile

SUFFIX = ".parquet"
FORMAT = "1"
GROUP_ROWS = 20_000
"""Rows of a group: what a replay holds of a file at a time."""

ENVELOPE_NAMES = (
    "asset_id", "observed_at", "received_at", "event_id", "quality", "feed_id", "unit_code", "lon_deg", "lat_deg",
)  # fmt: skip
_RECEIVED_AT = ENVELOPE_NAMES.index("received_at")


def to_schema(kind: Kind, metadata: Mapping[str, str] | None = None) -> pa.Schema:
    """Give the columns of a kind: the envelope as the store has it, then the kind's fields with their units."""
    columns = [*_envelope(), *(_to_column(field) for field in kind.fields)]
    return pa.schema(columns, metadata={"ioc.kind": kind.name, "ioc.format": FORMAT, **(metadata or {})})


def _envelope() -> list[pa.Field]:
    degrees = {"unit": "°", "crs": "EPSG:4326"}
    described = (
        (pa.string(), False, None), (_instant(), False, None), (_instant(), False, None), (pa.binary(16), False, None),
        (pa.int8(), False, None), (pa.string(), False, None), (pa.string(), True, None),
        (pa.float64(), True, degrees), (pa.float64(), True, degrees),
    )  # fmt: skip
    return [
        pa.field(name, type_, nullable=nullable, metadata=metadata)
        for name, (type_, nullable, metadata) in zip(ENVELOPE_NAMES, described, strict=True)
    ]


def _instant() -> pa.DataType:
    return pa.timestamp("us", tz="UTC")


def to_row(event: Event) -> tuple[Any, ...]:
    """Give an event's columns in order."""
    data = event.data
    return (
        event.asset_id, event.observed_at, event.received_at, event.event_id, int(event.quality), event.feed_id,
        event.unit_code, event.lon_deg, event.lat_deg, *(getattr(data, name) for name in data.__struct_fields__),
    )  # fmt: skip


class ColumnWriter:
    """Writes one Parquet file of one kind. It bears its name when ``commit`` returns, and not before.

    Args:
        path: where it will stand.
        kind: of all its rows.
        metadata: notes for the file's footer.
    """

    def __init__(self, path: Path, kind: Kind, metadata: Mapping[str, str] | None = None) -> None:
        self._file = WholeFile(path)
        self._schema = to_schema(kind, metadata)
        self._writer = pq.ParquetWriter(
            self._file.stream, self._schema, compression="zstd", write_page_checksum=True, store_schema=True
        )
        self._rows: list[tuple[Any, ...]] = []
        self.rows_count = 0

    @property
    def bytes_count(self) -> int:
        """Bytes so far, but for the rows that still wait for their group."""
        return self._file.stream.tell()

    def write(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Add rows, columns in the order of the schema; ``event_id`` as bytes or UUID."""
        self._rows.extend(rows)
        while len(self._rows) >= GROUP_ROWS:
            self._flush(GROUP_ROWS)

    def finish(self) -> None:
        """Bring everything to the disk without giving the file its name yet, and count its rows by reading it.

        Raises:
            UnreadableFileError: what lies there is not what was written.
        """
        if self._rows:
            self._flush(len(self._rows))
        self._writer.close()
        self._file.seal()
        with opened(self._file.partial_path) as file:
            found = sum(batch.num_rows for batch in file.iter_batches(columns=["event_id"]))
        if found != self.rows_count:
            raise UnreadableFileError(str(self._file.path), f"{found} rows were found where {self.rows_count} belong")

    def commit(self) -> None:
        """Finish, and give the file its name."""
        if not self._file.stream.closed:
            self.finish()
        self._file.commit()

    def discard(self) -> None:
        """Give it up."""
        # A full disk is why, more often than not; then the footer cannot be written either.
        with suppress(OSError):
            self._writer.close()
        self._file.discard()

    def _flush(self, count: int) -> None:
        rows, self._rows = self._rows[:count], self._rows[count:]
        rows.sort(key=lambda row: row[_RECEIVED_AT])
        table = pa.Table.from_arrays(
            [
                pa.array(_to_bytes(values) if field.name == "event_id" else values, type=field.type)
                for field, values in zip(self._schema, zip(*rows, strict=True), strict=True)
            ],
            schema=self._schema,
        )
        self._writer.write_table(table, row_group_size=GROUP_ROWS)
        self.rows_count += count


def unfit_errors() -> tuple[type[Exception], ...]:
    """Name what columns raise that hold other things than they should."""
    return ValueError, TypeError, OverflowError, KeyError, pa.ArrowException


@contextmanager
def opened(path: Path) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file, checking its pages; everything that is wrong with it becomes one error.

    Raises:
        UnreadableFileError: it is missing, cut short, altered or no Parquet.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            yield file
    except (OSError, pa.ArrowException) as error:
        raise UnreadableFileError(str(path), str(error).splitlines()[0] if str(error) else "cannot be read") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One row group: rows in the order of their arrival, the first of them at ``begins_at``."""

    path: Path
    kind: str
    group: int
    begins_at: datetime
    rows_count: int
    bytes_count: int


def list_runs(path: Path) -> list[Run]:
    """Give the runs of a file from its footer, without reading rows.

    Raises:
        UnreadableFileError: it cannot be read, or is not one of ours.
    """
    runs = []
    with opened(path) as file:
        kind = find_kind(path, file)
        for group in range(file.num_row_groups):
            described = file.metadata.row_group(group)
            if not described.num_rows:
                continue
            columns = [described.column(index) for index in range(described.num_columns)]
            arrivals = next(column for column in columns if column.path_in_schema == "received_at")
            size = sum(column.total_compressed_size for column in columns)
            runs.append(
                Run(
                    path=path, kind=kind.name, group=group, begins_at=_find_first(path, arrivals.statistics),
                    rows_count=described.num_rows, bytes_count=size,
                )
            )  # fmt: skip
    return runs


def _find_first(path: Path, arrivals: Any) -> datetime:
    if arrivals is None or not arrivals.has_min_max:
        raise UnreadableFileError(str(path), "its columns have no statistics")
    first = None
    with suppress(ValueError):  # of nanoseconds Python has no instant
        first = arrivals.min
    if not isinstance(first, datetime):
        raise UnreadableFileError(str(path), "received_at holds no instants in microseconds")
    return first.replace(tzinfo=UTC)


def read_run(run: Run) -> list[Event]:
    """Give the events of a run.

    Raises:
        UnreadableFileError: it cannot be read, or holds what is no event of its kind.
    """
    with opened(run.path) as file:
        kind = find_kind(run.path, file)
        table = file.read_row_group(run.group)
    try:
        return to_events(kind, table)
    except unfit_errors() as error:
        raise UnreadableFileError(str(run.path), str(error)) from error


def read_arrivals(run: Run) -> list[Passed]:
    """Give when the events of a run came, as far as that matters, and nothing else.

    Raises:
        UnreadableFileError: it cannot be read.
    """
    with opened(run.path) as file:
        table = file.read_row_group(run.group, columns=["received_at"])
    try:
        if table.column("received_at").null_count:
            raise ValueError("received_at is empty in some rows")
        arrivals_us = np.maximum.accumulate(_to_us(table.column("received_at")))
        thinned = list(thin(arrivals_us, MINUTE // timedelta(microseconds=1)))
        instants = to_instants(arrivals_us[[place for place, _ in thinned]])
    except unfit_errors() as error:
        raise UnreadableFileError(str(run.path), str(error)) from error
    return [Passed(at, count) for at, (_, count) in zip(instants, thinned, strict=True)]


def find_kind(path: Path, file: pq.ParquetFile) -> Kind:
    """Say which kind's events a file holds.

    Raises:
        UnreadableFileError: it is not one of ours, or of a kind that we do not know.
    """
    notes = file.schema_arrow.metadata or {}
    name = notes.get(b"ioc.kind", b"").decode("utf-8", "replace")
    if (kind := KINDS.get(name)) is None:
        raise UnreadableFileError(str(path), f"holds no kind that is known ({name or 'nothing noted'})")
    if missing := [column for column in ENVELOPE_NAMES if column not in file.schema_arrow.names]:
        raise UnreadableFileError(str(path), f"lacks the columns {', '.join(missing)}")
    return kind


def to_events(kind: Kind, table: pa.Table) -> list[Event]:
    """Make events of a table's rows. Columns are looked at, not values: Arrow has one type for all of a column.

    Raises:
        ValueError: a column holds what its field cannot be.
    """
    columns = {}
    for field in to_schema(kind):
        if field.name in table.column_names:
            column = table.column(field.name).cast(field.type)
            if column.null_count and not field.nullable and not _has_default(kind, field.name):
                raise ValueError(f"{field.name} is empty in {column.null_count} rows")
            columns[field.name] = _to_values(column)
        elif not _has_default(kind, field.name):
            raise ValueError(f"{kind.name} lacks {field.name}")
    return make_events(kind, columns)


def _has_default(kind: Kind, name: str) -> bool:
    return any(
        field.name == name and field.default is not msgspec.NODEFAULT for field in msgspec.structs.fields(kind.payload)
    )


def _to_values(column: pa.ChunkedArray) -> Sequence[Any]:
    """Give a column's values for Python: numbers and instants by way of numpy, text that recurs made once."""
    if pa.types.is_string(column.type):
        coded = column.combine_chunks().dictionary_encode()
        words = np.array([*coded.dictionary.to_pylist(), None], object)
        return words[coded.indices.fill_null(-1).to_numpy()].tolist()  # type: ignore[no-any-return]
    if column.null_count == 0:
        if pa.types.is_timestamp(column.type):
            return to_instants(_to_us(column))
        if pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
            return column.to_numpy().tolist()  # type: ignore[no-any-return]
    values = column.to_pylist()
    if pa.types.is_timestamp(column.type):
        return [None if value is None else value.replace(tzinfo=UTC) for value in values]
    return values  # type: ignore[no-any-return]


def _to_us(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Give instants as microseconds since 1970."""
    return column.cast(_instant()).cast(pa.int64()).to_numpy()  # type: ignore[no-any-return]


def _to_column(field: Field) -> pa.Field:
    notes = {}
    if (quantity := field.quantity) is not None:
        notes = {"unit": quantity.unit, "vi": quantity.vi, "en": quantity.en}
    types = {
        float: pa.float64(), int: pa.int64(), str: pa.string(), bool: pa.bool_(), datetime: _instant(),
        date: pa.date32(),
    }  # fmt: skip
    return pa.field(field.name, types[field.type], nullable=field.optional, metadata=notes or None)


def _to_bytes(values: Iterable[Any]) -> list[bytes]:
    return [value.bytes if isinstance(value, UUID) else value for value in values]
