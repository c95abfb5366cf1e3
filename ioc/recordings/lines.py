"""Lines of a recording read block by block: all lines of a block at once, each as its kind describes it."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from itertools import accumulate, chain
from operator import or_
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ioc.domain.events import Event, Rejected
from ioc.domain.kinds import KINDS, Kind
from ioc.domain.rows import make_payloads
from ioc.errors import MalformedPayloadError, UnreadableFileError
from ioc.recordings.envelopes import Instant, decode_line

_LONGEST_LINE = 1024 * 1024
_READ_BYTES = 256 * 1024
_ID_BYTES = 16
_LINE_FEED, _BRACE = b"\n{"
_WrittenId = Annotated[str, msgspec.Meta(min_length=36, max_length=36)]


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
        starts = _find_starts(text)
        places = range(lines_count, lines_count + len(starts))
        lines_count = places.stop
        items, rejected, events_count = reader.read(text, places, is_plain=bool(np.all(starts == _BRACE)))
        yield Block(items=items, rejected=rejected, events_count=events_count, bytes_count=bytes_count)


def to_ids(items: Sequence[Event | Spoken]) -> bytes:
    """Give the event ids, 16 bytes each.

    Raises:
        ValueError: one is none.
    """
    words = [item.event_id if isinstance(item, Spoken) else item.event_id.hex() for item in items]
    digits = [word.replace("-", "") for word in words]
    ids = bytes.fromhex("".join(digits))
    if len(ids) != _ID_BYTES * len(items) or any(len(word) != 2 * _ID_BYTES for word in digits):
        raise ValueError("an event id is no UUID")
    return ids


def to_events(kind: str, items: Sequence[Event | Spoken]) -> list[Event]:
    """Make those events of a kind that are not made yet.

    Raises:
        ValueError: an event id is none.
    """
    spoken: list[Any] = [item for item in items if isinstance(item, Spoken)]
    ids = to_ids(spoken)
    payloads = make_payloads(KINDS[kind], [msgspec.structs.astuple(line.data) for line in spoken])
    made = [
        Event(
            event_id=ids[_ID_BYTES * number : _ID_BYTES * (number + 1)], feed_id=line.feed_id, asset_id=line.asset_id,
            observed_at=line.observed_at, received_at=line.received_at, data=data, lon_deg=line.lon_deg,
            lat_deg=line.lat_deg, unit_code=line.unit_code, quality=line.quality,
        )
        for number, (line, data) in enumerate(zip(spoken, payloads, strict=True))
    ]  # fmt: skip
    if len(made) == len(items):
        return made
    others = iter(made)
    return [item if isinstance(item, Event) else next(others) for item in items]


class _Reader:
    """Reads whole blocks. Where a line of a block has a fault, its lines are read one by one."""

    def __init__(self, asked: Asked) -> None:
        shapes = {
            name: _describe_line(kind) if name in asked.kinds else _describe_unasked(kind)
            for name, kind in KINDS.items()
        }
        self._made = {shapes[kind]: kind for kind in asked.kinds if kind not in asked.heard}
        self._heard = {shapes[kind] for kind in asked.heard}
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(reduce(or_, shapes.values()))

    def read(self, text: bytes, places: range, *, is_plain: bool) -> tuple[list[Item], list[Rejected], int]:
        """Give the items of the lines at these places of the file, what is refused, and how many events came.

        ``is_plain`` says that an object begins with each line. As many as there are lines are one on each then.
        """
        try:
            if is_plain and len(lines := self._decoder.decode_lines(text)) == len(places):
                return self._to_items(lines), [], len(lines)
        except (msgspec.MsgspecError, ValueError):
            pass
        return self._read_one_by_one(text, places)

    def _read_one_by_one(self, text: bytes, places: range) -> tuple[list[Item], list[Rejected], int]:
        lines: list[Any] = []
        rejected = []
        for place, raw in zip(places, text.removesuffix(b"\n").split(b"\n"), strict=True):
            if not raw.strip():
                continue
            try:
                line = self._decoder.decode(raw)
                to_ids([line] if isinstance(line, Spoken) else [])
            except (msgspec.MsgspecError, ValueError):
                # What is written otherwise than we write may be sound yet; what is not is told why.
                try:
                    line = decode_line(raw)
                except MalformedPayloadError as error:
                    rejected.append(Rejected(raw=raw, reason=error.reason, index=place))
                    continue
            lines.append(line)
        return self._to_items(lines), rejected, len(lines)

    def _to_items(self, lines: list[Any]) -> list[Item]:
        """Make events of the lines that are to be events, in their places.

        Raises:
            ValueError: an event id is none.
        """
        places = defaultdict[type, list[int]](list)
        for place, line in enumerate(lines):
            places[type(line)].append(place)
        for shape, mine in places.items():
            if shape in self._heard:
                to_ids([lines[place] for place in mine])
            elif (kind := self._made.get(shape)) is not None:
                for place, event in zip(mine, to_events(kind, [lines[place] for place in mine]), strict=True):
                    lines[place] = event
        unasked = sorted(chain.from_iterable(mine for shape, mine in places.items() if issubclass(shape, _Unasked)))
        return self._thin(lines, unasked) if unasked else lines

    def _thin(self, lines: list[Any], unasked: Sequence[int]) -> list[Item]:
        """Let few lines of those at the places ``unasked`` stand for all: log time is the same at every other line."""
        came_at = [line.received_at for line in lines]
        # Where arrival goes back, what came before it says at each line how far log time was.
        minute = MINUTE if came_at == sorted(came_at) else timedelta(0)
        arrivals = list(accumulate([came_at[place] for place in unasked], max))
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
    data = msgspec.defstruct(f"{name}Data", fields, kw_only=True, gc=False)
    return msgspec.defstruct(
        f"{name}Line", [("data", data)], bases=(Spoken,), namespace={"kind": kind.name}, kw_only=True,
        tag_field="kind", tag=kind.name, gc=False,
    )  # fmt: skip


def _describe_unasked(kind: Kind) -> type:
    name = f"{kind.payload.__name__}Unasked"
    return msgspec.defstruct(name, [], bases=(_Unasked,), tag_field="kind", tag=kind.name, frozen=True, gc=False)


def _find_starts(text: bytes) -> NDArray[np.uint8]:
    """Give the first byte of each line; of an empty one its end."""
    # ``bytes.count`` goes byte by byte, which took a third as long as reading the JSON.
    letters = np.frombuffer(text, np.uint8)
    after = np.flatnonzero(letters[:-1] == _LINE_FEED) + 1
    return np.append(letters[:1], letters[after])


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
