"""Backtests over files leave out what no rule needs, and decide what looking at every event decides."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from importlib import resources
from itertools import accumulate
from pathlib import Path
from random import Random

import msgspec
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from alerts.backtest.trial import Occurrence, Trial
from alerts.rulebook.book import Rulebook
from connectors.feed import Form
from ioc.bootstrap.backtests import Account
from ioc.bootstrap.knowledge import load_world
from ioc.cli import make_app
from ioc.domain.events import Event
from ioc.domain.ids import event_id
from ioc.domain.kinds import KINDS, AirReading, CameraStatus, Crowd, Feeder, Payload, TrafficFlow
from ioc.errors import UnreadableFileError
from ioc.recordings.columns import ColumnWriter, to_row
from ioc.recordings.envelopes import encode_line
from ioc.replaying.backtests import backtest_files
from ioc.replaying.sources import Recording, find_recordings
from ioc.settings import Settings

RULES = Path(str(resources.files("alerts").joinpath("rules")))
START = datetime(2026, 11, 23, 2, tzinfo=UTC)
Write = Callable[[Path, Sequence[Event]], None]

_SOURCES: Sequence[tuple[str, int, int, Callable[[Random], Payload]]] = (
    ("feeder.", 12, 20, lambda r: Feeder(power_kw=r.uniform(1, 9))),
    ("road.", 10, 30, lambda r: TrafficFlow(vehicles_count=3, speed_km_h=30.0)),
    ("camera.", 6, 15, lambda r: CameraStatus(status="ok")),
    ("air.", 4, 60, lambda r: AirReading(pm25_ug_m3=r.uniform(10, 160))),
    ("site.", 4, 60, lambda r: Crowd(density_p_m2=r.choice((0.5, 1.9, 3.0, 4.5)))),
)


def _make_events(seed: int) -> list[Event]:
    """Make eight hours: sources that fall silent or come late, nobody at all for a while, only cameras for a while."""
    random, events = Random(seed), []
    for name, count, every_s, make in _SOURCES:
        for number in range(count):
            at, quiet_until = START + timedelta(seconds=random.uniform(0, every_s)), START
            while at < START + timedelta(hours=8):
                at += timedelta(seconds=every_s * random.uniform(0.8, 1.2))
                minute = (at - START).total_seconds() / 60
                is_ours = 100 <= minute < 106 or 300 <= minute < 340
                only_cameras = (200 <= minute < 215 or minute >= 468) and name != "camera."
                if random.random() < 0.006:
                    quiet_until = at + timedelta(minutes=random.choice((2, 4, 9, 40)))
                if at < quiet_until or is_ours or only_cameras:
                    continue
                late_s = random.choice((70, 900)) if random.random() < 0.05 else 1
                data, asset_id = make(random), f"{name}{number}"
                events.append(
                    Event(
                        event_id=event_id("test", asset_id, at, data.KIND), feed_id="test", asset_id=asset_id,
                        observed_at=at - timedelta(seconds=late_s), received_at=at, data=data, unit_code="06652",
                    )
                )  # fmt: skip
    return sorted(events, key=lambda made: made.received_at)


def _event(asset_id: str, at: datetime, data: Payload) -> Event:
    return Event(
        event_id=event_id("test", asset_id, at, data.KIND), feed_id="test", asset_id=asset_id, observed_at=at,
        received_at=at, data=data, unit_code="06652",
    )  # fmt: skip


def _write_lines(path: Path, events: Sequence[Event], *, extra: bytes = b"") -> None:
    with pa.CompressedOutputStream(path, "zstd") as out:
        out.write(b"".join(map(encode_line, events)) + extra)


def _one_file(folder: Path, events: Sequence[Event]) -> None:
    _write_lines(folder / "a.ndjson.zst", events)


def _four_partitions(folder: Path, events: Sequence[Event]) -> None:
    for number in range(4):
        mine = [event for event in events if sum(event.asset_id.encode()) % 4 == number]
        _write_lines(folder / f"p{number}.ndjson.zst", mine)


def _columns(folder: Path, events: Sequence[Event]) -> None:
    for kind in {event.kind for event in events}:
        writer = ColumnWriter(folder / f"{kind}.parquet", KINDS[kind])
        writer.write(to_row(event) for event in events if event.kind == kind)
        writer.commit()


def _lines_and_columns(folder: Path, events: Sequence[Event]) -> None:
    _columns(folder, [event for event in events if event.kind in ("energy.feeder", "camera.status")])
    _write_lines(folder / "a.ndjson.zst", [e for e in events if e.kind not in ("energy.feeder", "camera.status")])


def _written_by_others(folder: Path, events: Sequence[Event]) -> None:
    """Write lines whose fields stand in another order, with fields that are not ours and ids without dashes."""
    lines = []
    for number, event in enumerate(events):
        line = json.loads(encode_line(event))
        if number % 50 == 0:
            line["event_id"] = line["event_id"].replace("-", "")
        lines.append(json.dumps({"count": 7, **dict(reversed(line.items()))}).encode() + b"\n")
    with pa.CompressedOutputStream(folder / "a.ndjson.zst", "zstd") as out:
        out.write(b"".join(lines))


async def _backtest(folder: Path, tmp_path: Path, *, stops: bool = False) -> Account:
    settings, shown = Settings(data_dir=tmp_path / "data"), []
    account = await backtest_files(
        settings, Rulebook.load([RULES]), find_recordings(folder), None,
        on_progress=lambda files, at: shown.append((sum(file.events_count for file in files.values()), at)),
        is_stopped=lambda: stops,
    )  # fmt: skip
    assert shown
    assert stops or shown[-1][0] == account.events_count
    return account


def _look_at_all(events: Sequence[Event]) -> list[Occurrence]:
    book = Rulebook.load([RULES])
    trial = Trial(book, book, load_world(), partitions=Settings().log.partitions)
    for start in range(0, len(events), 4_000):
        trial.take(events[start : start + 4_000])
    return trial.finish()[0]


@pytest.mark.parametrize("write", [_one_file, _four_partitions, _columns, _lines_and_columns, _written_by_others])
@pytest.mark.parametrize("slice_events", [700, 50_000])
async def test_what_is_left_out_changes_no_alert(write: Write, slice_events, tmp_path, monkeypatch):
    monkeypatch.setattr("ioc.replaying.backtests._SLICE_EVENTS", slice_events)
    monkeypatch.setattr("ioc.recordings.columns.GROUP_ROWS", 3_000)
    monkeypatch.setattr("ioc.recordings.lines._READ_BYTES", 100_000)
    events, folder = _make_events(7), tmp_path / "recording"
    folder.mkdir()
    write(folder, events)
    account = await _backtest(folder, tmp_path)
    expected = _look_at_all(events)
    assert {"air.vn_aqi_hour", "crowd.density", "station.silent"} <= {item.rule_id for item in expected}
    assert len(expected) > 100
    assert list(account.comparison.draft) == expected
    assert account.comparison.added == account.comparison.gone == []
    assert account.events_count == len(events)
    assert (account.period.start, account.period.end) == (events[0].received_at, events[-1].received_at)
    assert account.unreadable == []


@pytest.mark.parametrize("step_s", [37, 60])
async def test_readings_that_come_in_the_same_instant_change_no_alert(step_s, tmp_path):
    """Sources that send what they buffered, and those that send on whole minutes."""
    made = sorted(_make_events(11), key=lambda event: (event.received_at - START) // timedelta(seconds=step_s))
    events = [
        msgspec.structs.replace(event, received_at=START + (event.received_at - START) // step * step)
        for event in made
        for step in [timedelta(seconds=step_s)]
    ]
    _one_file(tmp_path, events)
    account = await _backtest(tmp_path / "a.ndjson.zst", tmp_path)
    assert list(account.comparison.draft) == _look_at_all(events)


async def test_a_stretch_that_ends_when_silence_is_due_is_no_silence(tmp_path):
    minutes = [*range(4), *range(30, 34)]
    events = [
        _event(f"feeder.{number}", START + timedelta(minutes=minute), Feeder(power_kw=3.0))
        for minute in minutes
        for number in range(4)
    ]
    events += [_event("camera.1", START + timedelta(seconds=30 * n), CameraStatus(status="ok")) for n in range(90)]
    events.sort(key=lambda event: event.received_at)
    _one_file(tmp_path, events)
    account = await _backtest(tmp_path / "a.ndjson.zst", tmp_path)
    assert list(account.comparison.draft) == _look_at_all(events)


async def test_a_play_that_is_stopped_says_how_far_it_came(tmp_path, monkeypatch):
    monkeypatch.setattr("ioc.replaying.backtests._SLICE_EVENTS", 700)
    events = _make_events(3)
    _one_file(tmp_path, events)
    account = await _backtest(tmp_path / "a.ndjson.zst", tmp_path, stops=True)
    assert account.is_partial
    assert 0 < account.events_count < len(events)
    assert account.comparison.until is not None
    assert START < account.comparison.until < events[-1].received_at


def test_lines_that_cannot_be_read_are_named_and_the_others_count(tmp_path, monkeypatch):
    monkeypatch.setenv("IOC_DATA_DIR", str(tmp_path / "data"))
    events, path = _make_events(5)[:900], tmp_path / "x.ndjson.zst"
    crowd = next(event for event in events if isinstance(event.data, Crowd))
    lacking = encode_line(crowd).replace(b'"feed_id"', b'"fed_id"')
    _write_lines(path, events, extra=lacking + b"{broken\n" + encode_line(events[-1]))
    said = CliRunner().invoke(make_app(), ["backtest", "--rules", str(RULES / "28-crowd.yaml"), str(path)])
    assert said.exit_code == 0, said.output
    assert "901 events" in said.output
    assert "ioc: not read: x.ndjson.zst, line 901: Object missing required field `feed_id`" in said.output
    assert "x.ndjson.zst, line 902: JSON is malformed" in said.output


def test_of_many_lines_that_cannot_be_read_the_first_are_named_and_all_are_counted(tmp_path, monkeypatch):
    monkeypatch.setenv("IOC_DATA_DIR", str(tmp_path / "data"))
    path, found = tmp_path / "x.ndjson.zst", tmp_path / "found.json"
    _write_lines(path, _make_events(5)[:10], extra=b"{broken\n" * 130)
    said = CliRunner().invoke(
        make_app(), ["backtest", "--rules", str(RULES / "28-crowd.yaml"), str(path), "--json", str(found)]
    )
    assert said.exit_code == 0, said.output
    assert said.output.count("not read: x.ndjson.zst, line ") == 100
    assert "ioc: not read: 30 more\n" in said.output
    written = json.loads(found.read_text(encoding="utf-8"))
    assert (len(written["unreadable"]), written["unreadable_count"], written["events"]) == (100, 130, 10)


def _cameras(count: int) -> list[Event]:
    return [_event("camera.1", START + timedelta(seconds=number), CameraStatus(status="ok")) for number in range(count)]


async def test_a_play_of_what_no_rule_looks_at_has_turns_for_whoever_stops_it(tmp_path, monkeypatch):
    monkeypatch.setattr("ioc.replaying.backtests._SLICE_EVENTS", 5_000)
    monkeypatch.setattr("ioc.recordings.lines._READ_BYTES", 10_000)
    _one_file(tmp_path, _cameras(20_000))
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    counting = asyncio.create_task(count_turns())
    account = await backtest_files(
        Settings(data_dir=tmp_path / "data"), Rulebook.load([RULES / "28-crowd.yaml"]),
        find_recordings(tmp_path / "a.ndjson.zst"), None, on_progress=lambda files, at: None,
        is_stopped=lambda: turns > 30,
    )  # fmt: skip
    counting.cancel()
    assert account.is_partial
    assert 5_000 <= account.events_count < 10_000


@pytest.mark.parametrize("form", ["lines", "wire"])
async def test_a_play_in_which_nothing_can_be_read_can_be_stopped(form, tmp_path, monkeypatch):
    monkeypatch.setattr("ioc.replaying.backtests._SLICE_EVENTS", 2_000)
    monkeypatch.setattr("ioc.recordings.lines._READ_BYTES", 10_000)
    if form == "lines":
        path = tmp_path / "a.ndjson.zst"
        _write_lines(path, _cameras(1), extra=b"{broken\n" * 50_000)
        sources = find_recordings(path)
    else:
        path = tmp_path / "a.nmea"
        path.write_bytes(b"rubbish\n" * 50_000)
        sources = [Recording(path=path, feed_id="vessels", form=Form.NMEA)]
    asked = 0

    def is_stopped() -> bool:
        nonlocal asked
        asked += 1
        return asked == 3

    account = await backtest_files(
        Settings(data_dir=tmp_path / "data"), Rulebook.load([RULES / "28-crowd.yaml"]), sources, None,
        on_progress=lambda files, at: None, is_stopped=is_stopped,
    )  # fmt: skip
    assert account.is_partial
    assert 100 <= account.unreadable_count < 25_000
    assert len(account.unreadable) == 100


async def test_arrival_that_goes_back_changes_no_alert(tmp_path):
    """Processes that write one log stamp arrivals each by itself: milliseconds may go back where a silence ends.

    What is stamped with an earlier instant came when the log had reached the latest, be that of what nobody asked for.
    """
    waits = [(0, "x"), (0, "y"), (30, "x"), (30, "y"), (60, "x"), (60, "y"), (119.995, "y"), (240, "y"), (239.99, "z")]
    events = [
        _event(f"feeder.{name}", START + timedelta(seconds=at), Feeder(power_kw=1.0))
        for at, name in [*waits, (260, "x"), (200, "w"), (199, "w"), (420, "w"), (600, "x")]
    ]
    for at, asset_id in [(600.1, "camera.1"), (600.9, "camera.1"), (600.2, "feeder.v"), (600.5, "camera.1")]:
        data = Feeder(power_kw=1.0) if asset_id == "feeder.v" else CameraStatus(status="ok")
        events.append(_event(asset_id, START + timedelta(seconds=at), data))
    events += [_event("feeder.x", START + timedelta(seconds=at), Feeder(power_kw=1.0)) for at in range(660, 1500, 60)]
    rule = (RULES / "09-station-silent.yaml").read_text(encoding="utf-8").partition("tests:")[0]
    at_once = Rulebook.read(rule.replace("settle: 60s", "settle: 0s").replace("least: 3", "least: 99"), "x.yaml")
    expected = Trial(at_once, at_once, load_world())
    reached = accumulate([event.received_at for event in events], max)
    expected.take([msgspec.structs.replace(event, received_at=at) for event, at in zip(events, reached, strict=True)])
    _one_file(tmp_path, events)
    for slice_events, block_bytes in ((1, 300), (2, 300), (3, 300), (50_000, 300), (50_000, 100_000)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("ioc.replaying.backtests._SLICE_EVENTS", slice_events)
            patch.setattr("ioc.recordings.lines._READ_BYTES", block_bytes)
            patch.setattr("ioc.replaying.backtests.load_rulebook", lambda settings: at_once)
            account = await backtest_files(
                Settings(data_dir=tmp_path / "data"), at_once, find_recordings(tmp_path / "a.ndjson.zst"), None,
                on_progress=lambda files, at: None, is_stopped=lambda: False,
            )  # fmt: skip
        assert list(account.comparison.draft) == expected.finish()[0], (slice_events, block_bytes)


async def test_whoever_stops_when_all_is_done_has_the_whole(tmp_path):
    events = _cameras(50)
    _one_file(tmp_path, events)
    account = await _backtest(tmp_path / "a.ndjson.zst", tmp_path, stops=True)
    assert (account.is_partial, account.events_count) == (False, 50)
    assert account.comparison.until == events[-1].received_at


async def test_a_file_that_breaks_off_is_one_error(tmp_path):
    _one_file(tmp_path, _cameras(5_000))
    path = tmp_path / "a.ndjson.zst"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UnreadableFileError, match=r"a\.ndjson\.zst"):
        await _backtest(path, tmp_path)
