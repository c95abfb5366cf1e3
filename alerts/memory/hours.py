"""Values of clock hours, which a baseline compares: what was counted from ten to eleven, on each of the last days.

An hour stays open for a while, with its readings, so that late ones enter it and repeated ones count once. Then it
closes: one number remains of it. What is kept is cut into parts: ten minutes of an open hour, a day of closed ones.
An hour in which too little was heard has no value; it is not zero.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

import msgspec

HOUR_S = 3_600
PIECE_S = 600
PIECES = HOUR_S // PIECE_S
DAY_HOURS = 24
MOST_IN_PIECE = 1_024
"""Readings within ten minutes, of one asset; a feed that sends more must be thinned before such a rule."""

_STEPS_PER_UNIT = 1_000_000
"""Sums are of whole millionths, so that they depend neither on the order of adding nor on a restart."""

_MOST_PACKED = 2**63 - 1


class HourValue(enum.StrEnum):
    """How the readings of an hour become one value."""

    SUM = "sum"
    MEAN = "mean"
    MAX = "max"


class Usual(NamedTuple):
    """What hours of one kind came to: their values, the median, and the median deviation from it."""

    values: Sequence[float]
    median: float | None
    deviation: float


class _Piece(msgspec.Struct, array_like=True):
    """Ten minutes of an open hour: values by instant (epoch seconds) and by whose they are."""

    shape: str
    readings: dict[str, dict[float, float]] = {}
    count: int = 0
    total: int = 0
    top: float = -math.inf

    def put(self, moment: float, who: str, value: float) -> bool:
        """Take a value in; False when it was there."""
        held = self.readings.get(who)
        if held is None:
            held = self.readings[who] = {}
        before = held.get(moment)
        if before == value:
            return False
        held[moment] = value
        if before is None:
            self.count += 1
            self.total += round(value * _STEPS_PER_UNIT)
            self.top = max(self.top, value)
        else:
            self.sum_up()
            self.top = max(item for moments in self.readings.values() for item in moments.values())
        return True

    def sum_up(self) -> None:
        """Work the sum out from the readings."""
        values = [item for moments in self.readings.values() for item in moments.values()]
        self.total = sum(round(item * _STEPS_PER_UNIT) for item in values)

    def pack(self) -> bytes:
        """Give what must be kept: without a sum that is too great for MessagePack, since it follows from the rest."""
        is_great = abs(self.total) > _MOST_PACKED
        return msgspec.msgpack.encode(msgspec.structs.replace(self, total=0) if is_great else self)


class _Day(msgspec.Struct, array_like=True):
    """The closed hours of a day; None where nothing can be said of one."""

    shape: str
    values: list[float | None]


class Hours:
    """The hours of one asset.

    Args:
        shape: what the values are of; parts of another shape are not taken back.
        how: how readings become the value of an hour.
        covers: share of an hour's six pieces in which a reading must lie for the hour to have a value.
        open_s: for how long after its end, by the newest reading, an hour takes late readings.
        days: days of closed hours to keep.
    """

    __slots__ = (
        "_closed_at",
        "_count",
        "_covers",
        "_days",
        "_days_kept",
        "_how",
        "_open_s",
        "_pieces",
        "_same",
        "_same_of",
        "_shape",
        "newest",
    )

    def __init__(self, shape: str, how: HourValue, covers: float, open_s: float, days: int) -> None:
        self._shape, self._how, self._open_s, self._days_kept = shape, how, open_s, days
        self._covers = max(1, math.ceil(covers * PIECES))
        self._pieces: dict[int, _Piece] = {}
        self._days: dict[int, list[float | None]] = {}
        self._count = 0
        self._closed_at: tuple[float, int] | None = None
        # The hours that were compared last, and whose they are: they change only with a reading of another hour.
        self._same_of: tuple[int, int, int] | None = None
        self._same = Usual((), None, 0.0)
        self.newest = -math.inf

    def __len__(self) -> int:
        """How many numbers there are: readings of open hours, and closed hours."""
        return self._count + DAY_HOURS * len(self._days)

    @property
    def parts(self) -> tuple[int, ...]:
        """The parts that there are."""
        return (*self._pieces, *(-day for day in self._days))

    def add(self, moment: float, who: str, value: float) -> set[int]:
        """Take a reading in; give the parts that it changed, none for a repeated one or one of a closed hour.

        Raises:
            OverflowError: the ten minutes hold as many readings as they can.
        """
        if _hour_of(moment) < self._first_open():
            return set()
        number = int(moment // PIECE_S)
        piece = self._pieces.get(number)
        if piece is None:
            piece = self._pieces[number] = _Piece(self._shape)
        if piece.count >= MOST_IN_PIECE and moment not in piece.readings.get(who, ()):
            raise OverflowError(f"more than {MOST_IN_PIECE} readings within ten minutes")
        count = piece.count
        if not piece.put(moment, who, value):
            return set()
        self._count += piece.count - count
        changed = {number}
        if moment > self.newest:
            self.newest = moment
            if (reached := (self._first_open(), _hour_of(moment))) != self._closed_at:
                self._closed_at = reached
                changed |= self._close()
        if len(changed) > 1 or (self._same_of is not None and number // PIECES != self._same_of[0]):
            self._same_of = None
        return changed

    def running(self, hour: int) -> float | None:
        """Give what an hour has come to so far. A sum or a maximum can only rise; a mean needs its readings."""
        if self._how is HourValue.MEAN:
            return self.value(hour)
        pieces = self._pieces_of(hour)
        return self._combine(pieces) if pieces else None

    def value(self, hour: int) -> float | None:
        """Give the value of an hour; None when too little was heard of it."""
        if (day := self._days.get(hour // DAY_HOURS)) is not None and day[hour % DAY_HOURS] is not None:
            return day[hour % DAY_HOURS]
        pieces = self._pieces_of(hour)
        return self._combine(pieces) if len(pieces) >= self._covers else None

    def same(self, hour: int, step: int, times: int) -> Usual:
        """Give what the hours came to that lie ``step`` hours before, twice that, and so on."""
        if self._same_of != (hour, step, times):
            before = (self.value(hour - step * back) for back in range(1, times + 1))
            values = [value for value in before if value is not None]
            middle = median(values) if values else None
            off = 0.0 if middle is None else median(abs(value - middle) for value in values)
            self._same_of, self._same = (hour, step, times), Usual(values, middle, off)
        return self._same

    def pack(self, part: int) -> bytes | None:
        """Give what must be kept of a part; None when there is none any more."""
        if part >= 0:
            piece = self._pieces.get(part)
            return None if piece is None else piece.pack()
        day = self._days.get(-part)
        return None if day is None else msgspec.msgpack.encode(_Day(self._shape, day))

    def unpack(self, part: int, kept: bytes) -> bool:
        """Take back a part that was kept, in any order of parts; False if it is of another shape.

        Raises:
            msgspec.ValidationError: it is no part.
        """
        self._same_of = self._closed_at = None
        if part < 0:
            day = msgspec.msgpack.decode(kept, type=_Day)
            if day.shape != self._shape or len(day.values) != DAY_HOURS:
                return False
            self._days[-part] = day.values
            return True
        piece = msgspec.msgpack.decode(kept, type=_Piece)
        if piece.shape != self._shape:
            return False
        piece.sum_up()
        self._count += piece.count - (self._pieces[part].count if part in self._pieces else 0)
        self._pieces[part] = piece
        self.newest = max([self.newest, *(moment for held in piece.readings.values() for moment in held)])
        return True

    def _first_open(self) -> float:
        return (self.newest - self._open_s) // HOUR_S if math.isfinite(self.newest) else -math.inf

    def _close(self) -> set[int]:
        """Close the hours that are over for good, and let go of days that are too old; give the parts changed."""
        first_open, changed = self._first_open(), set()
        for hour in sorted({number // PIECES for number in self._pieces if number // PIECES < first_open}):
            value = self.value(hour)
            gone = [number for number in range(hour * PIECES, (hour + 1) * PIECES) if number in self._pieces]
            day = hour // DAY_HOURS
            if value is not None:
                self._days.setdefault(day, [None] * DAY_HOURS)[hour % DAY_HOURS] = value
                changed.add(-day)
            for number in gone:
                self._count -= self._pieces.pop(number).count
            changed.update(gone)
        oldest = _hour_of(self.newest) // DAY_HOURS - self._days_kept
        for day in [day for day in self._days if day < oldest]:
            del self._days[day]
            changed.add(-day)
        return changed

    def _pieces_of(self, hour: int) -> list[_Piece]:
        held = self._pieces
        return [held[number] for number in range(hour * PIECES, (hour + 1) * PIECES) if number in held]

    def _combine(self, pieces: Sequence[_Piece]) -> float:
        if self._how is HourValue.MAX:
            return max(piece.top for piece in pieces)
        total = sum([piece.total for piece in pieces]) / _STEPS_PER_UNIT
        return total if self._how is HourValue.SUM else total / sum(piece.count for piece in pieces)


def _hour_of(moment: float) -> int:
    return int(moment // HOUR_S)
