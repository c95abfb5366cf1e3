"""What was recorded plays again: same events, same alert changes; sought, filtered, looped, moved to now, or live."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import msgspec
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from ioc.bootstrap import Foundations, open_foundations, scratch
from ioc.bootstrap.foundations import open_log
from ioc.cli import main, make_app
from ioc.clocks import SystemClock
from ioc.delivery.signing import make_secret
from ioc.domain.events import Event
from ioc.domain.kinds import KINDS, UnitReport
from ioc.errors import DepartmentsListenError, UnreadableFileError
from ioc.ports import EventLog, Start, Topic
from ioc.recordings.columns import ColumnWriter, to_row
from ioc.recordings.manifest import Manifest, read_manifest
from ioc.recordings.recorder import RecordedForm, Recorder, Rotation
from ioc.recordings.selection import Selection, read_selection
from ioc.replaying import LiveReplay, Replay, ReplaySummary, Staging, find_recordings, record, write_changes
from ioc.replaying.merging import merge
from ioc.replaying.tracks import open_tracks
from ioc.sealing import Sealer
from ioc.settings import load as load_settings
from ioc.storage.audit import AuditLog
from ioc.storage.migrate import migrate_database
from ioc.storage.subscriptions import NewSubscription, SubscriptionStore, list_told
from tests.support.golden import CASES, dump, make_settings
from tests.support.logs import START, EmbeddedSubject, KafkaSubject, event

QUEUES = next(case for case in CASES if case.name == "queues")


@pytest.fixture
async def settings(plain_postgres_url, fresh_database, tmp_path):
    return make_settings(tmp_path / "data", await fresh_database(plain_postgres_url))


def _recorder(folder: Path, *forms: RecordedForm) -> Recorder:
    return Recorder(
        folder, forms=forms or list(RecordedForm), manifest=Manifest(), rotation=Rotation(),
        now=lambda: datetime.now(UTC),
    )  # fmt: skip


async def _capture(base: Foundations | EventLog, folder: Path, selection: Selection, *forms: RecordedForm):
    log = base.log if isinstance(base, Foundations) else base
    stop = asyncio.Event()
    recorder = _recorder(folder, *forms)
    return await record(log, recorder, selection, clock=SystemClock(), is_live=False, stop=stop)


async def _play(base: Foundations, folder: Path, **asked) -> ReplaySummary:
    return await Replay(base, find_recordings(folder), speed=None, on_progress=lambda *_: None, **asked).run()


async def test_what_was_recorded_from_the_log_decides_as_it_did_when_it_came_over_the_wire(settings, tmp_path):
    async with scratch(settings) as base:
        played = await Replay(base, dump(QUEUES, tmp_path), speed=None, on_progress=lambda *_: None).run()
        manifest, capture = await _capture(base, tmp_path / "r", Selection())
    assert manifest.events_count == capture.events_count == played.stored_count > 100
    assert manifest.is_complete
    lines, rows = tmp_path / "lines", tmp_path / "rows"
    for folder, suffix in ((lines, ".ndjson.zst"), (rows, ".parquet")):
        folder.mkdir()
        for file in (tmp_path / "r").glob(f"*{suffix}"):
            file.rename(folder / file.name)
    for folder in (lines, rows):
        async with scratch(settings) as base:
            again = await _play(base, folder)
            await write_changes(base, folder / "changes.jsonl")
        assert again.is_balanced
        assert again.stored_count == played.stored_count
        assert (folder / "changes.jsonl").read_bytes() == QUEUES.file.read_bytes()


@pytest.fixture
async def base(settings):
    async with scratch(settings) as base:
        yield base


@pytest.fixture
def recording(tmp_path) -> Path:
    """A hundred readings, one a second, over two partitions."""
    recorder = _recorder(tmp_path / "recording", RecordedForm.NDJSON)
    for partition in (0, 1):
        recorder.write(partition, [event(number) for number in range(100) if number % 23 % 2 == partition])
    recorder.close()
    return tmp_path / "recording"


async def test_seek_and_filter_leave_events_aside_and_the_counts_still_add_up(base, recording):
    staging = Staging(selection=read_selection(["asset=air.station-?"]), seek=timedelta(seconds=40))
    summary = await _play(base, recording, staging=staging)
    expected = [number for number in range(40, 100) if number % 23 < 10]
    assert summary.stored_count == len(expected)
    assert (summary.skipped_count, summary.filtered_count) == (40, 60 - len(expected))
    assert summary.is_balanced
    assert summary.begins_at == START + timedelta(seconds=expected[0])


async def test_rounds_follow_each_other_and_each_is_stored(base, recording):
    summary = await _play(base, recording, rounds=3)
    assert (summary.rounds_count, summary.stored_count, summary.duplicate_count) == (3, 300, 0)
    assert summary.ends_at == START + timedelta(seconds=99 + 100 + 100)
    assert summary.is_balanced


async def test_a_replay_ends_when_told_to_and_says_so(base, recording):
    stop = asyncio.Event()
    playing = Replay(
        base, find_recordings(recording), speed=None, on_progress=lambda *_: stop.set(), rounds=None, stop=stop
    )
    summary = await playing.run()
    assert summary.was_stopped
    assert summary.stored_count == 100


async def test_a_recording_that_was_altered_is_not_played(base, recording):
    path = next(recording.glob("events-p1*"))
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(UnreadableFileError, match="differs from what its manifest says"):
        await _play(base, recording)


async def test_a_broken_line_becomes_a_dead_letter(base, tmp_path):
    with pa.CompressedOutputStream(tmp_path / "x.ndjson.zst", "zstd") as out:
        out.write(b'{"event_id": 3}\n')
    summary = await _play(base, tmp_path / "x.ndjson.zst")
    assert (summary.rejected_count, summary.dead_letters_count) == (1, 1)
    assert summary.is_balanced


async def test_row_groups_out_of_order_play_in_the_order_of_arrival(base, tmp_path, monkeypatch):
    monkeypatch.setattr("ioc.recordings.columns.GROUP_ROWS", 10)
    numbers = list(range(100))
    Random(2).shuffle(numbers)
    for name, part in (("a", numbers[:50]), ("b", numbers[50:])):
        writer = ColumnWriter(tmp_path / "archive" / f"{name}.parquet", KINDS["env.air.reading"])
        writer.write(to_row(event(number)) for number in part)
        writer.commit()
    tracks = await open_tracks(base, find_recordings(tmp_path / "archive"), {})
    played = [made async for events, _ in merge(tracks, chunk_items=7) for made in events]
    assert played == [event(number) for number in range(100)]


def test_events_move_to_now_with_the_times_that_their_payloads_tell():
    made = msgspec.structs.replace(
        event(1),
        data=UnitReport(report_on=START.date(), status="submitted", due_at=START + timedelta(hours=3), items_count=1),
    )
    now = START + timedelta(days=10, hours=1)
    [moved, later] = Staging(begin_at=now).take([made, event(61)])
    assert moved.received_at == now
    assert moved.observed_at - made.observed_at == moved.data.due_at - made.data.due_at == now - made.received_at
    assert moved.data.report_on == START.date() + timedelta(days=10)
    assert moved.event_id != made.event_id
    assert later.observed_at - moved.observed_at == timedelta(seconds=60)
    [squeezed, sooner] = Staging(begin_at=now, speed=4).take([made, event(61)])
    assert sooner.received_at - squeezed.received_at == timedelta(seconds=15)


async def test_a_recording_plays_into_the_live_log_as_of_now_and_the_audit_log_knows(settings, recording):
    async with open_foundations(settings) as live:
        await migrate_database(settings.store.url.get_secret_value(), schema=settings.store.schema_name)
        began = datetime.now(UTC)
        playing = LiveReplay(
            live, find_recordings(recording), speed=500, on_progress=lambda *_: None, selection=Selection(),
            stop=asyncio.Event(),
        )  # fmt: skip
        summary = await playing.run()
        assert summary.appended_count == 100
        events = await _read(live.log, 100)
        assert {made.feed_id for made in events} == {"air"}
        assert min(made.observed_at for made in events) >= began - timedelta(seconds=1)
        assert max(made.observed_at for made in events) <= datetime.now(UTC)
        assert all(began <= made.received_at <= datetime.now(UTC) for made in events)
        noted = await AuditLog(live.database, live.clock).newest()
        assert [entry["action"] for entry in noted] == ["replay.end", "replay.begin"]
        assert noted[0]["detail"] == {"events": 100}


async def _subscribe(live: Foundations):
    subscriptions = SubscriptionStore(live.database, Sealer([bytes(32)]), live.clock, make_secret=make_secret)
    wanted = NewSubscription(department="so-y-te", url="https://so-y-te.example.vn/hook")
    subscription, _ = await subscriptions.add(wanted, created_by="lan")
    return subscriptions, subscription.subscription_id


async def test_trap_18_a_playback_into_the_live_log_reaches_no_department_unless_that_is_asked_for(settings, recording):
    async with open_foundations(settings) as live:
        await migrate_database(settings.store.url.get_secret_value(), schema=settings.store.schema_name)
        subscriptions, subscription_id = await _subscribe(live)

        def playing(**asked) -> LiveReplay:
            return LiveReplay(
                live, find_recordings(recording), speed=500, on_progress=lambda *_: None, selection=Selection(),
                stop=asyncio.Event(), **asked,
            )  # fmt: skip

        with pytest.raises(DepartmentsListenError, match="so-y-te"):
            await playing().run()
        assert await AuditLog(live.database, live.clock).newest() == []
        await subscriptions.set_enabled(subscription_id, enabled=False, reason="diễn tập")
        assert (await playing().run()).appended_count == 100
        await subscriptions.set_enabled(subscription_id, enabled=True)
        assert (await playing(tells_departments=True).run()).appended_count == 100
        noted = await AuditLog(live.database, live.clock).newest()
        assert noted[1]["detail"] == {"speed": 500, "tells_departments": True}


async def test_trap_18_a_scratch_knows_no_department_and_tells_none(settings, tmp_path):
    async with open_foundations(settings) as live:
        await migrate_database(settings.store.url.get_secret_value(), schema=settings.store.schema_name)
        subscriptions, subscription_id = await _subscribe(live)
        async with scratch(settings) as base:
            await Replay(base, dump(QUEUES, tmp_path), speed=None, on_progress=lambda *_: None).run()
            await write_changes(base, tmp_path / "changes.jsonl")
            assert await list_told(base.database) == []
        assert b'"fired"' in (tmp_path / "changes.jsonl").read_bytes()
        assert await list_told(live.database) == ["so-y-te"]
        assert await subscriptions.deliveries(subscription_id) == []


async def _read(log, count: int) -> list[Event]:
    events: list[Event] = []
    async with asyncio.timeout(20), aclosing(log.tail((Topic.EVENTS,), start=Start.BEGINNING)) as batches:
        async for batch in batches:
            events += [item for part in batch.slices for item in part.items]
            if len(events) >= count:
                break
    return events


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
async def log(request, tmp_path):
    if request.param == "kafka":
        subject = KafkaSubject(request.getfixturevalue("kafka_bootstrap"))
        async with subject.open() as log:
            await log.apply_topics()
            yield log
        return
    async with EmbeddedSubject(tmp_path).open() as log:
        yield log


async def test_a_span_and_a_filter_are_recorded_and_the_rest_is_left_aside(log, tmp_path):
    await log.append(Topic.EVENTS, [event(number) for number in range(200)])
    selection = read_selection(
        ["asset=air.station-1*"], start_at=START + timedelta(seconds=50), end_at=START + timedelta(seconds=150)
    )
    _, capture = await _capture(log, tmp_path / "r", selection)
    expected = [number for number in range(50, 150) if str(number % 23).startswith("1")]
    assert (capture.events_count, capture.left_aside_count) == (len(expected), 200 - len(expected))
    assert read_manifest(tmp_path / "r").events_count == len(expected)


async def test_an_empty_log_makes_an_empty_recording(log, tmp_path):
    manifest, capture = await _capture(log, tmp_path / "r", Selection())
    assert (manifest.files, capture.events_count, manifest.is_complete) == ([], 0, True)


async def test_a_live_recording_begins_now_and_ends_when_told(log, tmp_path):
    await log.append(Topic.EVENTS, [event(1)])
    stop, seen = asyncio.Event(), asyncio.Event()
    recorder = _recorder(tmp_path / "r", RecordedForm.NDJSON)

    def look(capture) -> None:
        seen.set()
        if capture.events_count == 2:
            stop.set()

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        recording = group.create_task(
            record(log, recorder, Selection(), clock=SystemClock(), is_live=True, stop=stop, on_progress=look)
        )
        await seen.wait()
        await log.append(Topic.EVENTS, [event(2), event(3)])
    manifest, capture = recording.result()
    assert capture.events_count == manifest.events_count == 2


def test_the_commands_record_from_the_log_and_replay_it(plain_postgres_url, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("IOC_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("IOC_STORE__URL", plain_postgres_url)
    # Logs would go to the output that the runner takes away again.
    monkeypatch.setattr("ioc.logs.configure", lambda **_: None)
    asyncio.run(_fill_log(load_settings()))
    command = CliRunner()
    folder, said = tmp_path / "r", tmp_path / "summary.json"
    made = command.invoke(make_app(), ["record", str(folder), "--seed", "7", "--filter", "feed=air"])
    assert made.exit_code == 0, made.output
    assert "200 events in" in made.output
    manifest = read_manifest(folder)
    assert (manifest.seed, manifest.selection, manifest.events_count) == (7, {"feed": ["air"]}, 200)
    played = command.invoke(
        make_app(), ["replay", str(folder), "--seek", "1m", "--times", "now", "--summary", str(said)]
    )
    assert played.exit_code == 0, played.output
    counts = msgspec.json.decode(said.read_bytes())
    assert (counts["events"], counts["skipped"], counts["stored"]) == (200, 60, 140)
    next(folder.glob("events-p1*")).write_bytes(b"x")
    monkeypatch.setattr("sys.argv", ["ioc", "replay", str(folder)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert "differs from what its manifest says" in capsys.readouterr().err.splitlines()[-1]
    refused = command.invoke(make_app(), ["replay", str(folder), "--into", "live", "--times", "now"], input="n\n")
    assert refused.exit_code == 1
    assert "live log" in refused.output


async def _fill_log(settings) -> None:
    async with open_log(settings, clock=SystemClock(), client_id="test") as log:
        await log.append(Topic.EVENTS, [event(number) for number in range(200)])
