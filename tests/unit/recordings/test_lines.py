"""What stands in a recording's lines is read, counted and refused in its place, whatever stands beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from ioc.domain.events import Event
from ioc.recordings.envelopes import encode_line
from ioc.recordings.lines import EVERYTHING, Asked, Block, Item, Passed, Spoken, count_events, read_blocks, to_events
from tests.support.logs import event

EVENTS = [event(number) for number in range(6)]
LINES = [encode_line(made) for made in EVENTS]
KIND = EVENTS[0].kind


def _read(folder: Path, text: bytes, asked: Asked = EVERYTHING) -> Block:
    path = folder / "x.ndjson.zst"
    with pa.CompressedOutputStream(path, "zstd") as out:
        out.write(text)
    (block,) = read_blocks(path, asked)
    assert block.events_count == count_events(block.items)
    return block


def _made(items: list[Item]) -> list[Event]:
    return to_events(KIND, [item for item in items if not isinstance(item, Passed)])


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\n\n \n"])
def test_empty_lines_count_for_nothing_and_keep_the_places_of_others(tmp_path, end):
    text = b"\n" + LINES[0] + b"  \n\n" + LINES[1] + b"{broken\n" + LINES[2].removesuffix(b"\n") + end
    block = _read(tmp_path, text)
    assert _made(block.items) == EVENTS[:3]
    assert [(line.index, line.raw) for line in block.rejected] == [(5, b"{broken")]
    sound = _read(tmp_path, text.replace(b"{broken", b""))
    assert (_made(sound.items), sound.rejected) == (EVENTS[:3], [])


@pytest.mark.parametrize("end", [b"", b"\n", b" \n"])
def test_two_objects_in_a_line_are_refused(tmp_path, end):
    """Also beside an empty line, with which there are as many objects as lines."""
    block = _read(tmp_path, LINES[0] + LINES[1].removesuffix(b"\n") + LINES[2] + LINES[3] + end)
    assert _made(block.items) == [EVENTS[0], EVENTS[3]]
    assert [line.index for line in block.rejected] == [1]


@pytest.mark.parametrize("fields", [LINES[1][1:-1], b'"note":"}\\n{",' + LINES[1][1:-1]])
@pytest.mark.parametrize("blank", [b"\n", b" \n", b"\r\n"])
def test_an_empty_line_is_no_gap_between_two_objects_of_another_line(tmp_path, fields, blank):
    """There are as many gaps as lines that end, and what an object quotes is none."""
    text = LINES[0] + b"{" + fields + LINES[2] + LINES[3] + blank + LINES[4] + b"{broken\n"
    block = _read(tmp_path, text)
    assert _made(block.items) == [EVENTS[0], EVENTS[3], EVENTS[4]]
    assert [line.index for line in block.rejected] == [1, 5]


def test_blanks_before_the_end_of_a_line_leave_it_one(tmp_path):
    text = b"".join(line.replace(b"\n", end) for line, end in zip(LINES, [b"\r\n", b" \n", b"\n"] * 2, strict=True))
    block = _read(tmp_path, text)
    assert (_made(block.items), block.rejected) == (EVENTS, [])


def test_dashes_of_an_id_may_stand_elsewhere(tmp_path):
    line = json.loads(LINES[1])
    digits = line["event_id"].replace("-", "")
    line["event_id"] = f"{digits[:4]}-{digits[4:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:]}"
    block = _read(tmp_path, LINES[0] + json.dumps(line).encode() + b"\n" + LINES[2])
    assert (_made(block.items), block.rejected) == (EVENTS[:3], [])


@pytest.mark.parametrize("asked", [EVERYTHING, Asked(kinds={KIND}, heard={KIND}), Asked(kinds=())])
def test_a_line_with_a_fault_leaves_its_neighbours_as_they_are(tmp_path, asked):
    unknown = LINES[2].replace(KIND.encode(), b"no.such_kind")
    block = _read(tmp_path, b"".join([*LINES[:2], unknown, *LINES[2:]]), asked)
    whole = _read(tmp_path, b"".join(LINES), asked)
    assert [line.index for line in block.rejected] == [2]
    assert block.events_count == whole.events_count == len(EVENTS)
    if asked.kinds:
        assert _made(block.items) == _made(whole.items) == EVENTS
        assert {isinstance(item, Spoken) for item in block.items} == {bool(asked.heard)}
    else:
        assert block.items == whole.items


@pytest.mark.parametrize("heard", [frozenset(), frozenset({KIND})])
def test_an_id_that_is_none_is_refused_even_if_its_neighbour_makes_up_for_it(tmp_path, heard):
    """Digits of all ids are read as one text: one too short and one too long must not pass together."""
    lines = [json.loads(line) for line in LINES]
    lines[1]["event_id"] = "0" * 30 + "-" * 6
    lines[2]["event_id"] = "0" * 34 + "--"
    lines[4]["event_id"] = "g" * 36
    text = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    block = _read(tmp_path, text, Asked(kinds={KIND}, heard=heard))
    assert [line.index for line in block.rejected] == [1, 2, 4]
    assert _made(block.items) == [EVENTS[0], EVENTS[3], EVENTS[5]]


def test_an_id_without_dashes_is_one(tmp_path):
    line = json.loads(LINES[1])
    line["event_id"] = line["event_id"].replace("-", "")
    text = LINES[0] + json.dumps(line).encode() + b"\n"
    block = _read(tmp_path, text, Asked(kinds={KIND}, heard={KIND}))
    assert _made(block.items) == EVENTS[:2]
    assert isinstance(block.items[0], Spoken)


def test_a_last_line_without_an_end_is_one(tmp_path):
    path = tmp_path / "x.ndjson.zst"
    with pa.CompressedOutputStream(path, "zstd") as out:
        out.write(LINES[0] + b"\n" + LINES[1] + b"{broken")
    blocks = list(read_blocks(path))
    assert _made([item for block in blocks for item in block.items]) == EVENTS[:2]
    assert [line.index for block in blocks for line in block.rejected] == [3]
