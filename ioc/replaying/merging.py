"""Several sources as one, in the order of arrival: block by block, and cut into chunks."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from itertools import accumulate
from operator import attrgetter
from typing import cast

from ioc.domain.events import DeadLetter, Event
from ioc.recordings.lines import Item
from ioc.replaying.tracks import Track

_came_at = attrgetter("received_at")


async def merge(
    tracks: Sequence[Track], *, chunk_items: int, chunk_s: float | None = None
) -> AsyncIterator[tuple[list[Event], list[DeadLetter]]]:
    """Give the events of tracks that were opened for all kinds, in chunks; dead letters come along.

    ``chunk_s`` bounds how much recorded time a chunk holds. Where hardly anything can be read, a chunk may be empty, so
    that dead letters do not pile up.
    """
    span = None if chunk_s is None else timedelta(seconds=chunk_s)
    held: list[Event] = []
    letters: list[DeadLetter] = []
    async for items, more in merge_blocks(tracks):
        held += cast(list[Event], items)
        letters += more
        if span is not None or len(held) >= chunk_items:
            whole, held = _cut(held, chunk_items, span)
            while whole:
                yield whole.pop(0), letters
                letters = []
        if len(letters) >= chunk_items:
            yield [], letters
            letters = []
    if held or letters:
        yield held, letters


async def merge_blocks(tracks: Sequence[Track]) -> AsyncIterator[tuple[list[Item], list[DeadLetter]]]:
    """Give the items of all tracks in the order of their arrival; dead letters come along.

    Each time as much as is known to be in order: what came before the nearest end of a block. What arrived in the same
    instant comes in the order of the tracks. A track that knows when it begins is opened when the play comes there.
    """
    waiting = sorted(
        ((track.begins_at, index) for index, track in enumerate(tracks) if track.begins_at is not None), reverse=True
    )
    lanes = [_Lane(index, track) for index, track in enumerate(tracks) if track.begins_at is None]
    while lanes or waiting:
        for lane in lanes:
            await lane.fill()
        lanes = [lane for lane in lanes if not lane.is_over]
        if not all(lane.items for lane in lanes):
            # Whoever waits for events is told meanwhile of what held none.
            yield [], _take_letters(tracks)
            continue
        if len(lanes) == 1 and not waiting:
            yield lanes[0].take_all(), _take_letters(tracks)
            continue
        nearest = min((lane.ends_at, lane.index) for lane in lanes) if lanes else None
        if waiting and (nearest is None or waiting[-1] <= nearest):
            _, index = waiting.pop()
            lanes.append(_Lane(index, tracks[index]))
            lanes.sort(key=lambda lane: lane.index)
        elif nearest is not None:
            yield _merge_pieces([lane.take(*nearest) for lane in lanes]), _take_letters(tracks)
    if letters := _take_letters(tracks):
        yield [], letters


class _Lane:
    """What a track has given and nobody has taken."""

    def __init__(self, index: int, track: Track) -> None:
        self.index, self._track = index, track
        self.items: list[Item] = []
        self.is_over = False
        self._known: list[datetime] = []

    @property
    def ends_at(self) -> datetime:
        return self._arrivals()[-1]

    async def fill(self) -> None:
        """Take the next block where nothing is left; it may be empty."""
        if not self.items:
            block = await self._track.read()
            self.items, self._known, self.is_over = block or [], [], block is None

    def take(self, until: datetime, index: int) -> tuple[list[Item], list[datetime]]:
        """Give what comes before the track ``index`` goes on after ``until``, with the arrivals."""
        arrivals = self._arrivals()
        cut = (bisect_right if self.index <= index else bisect_left)(arrivals, until)
        taken = self.items[:cut], arrivals[:cut]
        self.items, self._known = self.items[cut:], arrivals[cut:]
        return taken

    def take_all(self) -> list[Item]:
        """Give everything."""
        taken, self.items = self.items, []
        return taken

    def _arrivals(self) -> list[datetime]:
        """Give when everything came; what went backwards counts as its neighbour before."""
        if not self._known:
            self._known = list(accumulate(map(_came_at, self.items), max))
        return self._known


def _merge_pieces(pieces: Sequence[tuple[list[Item], list[datetime]]]) -> list[Item]:
    pieces = [piece for piece in pieces if piece[0]]
    if len(pieces) == 1:
        return pieces[0][0]
    items = [item for piece, _ in pieces for item in piece]
    arrivals = [at for _, piece in pieces for at in piece]
    return [items[place] for place in sorted(range(len(items)), key=arrivals.__getitem__)]


def _cut(items: list[Event], most: int, span: timedelta | None) -> tuple[list[list[Event]], list[Event]]:
    """Cut whole chunks off, and give what may still grow."""
    chunks, first = [], 0
    while first < len(items):
        end = first + most
        if span is not None:
            end = min(end, max(first + 1, bisect_right(items, items[first].received_at + span, first, key=_came_at)))
        if end > len(items) or (end == len(items) and end < first + most):
            break
        chunks.append(items[first:end])
        first = end
    return chunks, items[first:]


def _take_letters(tracks: Sequence[Track]) -> list[DeadLetter]:
    letters = []
    for track in tracks:
        if track.letters:
            letters += track.letters
            track.letters = []
    return letters
