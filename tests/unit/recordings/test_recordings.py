"""Recordings hold what was written, whole or not at all, and say so when they were harmed."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from random import Random

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ioc.domain.events import Event
from ioc.domain.ids import event_id
from ioc.domain.kinds import KINDS
from ioc.errors import ConfigurationError, MalformedPayloadError, UnreadableFileError
from ioc.recordings import columns
from ioc.recordings.columns import ColumnWriter, list_runs, read_run, to_row
from ioc.recordings.envelopes import EnvelopeWriter, decode_line, encode_line
from ioc.recordings.lines import read_blocks
from ioc.recordings.manifest import Manifest, check_file, read_manifest
from ioc.recordings.recorder import RecordedForm, Recorder, Rotation
from ioc.recordings.selection import read_selection
from ioc.replaying.sources import find_recordings
from tests.support.logs import START, event

AIR = KINDS["env.air.reading"]


def _sample(kind_name: str, random: Random) -> Event:
    """Make an event of a kind with a value in every field, or nothing where that is allowed."""
    kind = KINDS[kind_name]
    values = []
    for field in kind.fields:
        made = {
            float: float(random.randrange(50)), int: random.randrange(50), str: f"chữ {random.randrange(9)}",
            bool: random.random() < 0.5, datetime: START + timedelta(microseconds=random.randrange(10**9)),
            date: date(2026, 11, 1 + random.randrange(28)),
        }[field.type]  # fmt: skip
        values.append(None if field.optional and random.random() < 0.5 else made)
    at = START + timedelta(microseconds=random.randrange(10**10))
    return Event(
        event_id=event_id("test", "x", at, kind_name), feed_id="test", asset_id="x.1", observed_at=at,
        received_at=at + timedelta(seconds=2), data=msgspec.convert([kind_name, *values], kind.payload),
        lon_deg=107.0, lat_deg=None, quality=random.randrange(4),
    )  # fmt: skip


@pytest.mark.parametrize("kind_name", KINDS)
def test_every_kind_comes_back_from_lines_and_from_columns(kind_name, tmp_path):
    random = Random(kind_name)
    events = sorted((_sample(kind_name, random) for _ in range(20)), key=lambda made: made.received_at)
    assert [decode_line(encode_line(made)) for made in events] == events
    writer = ColumnWriter(tmp_path / "x.parquet", KINDS[kind_name])
    writer.write(map(to_row, events))
    writer.commit()
    assert [made for run in list_runs(tmp_path / "x.parquet") for made in read_run(run)] == events


@settings(max_examples=50, deadline=None)
@given(line=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_a_line_that_is_no_event_is_refused_with_a_reason(line):
    with pytest.raises(MalformedPayloadError):
        decode_line(line)


def test_a_field_that_is_new_takes_its_default_and_one_that_is_gone_is_left_aside():
    line = json.loads(encode_line(event(1)))
    del line["data"]["rh_pct"]
    line["data"]["long_gone"] = 3
    assert decode_line(json.dumps(line).encode()) == event(1)


def test_units_and_names_stand_in_the_columns_metadata(tmp_path):
    ColumnWriter(tmp_path / "x.parquet", AIR).commit()
    schema = pq.read_schema(tmp_path / "x.parquet")
    notes = schema.field("pm25_ug_m3").metadata
    assert (notes[b"unit"].decode(), notes[b"en"].decode()) == ("µg/m³", "PM2.5")
    assert schema.metadata[b"ioc.kind"] == b"env.air.reading"


@pytest.mark.parametrize("is_cut", [True, False])
def test_lines_that_are_cut_short_give_what_is_sound_and_then_an_error(tmp_path, is_cut):
    path = tmp_path / "x.ndjson.zst"
    writer = EnvelopeWriter(path)
    writer.write([event(number) for number in range(20_000)])
    writer.commit()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if is_cut else b"{}" + whole)
    seen = []
    with pytest.raises(UnreadableFileError, match=r"x\.ndjson\.zst"):
        seen += [item for block in read_blocks(path) for item in block.items]


@pytest.mark.parametrize("form", list(RecordedForm))
def test_a_recorder_that_is_killed_leaves_only_whole_files_and_a_manifest_of_them(tmp_path, form):
    recorder = _recorder(tmp_path, [form], most_bytes=20_000)
    recorder.write(0, [event(number) for number in range(20_000)])
    recorder.write(0, [event(number) for number in range(20_000, 20_100)])
    # Nothing is closed here: this is what lies on the disk when the power goes.
    manifest = read_manifest(tmp_path / "r")
    assert not manifest.is_complete
    assert [file.events_count for file in manifest.files] == [20_000]
    assert list((tmp_path / "r").glob("*.partial"))
    found = find_recordings(tmp_path / "r")
    assert [file.path.name for file in found] == [file.name for file in manifest.files]
    for file in manifest.files:
        check_file(tmp_path / "r", file)
    recorder.close()


def test_a_recording_is_described_and_altered_files_are_noticed(tmp_path):
    recorder = _recorder(tmp_path, list(RecordedForm))
    recorder.write(0, [event(1), event(2)])
    recorder.write(3, [event(3)])
    manifest = recorder.close()
    assert read_manifest(tmp_path / "r") == manifest
    assert manifest.is_complete
    assert (manifest.scenario, manifest.seed, manifest.events_count) == ("squall", 7, 3)
    lines = [file for file in manifest.files if file.form == "ndjson"]
    assert [(file.name, file.events_count) for file in lines] == [
        ("events-p0-00001.ndjson.zst", 2),
        ("events-p3-00001.ndjson.zst", 1),
    ]
    path = tmp_path / "r" / lines[0].name
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    with pytest.raises(UnreadableFileError, match="differs from what its manifest says"):
        check_file(tmp_path / "r", lines[0])


def test_files_begin_anew_when_they_are_old_enough(tmp_path):
    now = START
    recorder = Recorder(
        tmp_path / "r", forms=[RecordedForm.NDJSON], manifest=Manifest(),
        rotation=Rotation(most_age=timedelta(hours=1)), now=lambda: now,
    )  # fmt: skip
    recorder.write(0, [event(1)])
    now += timedelta(minutes=61)
    recorder.rotate()
    assert len(read_manifest(tmp_path / "r").files) == 1
    recorder.write(0, [event(2)])
    assert [file.events_count for file in recorder.close().files] == [1, 1]


def test_a_folder_that_holds_something_is_not_written_to(tmp_path):
    _recorder(tmp_path, [RecordedForm.NDJSON]).close()
    with pytest.raises(ConfigurationError, match="not empty"):
        _recorder(tmp_path, [RecordedForm.NDJSON])


def test_an_empty_recording_is_one(tmp_path):
    _recorder(tmp_path, list(RecordedForm)).close()
    assert find_recordings(tmp_path / "r") == []
    with pytest.raises(ConfigurationError, match="holds no recording"):
        find_recordings(tmp_path)


def test_rows_that_come_out_of_order_are_runs_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(columns, "GROUP_ROWS", 10)
    numbers = list(range(100))
    Random(1).shuffle(numbers)
    writer = ColumnWriter(tmp_path / "x.parquet", AIR)
    writer.write(to_row(event(number)) for number in numbers)
    writer.commit()
    runs = [read_run(run) for run in list_runs(tmp_path / "x.parquet")]
    assert len(runs) == 10
    for run in runs:
        assert run == sorted(run, key=lambda made: made.received_at)


@pytest.mark.parametrize(
    ("filters", "takes"),
    [
        ([], True), (["feed=air"], True), (["feed=weather"], False), (["feed=weather", "feed=a*"], True),
        (["kind=env.*", "asset=air.station-1"], True), (["kind=env.*", "asset=air.station-2"], False),
        (["bbox=106,20,108,21"], True), (["bbox=107.2,20,108,21"], False),
    ],
)  # fmt: skip
def test_filters_of_one_key_widen_and_those_of_two_narrow(filters, takes):
    made = msgspec.structs.replace(event(1), lon_deg=107.1, lat_deg=20.5)
    assert read_selection(filters).takes(made) is takes


def test_what_has_no_place_lies_in_no_box():
    assert not read_selection(["bbox=-180,-90,180,90"]).takes(event(1))


@pytest.mark.parametrize(
    "filters", [["feed"], ["colour=red"], ["bbox=1,2,3"], ["bbox=3,2,1,4"], ["bbox=1,2,3,4", "bbox=1,2,3,4"]]
)
def test_a_filter_that_says_nothing_is_refused(filters):
    with pytest.raises(ConfigurationError):
        read_selection(filters)


def test_a_span_ends_after_it_begins():
    with pytest.raises(ConfigurationError):
        read_selection([], start_at=START, end_at=START)


def test_the_manifest_names_no_file_outside_its_folder(tmp_path):
    recorder = _recorder(tmp_path, [RecordedForm.NDJSON])
    recorder.write(0, [event(1)])
    recorder.close()
    path = tmp_path / "r" / "manifest.json"
    path.write_text(path.read_text().replace("events-p0-00001", "../events-p0-00001"))
    with pytest.raises(UnreadableFileError, match="outside"):
        read_manifest(tmp_path / "r")


def _recorder(tmp_path, forms, *, most_bytes: int = 10**9) -> Recorder:
    return Recorder(
        tmp_path / "r", forms=forms, manifest=Manifest(scenario="squall", seed=7),
        rotation=Rotation(most_bytes=most_bytes), now=lambda: datetime.now(UTC),
    )  # fmt: skip


def _table(events: list[Event]) -> pa.Table:
    schema = columns.to_schema(KINDS[events[0].kind])
    values = zip(*map(to_row, events), strict=True)
    return pa.Table.from_arrays(
        [pa.array(column, type=field.type) for field, column in zip(schema, values, strict=True)], schema=schema
    )


def test_groups_without_rows_are_passed_over(tmp_path):
    table, path = _table([event(1), event(2)]), tmp_path / "x.parquet"
    with pq.ParquetWriter(path, table.schema) as writer:
        for part in (table.slice(0, 0), table, table.slice(0, 0)):
            writer.write_table(part)
    (run,) = list_runs(path)
    assert read_run(run) == [event(1), event(2)]
    pq.write_table(table.slice(0, 0), path)
    assert list_runs(path) == []


def test_columns_may_stand_in_any_order(tmp_path):
    table, path = _table([event(1), event(2)]), tmp_path / "x.parquet"
    pq.write_table(table.select(table.column_names[::-1]), path)
    (run,) = list_runs(path)
    assert (run.begins_at, read_run(run)) == (event(1).received_at, [event(1), event(2)])


def _replace(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), pa.field(name, column.type), column)


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda t: _replace(t, "received_at", pa.array([1_800_000_000_000_000_001] * 2, pa.timestamp("ns", "UTC"))),
         "received_at holds no instants in microseconds"),
        (lambda t: _replace(t, "received_at", pa.array(["today", "now"])), "received_at holds no instants"),
        (lambda t: _replace(t, "received_at", pa.array([None, START], pa.timestamp("us", "UTC"))), "received_at is"),
        (lambda t: _replace(t, "observed_at", pa.array(["today", "now"])), "Failed to parse string"),
        (lambda t: _replace(t, "event_id", pa.array([None, b"1" * 16])), "event_id is empty in 1 rows"),
        (lambda t: t.append_column("received_at", t.column("received_at")), "received_at"),
        (lambda t: t.drop_columns("quality"), "lacks the columns quality"),
    ],
)  # fmt: skip
def test_columns_that_do_not_fit_are_one_error(tmp_path, harm, reason):
    path = tmp_path / "x.parquet"
    pq.write_table(harm(_table([event(1), event(2)])), path)
    with pytest.raises(UnreadableFileError, match=f"x.parquet: .*{reason}"):
        list(map(read_run, list_runs(path)))
