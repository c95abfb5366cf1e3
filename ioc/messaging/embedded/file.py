"""The log's file: SQLite used by one thread at a time, a row per appended block."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib import resources
from pathlib import Path

from ioc.errors import ConfigurationError, LogUnavailableError
from ioc.messaging.codec import Decoded, decode_block
from ioc.messaging.topics import partitions_of, topic_name
from ioc.ports import Slice, Topic, TopicPartition

PAGE_BYTES = 16_384
CHECKPOINT_PAGES = 1_000
FETCH_BYTES = 32 * 1024 * 1024
"""A read stops growing here, so that a batch of huge records cannot fill the memory."""

_STATEMENTS: dict[str, str] = {
    name: text.strip()
    for name, text in re.findall(
        r"^-- name: (\w+)\n(.*?)(?=^-- name: |\Z)",
        resources.files("ioc.messaging.embedded").joinpath("log.sql").read_text("utf-8"),
        re.MULTILINE | re.DOTALL,
    )
}


def statement(name: str) -> str:
    """Give a statement of ``log.sql`` by its name."""
    return _STATEMENTS[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Encoded items that go to one partition in one piece."""

    partition: TopicPartition
    count: int
    payload: bytes | bytearray


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """One consistent look at the file: what lay behind the positions, and where the partitions end."""

    slices: Sequence[Slice]
    ends: Mapping[TopicPartition, int]


Positions = Mapping[tuple[str, TopicPartition], int]
"""Where readers stand, by (group, partition)."""


class LogFile:
    """One connection to the file. Not for two threads at once.

    Args:
        path: the file; its folder is made when missing.
        prefix: put before topic names, so that several logs can share a file.
        partitions: of the topics that are spread.
        patience: how long to wait for another process that is writing.
    """

    def __init__(self, path: Path, *, prefix: str, partitions: int, patience: timedelta) -> None:
        self._path, self._prefix, self._partitions, self._patience = path, prefix, partitions, patience
        self._connection: sqlite3.Connection | None = None
        self.part_ids: dict[TopicPartition, int] = {}

    def open(self) -> None:
        """Open the file, and make it when it is not there."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self._path, timeout=self._patience.total_seconds(), isolation_level=None)
        except (sqlite3.Error, OSError) as error:
            raise LogUnavailableError(_advice(self._path, error)) from error
        with self.connected() as connection:
            connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
            with self.transaction():
                for statement in _STATEMENTS["schema"].split(";\n"):
                    connection.execute(statement)
                self._make_parts(connection)
            known = {
                (topic, number): part_id for part_id, topic, number, _, _ in connection.execute(_STATEMENTS["parts"])
            }
        for topic in Topic:
            for partition in partitions_of(topic, self._partitions):
                self.part_ids[partition] = known[topic_name(self._prefix, topic), partition.partition]

    def close(self) -> None:
        """Close the file. Closing twice is harmless."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def append(self, blocks: Sequence[Block], positions: Positions, *, at_ms: int) -> None:
        """Write blocks and readers' positions in one transaction: all of it is on disk afterwards, or nothing.

        Raises:
            LogUnavailableError: the disk is full, or another process keeps the file locked.
        """
        with self.transaction() as connection:
            ends = {part_id: (end, size) for part_id, _, _, end, size in connection.execute(_STATEMENTS["parts"])}
            touched = set()
            for block in blocks:
                part_id = self.part_ids[block.partition]
                first, size = ends[part_id]
                next_offset, bytes_count = first + block.count, len(block.payload)
                connection.execute(
                    _STATEMENTS["add_block"], (part_id, first, next_offset, at_ms, bytes_count, block.payload)
                )
                ends[part_id] = next_offset, size + bytes_count
                touched.add(part_id)
            connection.executemany(_STATEMENTS["move_end"], [(*ends[part_id], part_id) for part_id in touched])
            connection.executemany(
                _STATEMENTS["move_position"],
                [(reader, self.part_ids[partition], offset) for (reader, partition), offset in positions.items()],
            )

    def register(self, group: str, positions: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """Say that a group reads on from the positions; retention minds it from now on.

        A position past the end was made with a file that is no more. What lies on this one is then moved behind the
        position, so that the group reads all of it. Gives those partitions with the position that each was moved to.
        """
        moved = {}
        with self.transaction() as connection:
            ends = self.ends()
            for partition, position in positions.items():
                part_id = self.part_ids[partition]
                if position > ends[partition]:
                    self._shift(connection, part_id, position, ends[partition])
                    moved[partition] = position
                connection.execute(_STATEMENTS["move_position"], (group, part_id, position))
        return moved

    def _shift(self, connection: sqlite3.Connection, part_id: int, position: int, end: int) -> None:
        oldest = connection.execute(_STATEMENTS["oldest_offset"], (part_id,)).fetchone()[0]
        distance = position - (end if oldest is None else oldest)
        # By way of negative numbers: a block may not land on a neighbour that has not moved yet.
        connection.execute(_STATEMENTS["shift_away"], (distance, distance, part_id))
        connection.execute(_STATEMENTS["shift_back"], (part_id,))
        connection.execute(_STATEMENTS["shift_end"], (distance, part_id))
        connection.execute(_STATEMENTS["shift_positions"], (distance, part_id))

    def ends(self) -> dict[TopicPartition, int]:
        """Give the next offset of every partition."""
        with self.connected() as connection:
            by_id = {part_id: end for part_id, _, _, end, _ in connection.execute(_STATEMENTS["parts"])}
        return {partition: by_id[part_id] for partition, part_id in self.part_ids.items()}

    def fetch(self, positions: Mapping[TopicPartition, int], max_items: int) -> Fetched:
        """Read on from the positions, at most ``max_items`` in all, shared among the partitions that have them."""
        slices = []
        with self.transaction("DEFERRED"):
            ends = self.ends()
            waiting = sorted(
                (ends[partition] - position, partition)
                for partition, position in positions.items()
                if ends[partition] > position
            )
            room, room_bytes = max_items, FETCH_BYTES
            for index, (_, partition) in enumerate(waiting):
                if room <= 0 or room_bytes <= 0:
                    break
                share = max(1, room // (len(waiting) - index))
                part, bytes_count = self._slice(partition, positions[partition], ends[partition], share, room_bytes)
                slices.append(part)
                room -= len(part.items) + len(part.undecodable)
                room_bytes -= bytes_count
        return Fetched(slices=slices, ends=ends)

    def _slice(
        self, partition: TopicPartition, position: int, end: int, share: int, room_bytes: int
    ) -> tuple[Slice, int]:
        """Read one partition. A gap that retention left in front is part of the slice: positions stay a chain."""
        at, found, bytes_count = position, Decoded(), 0
        rows = self._connected().execute(_STATEMENTS["blocks_after"], (self.part_ids[partition], at, share))
        for first, next_offset, payload in rows:
            room = share - len(found)
            # Whole blocks where possible: half a block would be decoded again for its other half.
            if len(found) and (next_offset - first > room or bytes_count + len(payload) > room_bytes):
                break
            skip = max(0, at - first)
            taken = decode_block(partition.topic, payload, first_offset=first, skip=skip, take=room)
            found.items.extend(taken.items)
            found.undecodable.extend(taken.undecodable)
            at = min(next_offset, first + skip + room)
            bytes_count += len(payload)
        rows.close()
        read = Slice(
            partition=partition,
            first_offset=position,
            next_offset=at if bytes_count else end,
            end_offset=end,
            items=found.items,
            undecodable=found.undecodable,
        )
        return read, bytes_count

    @contextmanager
    def transaction(self, kind: str = "IMMEDIATE") -> Iterator[sqlite3.Connection]:
        """Hold a transaction for the block: committed at its end, rolled back by an error."""
        with self.connected() as connection:
            connection.execute(f"BEGIN {kind}")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def connected(self) -> Iterator[sqlite3.Connection]:
        """Give the connection; what goes wrong with it is raised in the log's own words."""
        try:
            yield self._connected()
        except (sqlite3.Error, OSError) as error:
            raise LogUnavailableError(_advice(self._path, error)) from error

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            raise LogUnavailableError(f"{self._path} is closed")
        return self._connection

    def _make_parts(self, connection: sqlite3.Connection) -> None:
        faults = []
        for topic in Topic:
            name, wanted = topic_name(self._prefix, topic), partitions_of(topic, self._partitions)
            there = connection.execute(_STATEMENTS["partitions_there"], (name,)).fetchone()[0]
            if there not in (0, len(wanted)):
                faults.append(
                    f"log.partitions: {self._path} has {there} partitions of {name}, the settings say {len(wanted)}"
                )
                continue
            connection.executemany(_STATEMENTS["add_part"], [(name, partition.partition) for partition in wanted])
        if faults:
            raise ConfigurationError(faults)


def _advice(path: Path, error: Exception) -> str:
    said = str(error)
    if "locked" in said or "busy" in said:
        return f"{path} is locked by another process; see who holds it (fuser {path})"
    if "full" in said or "No space" in said:
        return f"no space for {path}; free some, or lower log.retention_bytes"
    return f"{path}: {said}"
