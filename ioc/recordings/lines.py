"""Lines of a recording read block by block: all lines of a block at once, each as its kind describes it."""

from __future__ import annotations

from binascii import unhexlify
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from itertools import accumulate
from operator import attrgetter, or_
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeAlias

import msgspec
import numpy as np

from ioc.arrow import pa
from ioc.domain.events import Event, Rejected
from ioc.domain.kinds import KINDS, Kind
from ioc.domain.rows import make_payloads
from ioc.errors import MalformedPayloadError, UnreadableFileError
from ioc.recordings.envelopes import Instant, decode_line

_LONGEST_LINE = 1024 * 1024
_READ_BYTES = 256 * 1024
_ID_BYTES, _WORD_BYTES = 16, 36
_ID = np.dtype((np.void, _ID_BYTES))
_LINE_FEED, _BRACE, _DASH = b"\n{-"
_DASHES = np.array([8, 13, 18, 23])
"""Where an id has its dashes, as ids are written. What is left are its digits."""
_DIGITS = np.setdiff1d(np.arange(_WORD_BYTES), _DASHES)
_WrittenId = Annotated[str, msgspec.Meta(min_length=_WORD_BYTES, max_length=_WORD_BYTES)]
_id_of, _came_at, _data_of = attrgetter("event_id"), attrgetter("received_at"), attrgetter("data")


MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Passed:
    """Events of kinds that nobody asked for: ``count`` of them came since the one before, the last at ``received_at``.

    Of what came within a minute the first and the last are given. Whoever looks for a longer silence finds it as if
    all were.
    """

    received_at: datetime
    count: int


class _Unasked(msgspec.Struct, frozen=True, gc=False):
    received_at: Instant


class Spoken(msgspec.Struct, kw_only=True, gc=False):
    """An event that is not made yet: whoever only asks whether its asset speaks needs no more."""

    kind: ClassVar[str]

    event_id: _WrittenId
    feed_id: str
    asset_id: str
    observed_at: Instant
    received_at: Instant
    lon_deg: float | None = None
    lat_deg: float | None = None
    unit_code: str | None = None
    quality: int = 0


Item: TypeAlias = Event | Spoken | Passed


def count_events(items: Iterable[Item]) -> int:
    """Say how many events items stand for."""
    return sum([item.count if isinstance(item, Passed) else 1 for item in items])


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which kinds somebody looks at. Events of ``heard`` may be ``Spoken``, those of other kinds ``Passed``."""

    kinds: Collection[str]
    heard: Collection[str] = frozenset()


EVERYTHING = Asked(kinds=frozenset(KINDS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Lines that follow each other; empty ones count for nothing.

    ``events_count`` is how many events the items stand for, ``bytes_count`` the compressed bytes of the file that have
    been read so far. A refused line's ``index`` is its place in the file, from 0.
    """

    items: list[Item]
    rejected: list[Rejected]
    events_count: int
    bytes_count: int


def read_blocks(path: Path, asked: Asked = EVERYTHING) -> Iterator[Block]:
    """Read a recording. Of kinds that nobody asked for only the arrival is looked at.

    Raises:
        UnreadableFileError: it is cut short or not zstd. Blocks that were given before are sound.
    """
    reader, lines_count = _Reader(asked), 0
    for text, bytes_count in _read_texts(path):
        items, rejected, events_count, more = reader.read(text, lines_count)
        lines_count += more
        yield Block(items=items, rejected=rejected, events_count=events_count, bytes_count=bytes_count)


def to_events(kind: str, items: Sequence[Event | Spoken]) -> list[Event]:
    """Make those events of a kind that are not made yet.

    Raises:
        ValueError: an event id is none.
    """
    spoken = [item for item in items if isinstance(item, Spoken)]
    made = _make_events(kind, spoken, _to_ids(spoken))
    if len(made) == len(items):
        return made
    others = iter(made)
    return [item if isinstance(item, Event) else next(others) for item in items]


def _make_events(kind: str, lines: Sequence[Any], ids: bytes) -> list[Event]:
    """Make events of lines of one kind and of their ids, 16 bytes each."""
    payloads = make_payloads(KINDS[kind], map(_data_of, lines))
    event_ids = np.frombuffer(ids, _ID).tolist()
    return [
        Event(
            event_id=event_id, feed_id=line.feed_id, asset_id=line.asset_id, observed_at=line.observed_at,
            received_at=line.received_at, data=data, lon_deg=line.lon_deg, lat_deg=line.lat_deg,
            unit_code=line.unit_code, quality=line.quality,
        )
        for event_id, line, data in zip(event_ids, lines, payloads, strict=True)
    ]  # fmt: skip


def _to_ids(lines: Sequence[Spoken]) -> bytes:
    """Give the event ids, 16 bytes each.

    Raises:
        ValueError: one is none.
    """
    words = list(map(_id_of, lines))
    written = "".join(words).encode()
    if len(written) == _WORD_BYTES * len(words):
        letters = np.frombuffer(written, np.uint8).reshape(-1, _WORD_BYTES)
        if np.all(letters.take(_DASHES, 1) == _DASH):
            return unhexlify(letters.take(_DIGITS, 1).data)
    # Dashes elsewhere change no digit. Words are looked at one by one: one too short would make up for one too long.
    digits = [word.replace("-", "") for word in words]
    if any(len(word) != 2 * _ID_BYTES for word in digits):
        raise ValueError("an event id is no UUID")
    return unhexlify("".join(digits))


class _Reader:
    """Reads whole blocks. Where a line of a block has a fault, its lines are read one by one."""

    def __init__(self, asked: Asked) -> None:
        shapes = {
            name: _describe_line(kind) if name in asked.kinds else _describe_unasked(kind)
            for name, kind in KINDS.items()
        }
        self._asked = {shapes[kind]: kind for kind in asked.kinds}
        self._unasked = [shape for shape in shapes.values() if shape not in self._asked]
        self._heard = {shapes[kind] for kind in asked.heard}
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(reduce(or_, shapes.values()))

    def read(self, text: bytes, first: int) -> tuple[list[Item], list[Rejected], int, int]:
        """Give the items of lines, what is refused, how many events came, and on how many lines.

        ``first`` is the place of the first line in the file.
        """
        try:
            lines = self._decoder.decode_lines(text)
            if _is_one_a_line(text, len(lines)):
                return self._to_items(lines), [], len(lines), len(lines)
        except (msgspec.MsgspecError, ValueError):
            pass
        return self._read_one_by_one(text, first)

    def _read_one_by_one(self, text: bytes, first: int) -> tuple[list[Item], list[Rejected], int, int]:
        lines: list[Any] = []
        rejected = []
        written = text.removesuffix(b"\n").split(b"\n")
        for place, raw in enumerate(written, first):
            if not raw.strip():
                continue
            try:
                line = self._decoder.decode(raw)
                _to_ids([line] if isinstance(line, Spoken) else [])
            except (msgspec.MsgspecError, ValueError):
                # What is written otherwise than we write may be sound yet; what is not is told why.
                try:
                    line = decode_line(raw)
                except MalformedPayloadError as error:
                    rejected.append(Rejected(raw=raw, reason=error.reason, index=place))
                    continue
            lines.append(line)
        return self._to_items(lines), rejected, len(lines), len(written)

    def _to_items(self, lines: list[Any]) -> list[Item]:
        """Make events of the lines that are to be events, in their places.

        Raises:
            ValueError: an event id is none.
        """
        places: dict[type, list[int]] = {shape: [] for shape in self._asked}
        unasked: list[int] = []
        note = {shape: mine.append for shape, mine in places.items()} | dict.fromkeys(self._unasked, unasked.append)
        note[Event] = list[int]().append
        for place, line in enumerate(lines):
            note[type(line)](place)
        asked = [lines[place] for mine in places.values() for place in mine]
        ids, first = _to_ids(asked), 0
        for shape, mine in places.items():
            end = first + len(mine)
            if mine and shape not in self._heard:
                events = _make_events(self._asked[shape], asked[first:end], ids[_ID_BYTES * first : _ID_BYTES * end])
                for place, event in zip(mine, events, strict=True):
                    lines[place] = event
            first = end
        return self._thin(lines, unasked) if unasked else lines

    def _thin(self, lines: list[Any], unasked: Sequence[int]) -> list[Item]:
        """Let few lines of those at the places ``unasked`` stand for all: log time is the same at every other line."""
        came_at = list(map(_came_at, lines))
        arrivals, minute = [came_at[place] for place in unasked], MINUTE
        if came_at != sorted(came_at):
            # Where arrival goes back, what came before it says at each line how far log time was.
            arrivals, minute = list(accumulate(arrivals, max)), timedelta(0)
        for place in unasked:
            lines[place] = None
        for number, count in thin(arrivals, minute):
            lines[unasked[number]] = Passed(arrivals[number], count)
        return [line for line in lines if line is not None]


def thin(arrivals: Any, minute: Any) -> Iterator[tuple[int, int]]:
    """Give the places of those arrivals that ``Passed`` tells of, each with how many it stands for.

    Arrivals are a sequence of whatever can be compared, from the oldest on; ``minute`` is added to them.
    """
    first = 0
    while first < len(arrivals):
        yield first, 1
        last = bisect_right(arrivals, arrivals[first] + minute, first) - 1
        if last > first:
            yield last, last - first
        first = max(first, last) + 1


def _describe_line(kind: Kind) -> type:
    """Describe a kind's line, so that a line is read and its values are looked at in one go."""
    fields = [
        (field.name, field.type, field.default)
        if field.default is not msgspec.NODEFAULT
        else (field.name, field.type)
        for field in msgspec.structs.fields(kind.payload)
    ]  # fmt: skip
    name = kind.payload.__name__
    data = msgspec.defstruct(f"{name}Data", fields, namespace={"KIND": kind.name}, kw_only=True, gc=False)
    return msgspec.defstruct(
        f"{name}Line", [("data", data)], bases=(Spoken,), namespace={"kind": kind.name}, kw_only=True,
        tag_field="kind", tag=kind.name, gc=False,
    )  # fmt: skip


def _describe_unasked(kind: Kind) -> type:
    name = f"{kind.payload.__name__}Unasked"
    return msgspec.defstruct(name, [], bases=(_Unasked,), tag_field="kind", tag=kind.name, frozen=True, gc=False)


def _is_one_a_line(text: bytes, objects_count: int) -> bool:
    """Whether a text, of so many sound objects and nothing else, has one of them on each line."""
    letters = np.frombuffer(text, np.uint8)
    begins = np.append(0, np.flatnonzero(letters[:-1] == _LINE_FEED) + 1)
    return len(begins) == objects_count and bool(np.all(letters[begins] == _BRACE))


def _read_texts(path: Path) -> Iterator[tuple[bytes, int]]:
    """Give whole lines, each time with the compressed bytes that were read so far."""
    try:
        with pa.OSFile(str(path)) as raw, pa.CompressedInputStream(raw, "zstd") as text:
            rest = b""
            while chunk := text.read(_READ_BYTES):
                end = chunk.rfind(b"\n") + 1
                if end:
                    yield b"".join((rest, memoryview(chunk)[:end])), raw.tell()
                    rest = chunk[end:]
                else:
                    rest += chunk
                if len(rest) > _LONGEST_LINE:
                    raise UnreadableFileError(str(path), "a line has no end")
            if rest:
                yield rest, raw.tell()
    except OSError as error:
        raise UnreadableFileError(str(path), str(error)) from error
