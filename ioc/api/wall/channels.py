"""Channels: what walls follow. State channels keep the last row per key; log channels keep order and lose nothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from ioc.api.wall import protocol

Row = list[Any]

RING_TICKS = 120
"""Ticks that a wall may have missed and still get a merged delta instead of everything."""
RING_EVENTS = 5_000
MOST_KEYS = 20_000


class StateChannel:
    """Rows by key. What changed since the last tick is encoded once, whoever listens.

    A row that comes again unchanged is no change. ``seq`` counts ticks that changed something.
    """

    def __init__(self, name: str, fields: Sequence[str], *, epoch: int) -> None:
        self.name, self.fields, self.epoch = name, tuple(fields), epoch
        self.rows: dict[str, Row] = {}
        self.seq = 0
        self._dirty: set[str] = set()
        self._changed_in: dict[str, int] = {}
        self._gone_in: dict[str, int] = {}

    def put(self, key: str, row: Row) -> None:
        """Set a row. Beyond the most keys that a channel may have, new ones are not taken."""
        known = self.rows.get(key)
        if known == row or (known is None and len(self.rows) >= MOST_KEYS):
            return
        self.rows[key] = row
        self._dirty.add(key)

    def drop(self, key: str) -> None:
        """Remove a row."""
        if self.rows.pop(key, None) is not None:
            self._dirty.add(key)

    def tick(self, at_ms: int) -> str | None:
        """Close the tick: give its delta, or None when nothing changed."""
        if not self._dirty:
            return None
        self.seq += 1
        changed = [self.rows[key] for key in self._dirty if key in self.rows]
        gone = [key for key in self._dirty if key not in self.rows]
        for key in self._dirty:
            if key in self.rows:
                self._changed_in[key] = self.seq
                self._gone_in.pop(key, None)
            else:
                self._changed_in.pop(key, None)
                self._gone_in[key] = self.seq
        self._dirty.clear()
        if self.seq % RING_TICKS == 0:
            floor = self.seq - RING_TICKS
            self._gone_in = {key: seq for key, seq in self._gone_in.items() if seq > floor}
        return protocol.encode_delta(
            self.name, at_ms, epoch=self.epoch, prev=self.seq - 1, seq=self.seq, rows=changed, gone=gone
        )

    def can_resume(self, epoch: object, seq: int) -> bool:
        """Whether a merged delta can bring a wall from there to here."""
        return epoch == self.epoch and self.seq - RING_TICKS < seq <= self.seq

    def catch_up(self, since: int, at_ms: int, *, conflated: bool = False, resumed: bool = False) -> str | None:
        """Give one delta from ``since`` to now; None when a snapshot is the shorter way."""
        changed = [self.rows[key] for key, seq in self._changed_in.items() if seq > since]
        if self.seq - since >= RING_TICKS or 2 * len(changed) > max(100, len(self.rows)):
            return None
        gone = [key for key, seq in self._gone_in.items() if seq > since]
        return protocol.encode_delta(
            self.name, at_ms, epoch=self.epoch, prev=since, seq=self.seq, rows=changed, gone=gone,
            conflated=conflated, resumed=resumed,
        )  # fmt: skip

    def snapshot(self, at_ms: int, *, why: str | None = None) -> list[str]:
        """Give everything as of the last tick. Rows of the running tick may be newer; their delta follows."""
        return protocol.encode_snapshot(
            self.name, at_ms, epoch=self.epoch, seq=self.seq, fields=self.fields, rows=list(self.rows.values()), why=why
        )


class LogChannel:
    """Events in order, never merged, with a list of what is open. ``seq`` is the event id of the database, so a wall can
    resume in another process.
    """

    epoch = "journal"

    def __init__(self, name: str, fields: Sequence[str]) -> None:
        self.name, self.fields = name, tuple(fields)
        self.rows: dict[str, Row] = {}
        self.seq = 0
        self._floor = 0
        self._ring: deque[tuple[int, str]] = deque(maxlen=RING_EVENTS)

    def begin(self, seq: int, rows: Iterable[tuple[str, Row]]) -> None:
        """Start from a list of what is open at ``seq``."""
        self.rows = dict(rows)
        self.seq = self._floor = seq
        self._ring.clear()

    def append(self, seq: int, event: object, at_ms: int) -> str | None:
        """Add an event; None when it is known already."""
        if seq <= self.seq:
            return None
        self.seq = seq
        if len(self._ring) == RING_EVENTS:
            self._floor = self._ring[0][0]
        frame = protocol.encode("ev", at_ms, ch=self.name, epoch=self.epoch, seq=seq, e=event)
        self._ring.append((seq, frame))
        return frame

    def missed(self, epoch: object, seq: int) -> list[str] | None:
        """Give the events behind ``seq``; None when they are no longer all at hand."""
        if epoch != self.epoch or not self._floor <= seq <= self.seq:
            return None
        newest_first = []
        for at, frame in islice(reversed(self._ring), RING_EVENTS):
            if at <= seq:
                break
            newest_first.append(frame)
        return newest_first[::-1]

    def snapshot(self, at_ms: int, *, why: str | None = None) -> list[str]:
        """Give what is open, as of ``seq``."""
        return protocol.encode_snapshot(
            self.name, at_ms, epoch=self.epoch, seq=self.seq, fields=self.fields, rows=list(self.rows.values()), why=why
        )
