"""What the file lets go: first what is old and read, and the oldest of all when the file grows too big."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ioc.messaging.embedded.file import LogFile, statement
from ioc.ports import Topic

BLOCKS_AT_A_TIME = 256
"""Blocks that one transaction drops: writers wait for it."""
FREE_PAGES_AT_A_TIME = 2_000


@dataclass(slots=True)
class Trimmed:
    """What one look at the file let go. ``unread_count`` says, by group, how many items it never got to read."""

    item_count: int = 0
    bytes_count: int = 0
    unread_count: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How much of the past the file keeps.

    ``age_by_topic`` counts from when an item was appended; what a group that ever registered has not read stays longer.
    ``size_bytes`` bounds the payloads of all topics together and spares nobody.
    """

    age_by_topic: Mapping[Topic, timedelta]
    size_bytes: int


@dataclass(frozen=True, slots=True)
class _Block:
    block_id: int
    part_id: int
    first_offset: int
    next_offset: int
    appended_at_ms: int
    size_bytes: int


def trim(file: LogFile, retention: Retention, *, now: datetime) -> Trimmed:
    """Let go of what retention does not keep, a few blocks to a transaction until nothing is left to do.

    Raises:
        LogUnavailableError: the file cannot be written.
    """
    trimmed = Trimmed()
    while True:
        with file.transaction() as connection:
            dropped_count = _trim_some(connection, file, retention, now, trimmed)
        if dropped_count < BLOCKS_AT_A_TIME:
            break
    if trimmed.item_count:
        with file.connected() as connection:
            # Gives the disk back bit by bit; pages that stay free are written again first.
            connection.execute(f"PRAGMA incremental_vacuum({FREE_PAGES_AT_A_TIME})").fetchall()
    return trimmed


def _trim_some(
    connection: sqlite3.Connection, file: LogFile, retention: Retention, now: datetime, trimmed: Trimmed
) -> int:
    groups: dict[int, dict[str, int]] = {}
    for reader, part_id, position in connection.execute(statement("positions")):
        groups.setdefault(part_id, {})[reader] = position
    total_bytes: int = connection.execute(statement("total_bytes")).fetchone()[0]
    excess_bytes = total_bytes - retention.size_bytes
    dropped_count = 0
    for block in _oldest(connection, file, retention, now, groups, excess_bytes):
        connection.execute(statement("drop_block"), (block.block_id,))
        connection.execute(statement("shrink_part"), (block.size_bytes, block.part_id))
        trimmed.item_count += block.next_offset - block.first_offset
        trimmed.bytes_count += block.size_bytes
        for reader, position in groups.get(block.part_id, {}).items():
            if position < block.next_offset:
                unread = block.next_offset - max(position, block.first_offset)
                trimmed.unread_count[reader] = trimmed.unread_count.get(reader, 0) + unread
        dropped_count += 1
    return dropped_count


def _oldest(
    connection: sqlite3.Connection,
    file: LogFile,
    retention: Retention,
    now: datetime,
    groups: Mapping[int, Mapping[str, int]],
    excess_bytes: int,
) -> Iterator[_Block]:
    """Choose what goes: what is old and read; while the file is too big, the oldest, read before unread."""
    cutoff_ms = {
        part_id: int((now - retention.age_by_topic[partition.topic]).timestamp() * 1000)
        for partition, part_id in file.part_ids.items()
    }
    chosen: dict[int, _Block] = {}
    for spares_unread in (True, False) if excess_bytes > 0 else (True,):
        # Offsets go from a partition's front only: the first block that stays keeps those behind it.
        stopped: set[int] = set()
        for row in connection.execute(statement("oldest_blocks")):
            block = _Block(*row)
            if block.block_id in chosen or block.part_id in stopped or block.part_id not in cutoff_ms:
                continue
            is_read = all(position >= block.next_offset for position in groups.get(block.part_id, {}).values())
            is_old = block.appended_at_ms < cutoff_ms[block.part_id]
            if not ((is_read and is_old) or (excess_bytes > 0 and (is_read or not spares_unread))):
                stopped.add(block.part_id)
                if len(stopped) == len(cutoff_ms):
                    break
                continue
            chosen[block.block_id] = block
            excess_bytes -= block.size_bytes
            if len(chosen) == BLOCKS_AT_A_TIME:
                yield from chosen.values()
                return
    yield from chosen.values()
