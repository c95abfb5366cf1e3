"""Recorded files, plain or gzipped: every line accounted for, resumable, imported twice without a change."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.feed import Form
from connectors.intake import Intake
from connectors.transports.files import FileImport, FileProgress
from ioc.errors import LogUnavailableError, MalformedPayloadError, UnreadableFileError
from tests.support.feeds import FakeLog, HastyClock, fresh_feed
from tests.support.servers import data_file

START = datetime(2026, 11, 23, tzinfo=UTC)


def _record(number: int) -> dict[str, object]:
    at = START + timedelta(seconds=number)
    return {"station": "air.hong-gai", "time": at.isoformat(), "pm25": float(number % 50)}


def _lines(count: int) -> list[bytes]:
    """Readings with a broken line, a repeated line, a zero, a null and an empty line among them."""
    lines = [json.dumps(_record(number)).encode() + b"\n" for number in range(count)]
    lines[3] = b'{"station":"air.hong-gai","time":"2026-11-23T00:00:03Z","pm25":null}\n'
    lines[5] = b"{half a li\n"
    lines[7] = lines[6]
    lines[9] = b"\n"
    return lines


def _csv(count: int) -> bytes:
    rows = [f"air.hong-gai,{_record(number)['time']},{_record(number)['pm25']}" for number in range(count)]
    rows[2] = "air.hong-gai,yesterday,1"
    rows[4] = "air.hong-gai,too,many,cells,here"
    return ("station,time,pm25\r\n" + "\r\n".join(rows) + "\r\n").encode()


def _import(log: FakeLog, form: Form, **settings: object) -> FileImport:
    return FileImport(fresh_feed("air"), Intake(log), HastyClock(), form=form, **settings)


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
async def test_lines_of_json_come_in_with_progress(tmp_path, compress):
    path, log, seen = tmp_path / "readings.jsonl", FakeLog(), list[FileProgress]()
    path.write_bytes(compress(b"".join(_lines(1_000))))
    end = await _import(log, Form.NDJSON, batch_lines=100, on_progress=seen.append).run(path)
    assert (end.events_count, end.rejected_count, end.next_line) == (998, 1, 1_000)
    assert [progress.next_line for progress in seen] == list(range(100, 1_001, 100))
    assert [progress.bytes_read for progress in seen] == sorted(progress.bytes_read for progress in seen)
    assert end.bytes_read == end.bytes_count == path.stat().st_size
    assert [letter.raw for letter in log.letters] == [b"{half a li"]
    assert log.events[0].data.pm25_ug_m3 == 0
    assert log.events[3].data.pm25_ug_m3 is None


async def test_rows_of_csv_come_in_and_a_broken_row_is_kept_with_its_header(tmp_path):
    path, log = tmp_path / "readings.csv", FakeLog()
    path.write_bytes(_csv(300))
    end = await _import(log, Form.CSV, batch_lines=7).run(path)
    assert (end.events_count, end.rejected_count, end.next_line) == (298, 2, 300)
    assert sorted(letter.raw for letter in log.letters) == [
        b"station,time,pm25\nair.hong-gai,too,many,cells,here",
        b"station,time,pm25\nair.hong-gai,yesterday,1",
    ]


async def test_an_import_that_broke_off_goes_on_where_it_was(tmp_path):
    path, log, seen = tmp_path / "readings.csv", FakeLog(), list[FileProgress]()
    path.write_bytes(_csv(100))
    log.faults = []

    def stop_in_the_middle(progress: FileProgress) -> None:
        seen.append(progress)
        if progress.next_line == 50:
            log.faults.append(LogUnavailableError("full"))

    with pytest.raises(LogUnavailableError):
        await _import(log, Form.CSV, batch_lines=10, on_progress=stop_in_the_middle).run(path)
    assert seen[-1].next_line == 50
    await _import(log, Form.CSV, batch_lines=10).run(path, start_line=seen[-1].next_line)
    whole = FakeLog()
    await _import(whole, Form.CSV).run(path)
    assert [event.event_id for event in log.events] == [event.event_id for event in whole.events]
    assert len({event.event_id for event in whole.events}) == 98


async def test_a_replay_arrives_at_the_sources_own_time_and_never_backwards(tmp_path):
    path, log = tmp_path / "readings.jsonl", FakeLog()
    lines = _lines(60)
    path.write_bytes(b"".join([*lines[30:], *lines[:30]]))
    await _import(log, Form.NDJSON, follows_event_time=True, batch_lines=8).run(path)
    arrivals = [event.received_at for event in log.events]
    assert arrivals == sorted(arrivals)
    assert arrivals[0] == log.events[0].observed_at
    assert timedelta(0) <= arrivals[-1] - (START + timedelta(seconds=59)) < timedelta(milliseconds=1)


async def test_a_file_without_its_header_is_refused_and_nothing_is_taken(tmp_path):
    log = FakeLog()
    empty, foreign = tmp_path / "empty.csv", tmp_path / "foreign.csv"
    empty.write_bytes(b"")
    foreign.write_bytes(b"a,b\n1,2\n")
    with pytest.raises(MalformedPayloadError):
        await _import(log, Form.CSV).run(empty)
    with pytest.raises(MalformedPayloadError):
        await _import(log, Form.UCI_501).run(foreign)
    assert log.appends == []


async def test_a_file_that_is_not_there_is_said_so(tmp_path: Path):
    with pytest.raises(UnreadableFileError, match="nothing: No such file"):
        await _import(FakeLog(), Form.NDJSON).run(tmp_path / "nothing")


@pytest.mark.parametrize("harm", [lambda packed: packed[:-200], lambda packed: packed[:400] + b"?" * 400])
async def test_what_came_before_a_gzip_file_breaks_off_is_kept(tmp_path, harm):
    path, log = tmp_path / "readings.jsonl.gz", FakeLog()
    path.write_bytes(harm(gzip.compress(b"".join(_lines(2_000)))))
    with pytest.raises(UnreadableFileError, match=r"readings\.jsonl\.gz: "):
        await _import(log, Form.NDJSON, batch_lines=10).run(path)
    assert 0 < len(log.events) < 1_998


async def test_what_is_refused_says_where_it_stood(tmp_path):
    json_path, csv_path, log = tmp_path / "readings.jsonl", tmp_path / "readings.csv", FakeLog()
    json_path.write_bytes(b"".join(_lines(30)))
    await _import(log, Form.NDJSON, batch_lines=4).run(json_path)
    csv_path.write_bytes(_csv(30))
    await _import(log, Form.CSV, batch_lines=4).run(csv_path)
    where = [letter.reason.partition(": ")[0] for letter in log.letters]
    assert where == ["readings.jsonl, line 6", "readings.csv, line 4", "readings.csv, line 6"]
    log.letters.clear()
    # With an empty line among them it is not known which one it was.
    await _import(log, Form.NDJSON, batch_lines=20).run(json_path)
    assert log.letters[0].reason.startswith("readings.jsonl, lines 1–20: ")


async def test_four_years_of_a_station_in_beijing_come_in_whole():
    path = data_file("air_quality", "PRSA_Data_Dongsi_20130301-20170228.csv.gz")
    with gzip.open(path) as text:
        row_count = sum(1 for _ in text) - 1
    log = FakeLog()
    end = await _import(log, Form.UCI_501, batch_lines=4_000).run(path)
    assert end.next_line == row_count
    assert end.events_count + end.rejected_count + end.ignored_count == row_count
    assert end.events_count > 0.9 * row_count
    assert len({event.event_id for event in log.events}) == end.events_count
