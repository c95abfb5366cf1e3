"""Tracks become one stream in the order of arrival, however their blocks are cut and whatever they know beforehand."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise

from hypothesis import given
from hypothesis import strategies as st

from alerts.engine.stepping import JUMP
from ioc.domain.events import DeadLetter
from ioc.recordings.lines import MINUTE, Item, Passed, thin
from ioc.replaying.merging import merge

START = datetime(2026, 11, 23, 2, tzinfo=UTC)


class _Track:
    """Blocks in memory. ``count`` tells the items of all tracks apart."""

    def __init__(self, blocks: list[list[Passed]], *, knows_begin: bool) -> None:
        self.letters: list[DeadLetter] = []
        whole = [item for block in blocks for item in block]
        self.begins_at = min(item.received_at for item in whole) if knows_begin and whole else None
        self._blocks = iter(blocks)

    def start(self, group: asyncio.TaskGroup) -> None:
        return None

    async def read(self) -> list[Item] | None:
        block = next(self._blocks, None)
        return None if block is None else list(block)


_ARRIVALS = st.lists(st.lists(st.integers(0, 12), max_size=4), max_size=4)


@given(
    seconds=st.lists(st.tuples(_ARRIVALS, st.booleans()), max_size=4),
    chunk_items=st.integers(1, 9),
    chunk_s=st.none() | st.sampled_from((0.5, 3.0)),
)
def test_the_order_is_that_of_arrival_and_then_of_the_tracks(seconds, chunk_items, chunk_s):
    number, tracks, expected = 0, [], []
    for index, (cut, knows_begin) in enumerate(seconds):
        blocks = []
        for block in cut:
            items = []
            for second in sorted(block) if knows_begin else block:
                number += 1
                items.append(Passed(START + timedelta(seconds=second), number))
            blocks.append(items)
        if knows_begin:
            # A file that says when it begins is in order.
            flat = sorted((item for block in blocks for item in block), key=lambda item: item.received_at)
            rest = iter(flat)
            blocks = [[next(rest) for _ in block] for block in blocks]
        tracks.append(_Track(blocks, knows_begin=knows_begin))
        whole = [item for block in blocks for item in block]
        expected += [
            (at, index, item.count)
            for at, item in zip(accumulate((i.received_at for i in whole), max), whole, strict=True)
        ]
    expected.sort(key=lambda entry: entry[:2])

    async def play() -> list[list[Passed]]:
        return [items async for items, _ in merge(tracks, chunk_items=chunk_items, chunk_s=chunk_s)]

    chunks = asyncio.run(play())
    assert [item.count for chunk in chunks for item in chunk] == [count for _, _, count in expected]
    assert all(0 < len(chunk) <= chunk_items for chunk in chunks)
    if chunk_s is None:
        assert all(len(chunk) == chunk_items for chunk in chunks[:-1])
    elif all(knows_begin for _, knows_begin in seconds):
        spans = [(chunk[-1].received_at - chunk[0].received_at).total_seconds() for chunk in chunks]
        assert all(span <= chunk_s for span in spans)


class _Unreadable(_Track):
    """Ten lines that cannot be read, again and again."""

    async def read(self) -> list[Item] | None:
        if (block := await super().read()) is not None:
            self.letters += [DeadLetter(
                dead_letter_id=bytes(16), feed_id="test", received_at=START, reason="broken", raw=b"", source="test"
            )] * 10  # fmt: skip
        return block


def test_dead_letters_do_not_wait_for_events():
    async def play() -> list[tuple[int, int]]:
        tracks = [_Unreadable([[]] * 10, knows_begin=False), _Track([[Passed(START, 1)]], knows_begin=False)]
        return [(len(items), len(letters)) async for items, letters in merge(tracks, chunk_items=30)]

    assert asyncio.run(play()) == [(0, 30), (0, 30), (0, 30), (1, 10)]


@given(steps=st.lists(st.integers(0, 200), max_size=60))
def test_what_is_thinned_keeps_every_silence_and_every_event(steps):
    arrivals = [START + timedelta(seconds=second) for second in accumulate(steps)]
    thinned = list(thin(arrivals, MINUTE))
    assert sum(count for _, count in thinned) == len(arrivals)
    assert _silences([arrivals[place] for place, _ in thinned]) == _silences(arrivals)


def _silences(arrivals: list[datetime]) -> list[tuple[datetime, datetime]]:
    return [(one, two) for one, two in pairwise(arrivals) if two - one > JUMP]
