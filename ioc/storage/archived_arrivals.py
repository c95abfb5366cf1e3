"""The archive in the order of arrival: row groups of its files, each read once and given out slice by slice."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ioc.arrow import pa, pc
from ioc.errors import UnreadableFileError
from ioc.logs import logger
from ioc.recordings.columns import ENVELOPE_NAMES, find_kind, opened, to_events, unfit_errors
from ioc.storage.stored_columns import Arrivals, to_us

_log = logger("archive")
_RECEIVED_AT = ENVELOPE_NAMES.index("received_at")
_EPOCH_US = 946_684_800_000_000
"""2000-01-01, from which the store counts, in microseconds since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One row group: rows in the order of arrival, from ``first_at`` to ``last_at`` (both inclusive)."""

    name: str
    number: int
    first_at: datetime
    last_at: datetime
    rows_count: int


@dataclass(slots=True)
class ArchivedArrivals:
    """Answers slices from files. What a slice leaves of a row group waits for the next one.

    Args:
        folder: where the archive lies.
        asset_ids: of these alone; None: of all.
    """

    folder: Path
    asset_ids: Collection[str] | None
    unreadable: dict[str, str] = field(default_factory=dict)
    _groups: list[Group] = field(default_factory=list)
    _open: dict[tuple[str, int], Arrivals] = field(default_factory=dict)
    _known: set[str] = field(default_factory=set)

    def survey(self, names: Sequence[str], start: datetime, end: datetime) -> list[Group]:
        """Add files, and find the row groups that hold what came in a span, from the files' footers."""
        for name in names:
            if name not in self._known:
                self._known.add(name)
                self._groups += self._list_groups(name)
        return [group for group in self._groups if group.first_at < end and group.last_at >= start]

    def read(self, start: datetime, end: datetime) -> list[Arrivals]:
        """Give what came in a slice. Slices must be asked for in their order."""
        found = []
        for group in self._groups:
            if group.first_at >= end or group.last_at < start:
                continue
            key = group.name, group.number
            if key not in self._open:
                self._open[key] = self._read_group(group)
            held = self._open[key]
            first, last = np.searchsorted(held.received_us, [to_us(start), to_us(end)]).tolist()
            found.append(
                Arrivals(held.events[first:last], held.received_us[first:last], held.ids[first * 16 : last * 16])
            )
        return found

    def forget(self, before: datetime) -> None:
        """Let go of row groups that hold nothing of an instant or after."""
        ended = {(group.name, group.number) for group in self._groups if group.last_at < before}
        self._groups = [group for group in self._groups if group.last_at >= before]
        for key in ended:
            self._open.pop(key, None)

    def _list_groups(self, name: str) -> list[Group]:
        try:
            return _list_groups(self.folder, name)
        except UnreadableFileError as error:
            self._note(name, error)
            return []

    def _read_group(self, group: Group) -> Arrivals:
        if group.name in self.unreadable:
            return Arrivals([], np.empty(0, np.int64), b"")
        try:
            return _read_group(self.folder / group.name, group.number, self.asset_ids)
        except UnreadableFileError as error:
            self._note(group.name, error)
            return Arrivals([], np.empty(0, np.int64), b"")

    def _note(self, name: str, error: UnreadableFileError) -> None:
        _log.error("archive.unreadable", file=name, reason=error.reason)
        self.unreadable[name] = error.reason


def _list_groups(folder: Path, name: str) -> list[Group]:
    path, groups = folder / name, []
    with opened(path) as file:
        find_kind(path, file)
        for number in range(file.num_row_groups):
            described = file.metadata.row_group(number)
            statistics = described.column(_RECEIVED_AT).statistics
            if statistics is None or not statistics.has_min_max:
                raise UnreadableFileError(str(path), "its columns have no statistics")
            first_at, last_at = statistics.min.replace(tzinfo=UTC), statistics.max.replace(tzinfo=UTC)
            groups.append(
                Group(name=name, number=number, first_at=first_at, last_at=last_at, rows_count=described.num_rows)
            )
    return groups


def _read_group(path: Path, number: int, asset_ids: Collection[str] | None) -> Arrivals:
    with opened(path) as file:
        kind = find_kind(path, file)
        table = file.read_row_group(number)
    if asset_ids is not None:
        table = table.filter(pc.is_in(table.column("asset_id"), pa.array(sorted(asset_ids), pa.string())))
    table = table.sort_by("received_at")
    received: NDArray[np.int64] = pc.cast(table.column("received_at"), pa.int64()).to_numpy() - _EPOCH_US
    try:
        events = to_events(kind, table)
    except unfit_errors() as error:
        raise UnreadableFileError(str(path), str(error)) from error
    return Arrivals(events, received, b"".join([event.event_id for event in events]))
