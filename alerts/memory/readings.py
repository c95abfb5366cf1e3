"""The readings of one asset that windows look back on, with running sums, and cut into parts that are kept one by one.

A window over a day of minutes holds 1,440 readings. Nothing here touches them all for one that comes: a sum is the
difference of two running sums, which are brought up to date when somebody asks, and of what is kept only the part that
changed is written again.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence, Set

import msgspec

from alerts.language.windows import MOST_READINGS as MOST_READINGS

PART_READINGS = 32
"""A part that holds this many is closed; late readings may make it twice as long."""

_STEPS_PER_UNIT = 1_000_000
"""Sums are of whole millionths, so that they do not depend on the order of adding, nor on a restart."""
MOST_VALUE = 1e15
"""The most that any kind of event allows of a value; a larger one is no reading."""
_NOTHING = math.nan
NOTHING_GONE: frozenset[int] = frozenset()


class _Part(msgspec.Struct, array_like=True):
    quantities: tuple[str, ...]
    times: bytes
    columns: list[bytes]


class Readings:
    """Times in epoch seconds, oldest first, and a column per quantity; NaN where a reading had no value."""

    __slots__ = (
        "_counts",
        "_open_count",
        "_quantities",
        "_starts",
        "_summed",
        "_sums",
        "columns",
        "is_short",
        "loud_until",
        "times",
    )

    def __init__(self, quantities: Sequence[str]) -> None:
        self._quantities = tuple(quantities)
        self.times = array("d")
        self.columns = [array("d") for _ in self._quantities]
        self._sums: list[list[int]] = [[0] for _ in self._quantities]
        self._counts: list[list[int]] = [[0] for _ in self._quantities]
        self._summed = 0
        self._starts: list[int] = []
        self._open_count = 0
        self.is_short = False
        """Whether readings went that were not too old, for there were too many."""
        self.loud_until = -math.inf
        """Epoch seconds up to which a window may be over a limit, see ``loudness.py``; infinity where nobody knows."""

    def __len__(self) -> int:
        """How many readings there are."""
        return len(self.times)

    @property
    def newest(self) -> float:
        """Epoch seconds of the newest reading; minus infinity without any."""
        return self.times[-1] if self.times else -math.inf

    @property
    def parts(self) -> tuple[int, ...]:
        """The parts that there are."""
        return tuple(self._starts)

    def add(self, moment: float, values: Sequence[float | None]) -> set[int]:
        """Take a reading in; one of the same instant takes the place of the one before. Gives the parts it changed."""
        times = self.times
        if times and times[-1] < moment:
            return self._append(moment, values)
        place = bisect_left(times, moment)
        is_known = place < len(self.times) and self.times[place] == moment
        if not is_known:
            self.times.insert(place, moment)
        for number, value in enumerate(values):
            found = _NOTHING if value is None or not abs(value) <= MOST_VALUE else float(value)
            if is_known:
                self.columns[number][place] = found
            else:
                self.columns[number].insert(place, found)
        self._sum_anew_from(place)
        changed = self._note(moment)
        self._open_count = self._count_open()
        return changed

    def _append(self, moment: float, values: Sequence[float | None]) -> set[int]:
        """Take in a reading that is newer than all others, as nearly every one is."""
        self.times.append(moment)
        for column, value in zip(self.columns, values, strict=True):
            column.append(_NOTHING if value is None or not abs(value) <= MOST_VALUE else value)
        self._open_count += 1
        if self._open_count > PART_READINGS and (start := int(moment * _STEPS_PER_UNIT)) > self._starts[-1]:
            self._starts.append(start)
            self._open_count = 1
        return {self._starts[-1]}

    def _count_open(self) -> int:
        """Count the readings of the last part, to which the next is added."""
        return len(self.times) - (0 if len(self._starts) == 1 else self._place_of(self._starts[-1]))

    def forget(self, span_s: float, most: int) -> Set[int]:
        """Let go of what is ``span_s`` older than the newest, and the oldest beyond ``most``; give parts that went."""
        times = self.times
        if times[0] > times[-1] - span_s and len(times) <= most:
            self.is_short = self.is_short and len(times) == most
            return NOTHING_GONE
        old, beyond = bisect_right(times, times[-1] - span_s), len(times) - most
        gone, self.is_short = max(old, beyond), beyond > old
        if gone <= 0:
            return NOTHING_GONE
        for column in (self.times, *self.columns):
            del column[:gone]
        covered = max(0, self._summed - gone)
        for running in (*self._sums, *self._counts):
            del running[: min(gone, len(running) - 1)]
        self._summed = covered
        kept = max(0, bisect_right(self._starts, int(self.times[0] * _STEPS_PER_UNIT)) - 1)
        past, self._starts = self._starts[:kept], self._starts[kept:]
        if len(self._starts) == 1:
            self._open_count = len(self.times)
        return set(past)

    def find(self, after: float, until: float) -> tuple[int, int]:
        """Give the places of the readings after an instant, up to and with another."""
        times = self.times
        last = len(times) if times[-1] <= until else bisect_right(times, until)
        return bisect_right(times, after), last

    def cut(self, after: float, until: float, pieces: int) -> list[int]:
        """Give the places that cut the time between two instants into equal pieces."""
        step, place, places = (until - after) / pieces, 0, []
        for piece in range(pieces):
            place = bisect_right(self.times, after + piece * step, place)
            places.append(place)
        places.append(bisect_right(self.times, until, place))
        return places

    def count(self, number: int, first: int, last: int) -> int:
        """Count the values of a column between two places."""
        if self._summed < last:
            self._sum_up()
        return self._counts[number][last] - self._counts[number][first]

    def total(self, number: int, first: int, last: int) -> float:
        """Sum the values of a column between two places."""
        if self._summed < last:
            self._sum_up()
        return (self._sums[number][last] - self._sums[number][first]) / _STEPS_PER_UNIT

    def values(self, number: int, first: int, last: int) -> list[float]:
        """Give the values of a column between two places, oldest first."""
        held = self.columns[number][first:last].tolist()
        # A sum with a gap in it is none; it is found faster than by looking at each value.
        return [value for value in held if value == value] if math.isnan(sum(held)) else held

    def pack(self, part: int) -> bytes | None:
        """Give what must be kept of a part; None when it is empty or there is none any more."""
        place = bisect_left(self._starts, part)
        if place == len(self._starts) or self._starts[place] != part:
            return None
        last = len(self.times)
        if place + 1 == len(self._starts):
            first = last - self._open_count  # the one that grows: nearly always it is
        else:
            first, last = 0 if place == 0 else self._place_of(part), self._place_of(self._starts[place + 1])
        if first == last:
            return None
        columns = [column[first:last].tobytes() for column in self.columns]
        return msgspec.msgpack.encode(_Part(self._quantities, self.times[first:last].tobytes(), columns))

    def unpack(self, part: int, kept: bytes) -> bool:
        """Take back a part that was kept, in any order of parts; False if it is of other quantities.

        Raises:
            msgspec.DecodeError, ValueError, IndexError: it is no part.
        """
        found = msgspec.msgpack.decode(kept, type=_Part)
        if found.quantities != self._quantities:
            return False
        times, columns = array("d"), [array("d") for _ in found.columns]
        for numbers, packed in zip((times, *columns), (found.times, *found.columns), strict=True):
            numbers.frombytes(packed)
        place = bisect_left(self.times, times[0])
        self.times[place:place] = times
        for mine, column in zip(self.columns, columns, strict=True):
            mine[place:place] = column
        self._sum_anew_from(place)
        self.loud_until = math.inf
        self._starts.insert(bisect_left(self._starts, part), part)
        self._open_count = self._count_open()
        return True

    def _sum_anew_from(self, place: int) -> None:
        """Let the running sums end at a place behind which something has changed."""
        if place < self._summed:
            for running in (*self._sums, *self._counts):
                del running[place + 1 :]
            self._summed = place

    def _sum_up(self) -> None:
        """Bring the running sums up to date."""
        for column, sums, counts in zip(self.columns, self._sums, self._counts, strict=True):
            total, count = sums[-1], counts[-1]
            for value in column[self._summed :]:
                if value == value:
                    total += round(value * _STEPS_PER_UNIT)
                    count += 1
                sums.append(total)
                counts.append(count)
        self._summed = len(self.times)

    def _note(self, moment: float) -> set[int]:
        """Find the part that a reading went to; halve one that late ones fill."""
        start = int(moment * _STEPS_PER_UNIT)
        if not self._starts:
            self._starts.append(start)
            return {start}
        place = max(0, bisect_right(self._starts, start) - 1)
        part = self._starts[place]
        is_last = place + 1 == len(self._starts)
        first = 0 if place == 0 else self._place_of(part)
        last = len(self.times) if is_last else self._place_of(self._starts[place + 1])
        if last - first > 2 * PART_READINGS:
            middle = int(self.times[(first + last) // 2] * _STEPS_PER_UNIT)
            if part < middle:
                self._starts.insert(place + 1, middle)
                return {part, middle}
        return {part}

    def _place_of(self, start: int) -> int:
        return bisect_left(self.times, start, key=lambda time: int(time * _STEPS_PER_UNIT))


def to_part_key(key: str, part: int) -> str:
    """Name a part of a series among what is kept."""
    return f"{key}\x1e{part}"


def read_part_key(key: str) -> tuple[str, int] | None:
    """Give series and part of such a name, None where it is a series' own."""
    series, mark, part = key.rpartition("\x1e")
    return (series, int(part)) if mark else None
