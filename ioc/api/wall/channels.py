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
_SNAPSHOT_KEPT_MS = 250
"""Walls that come back together get the same bytes. Not for longer: ``ts`` in them sets the walls' clocks."""


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
        self._snapshots: dict[str | None, tuple[int, int, list[str]]] = {}

    @property
    def has_places(self) -> bool:
        """Whether rows stand on the map, so that a wall may ask for those of its view only."""
        return self.fields[1:3] == ("lon", "lat")

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

    def is_within_reach(self, since: int) -> bool:
        """Whether what changed since then is still known."""
        return self.seq - RING_TICKS < since <= self.seq

    def changed_since(self, since: int) -> list[tuple[str, Row]]:
        """Give the keys and rows that a tick behind ``since`` changed, as they are now.

        A row that left in the running tick is not among them: the tick's own delta takes it away.
        """
        rows = self.rows
        return [(key, rows[key]) for key, seq in self._changed_in.items() if seq > since and key in rows]

    def gone_since(self, since: int) -> list[str]:
        """Give the keys that a tick behind ``since`` took away."""
        return [key for key, seq in self._gone_in.items() if seq > since]

    def catch_up(self, since: int, at_ms: int, *, conflated: bool = False, resumed: bool = False) -> str | None:
        """Give one delta from ``since`` to now; None when a snapshot is the shorter or the only way."""
        if not self.is_within_reach(since):
            return None
        changed = [row for _, row in self.changed_since(since)]
        if 2 * len(changed) > max(100, len(self.rows)):
            return None
        return protocol.encode_delta(
            self.name, at_ms, epoch=self.epoch, prev=since, seq=self.seq, rows=changed, gone=self.gone_since(since),
            conflated=conflated, resumed=resumed,
        )  # fmt: skip

    def snapshot(self, at_ms: int, *, why: str | None = None) -> list[str]:
        """Give everything as of the last tick. Rows of the running tick may be newer; their delta follows."""
        known = self._snapshots.get(why)
        if known is not None and known[0] == self.seq and 0 <= at_ms - known[1] < _SNAPSHOT_KEPT_MS:
            return known[2]
        frames = protocol.encode_snapshot(
            self.name, at_ms, epoch=self.epoch, seq=self.seq, fields=self.fields, rows=list(self.rows.values()), why=why
        )
        self._snapshots[why] = (self.seq, at_ms, frames)
        return frames


class LogChannel:
    """Events in order, never merged, with a list of what is open.

    ``seq`` is the event id of the database, so a wall can resume in another process.
    The newest events stay in a ring that all walls read from, each at its own place: nobody has a queue of their own.
    Places count from 0 at the start of the process.
    """

    epoch = "journal"

    def __init__(self, name: str, fields: Sequence[str]) -> None:
        self.name, self.fields = name, tuple(fields)
        self.rows: dict[str, Row] = {}
        self.seq = 0
        self.has_begun = False
        self._floor = 0
        self._ring: deque[tuple[int, str]] = deque(maxlen=RING_EVENTS)
        self._end = 0

    @property
    def end(self) -> int:
        """The place behind the newest event."""
        return self._end

    def begin(self, seq: int, rows: Iterable[tuple[str, Row]], *, floor: int | None = None) -> None:
        """Start from a list of what is open at ``seq``. Events behind ``floor`` may follow by ``append`` as a prelude:
        they are for walls that resume.
        """
        self.rows = dict(rows)
        self.seq = self._floor = seq if floor is None else floor
        self.has_begun = True
        self._ring.clear()

    def append(self, seq: int, event: object, at_ms: int) -> bool:
        """Add an event; False when it is known already."""
        if seq <= self.seq:
            return False
        self.seq = seq
        if len(self._ring) == RING_EVENTS:
            self._floor = self._ring[0][0]
        self._ring.append((seq, protocol.encode("ev", at_ms, ch=self.name, epoch=self.epoch, seq=seq, e=event)))
        self._end += 1
        return True

    def find_place(self, epoch: object, seq: int) -> int | None:
        """Give the place of the first event behind ``seq``; None when not all of them are at hand."""
        if epoch != self.epoch or not self._floor <= seq <= self.seq:
            return None
        missed = sum(1 for at, _ in self._ring if at > seq)
        return self._end - missed

    def frames_from(self, place: int, count: int) -> list[str] | None:
        """Give at most ``count`` events from a place on; None when the ring has left them behind."""
        first = place - (self._end - len(self._ring))
        if first < 0:
            return None
        return [frame for _, frame in islice(self._ring, first, first + count)]

    def snapshot(self, at_ms: int, *, why: str | None = None) -> list[str]:
        """Give what is open, as of ``seq``."""
        return protocol.encode_snapshot(
            self.name, at_ms, epoch=self.epoch, seq=self.seq, fields=self.fields, rows=list(self.rows.values()), why=why
        )
