"""Shipped rules over stored history decide what they decided live, and the command says what drafts would change."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from random import Random

import msgspec
import pytest
from typer.testing import CliRunner

from alerts.backtest.trial import Trial
from alerts.engine.stepping import JUMP
from alerts.rulebook.book import Rulebook
from ioc.bootstrap import Foundations, scratch
from ioc.bootstrap.backtest_feed import AT_ONCE, Feed
from ioc.bootstrap.backtests import Account, Period, Progress, backtest_stored
from ioc.bootstrap.foundations import open_store
from ioc.bootstrap.knowledge import load_world
from ioc.bootstrap.stored_arrivals import read_stored
from ioc.cli import make_app
from ioc.cli.backtest_report import EventBar
from ioc.clocks import ReplayClock
from ioc.domain.alerts import ChangeType
from ioc.domain.events import Event
from ioc.domain.ids import event_id
from ioc.domain.kinds import AirReading, CameraStatus, Crowd, Feeder
from ioc.errors import ConfigurationError
from ioc.replaying import Replay
from ioc.replaying.journal import read_journal
from ioc.settings import Settings
from ioc.settings import load as load_settings
from ioc.storage.alerts import PostgresAlertStore
from ioc.storage.archive import Archive
from ioc.storage.batches import PostgresBatchStore
from ioc.storage.migrate import migrate_database
from ioc.storage.pool import Database
from ioc.storage.retention import Retention, RetentionJob
from ioc.storage.stored_events import StoredEvents
from tests.support.golden import CASES, START, Golden, dump, make_settings
from tests.support.servers import reachable_folder

RULES = Path(str(resources.files("alerts").joinpath("rules")))
CROWD = RULES / "28-crowd.yaml"
Found = tuple[str, bytes, str, datetime, datetime | None]


async def _listed_alerts(base: Foundations) -> set[Found]:
    """Give the alerts of the store as occurrences: rule, identity, worst severity, begin and end."""
    found: dict[object, Found] = {}
    async for entry in read_journal(PostgresAlertStore(base.database)):
        alert = entry.alert
        if alert.shadow:
            continue
        known = found.get(alert.alert_id)
        begun, ended = (entry.at, None) if known is None else (known[3], known[4])
        worst = alert.severity.value
        if known is not None and alert.severity.rank <= _rank(known[2]):
            worst = known[2]
        if entry.type is ChangeType.RESOLVED:
            ended = entry.at
        found[alert.alert_id] = (alert.rule_id, alert.fingerprint, worst, begun, ended)
    return set(found.values())


def _rank(severity: str) -> int:
    return ("info", "minor", "major", "critical").index(severity)


def _found(account: Account) -> set[Found]:
    return {
        (item.rule_id, item.fingerprint, item.severity.value, item.started_at, item.ended_at)
        for item in account.comparison.draft
    }


async def _backtest(base: Foundations, drafts: Rulebook, period: Period) -> Account:
    reached: list[Progress] = []
    account = await backtest_stored(
        base.settings, base.database, drafts, period, on_progress=reached.append, is_stopped=lambda: False
    )
    assert [step.events_count for step in reached[-1:]] == [account.events_count][: len(reached)]
    return account


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_shipped_rules_over_stored_history_give_the_alerts_that_live_gave(
    case: Golden, plain_postgres_url, fresh_database, tmp_path
):
    settings = make_settings(tmp_path / "data", await fresh_database(plain_postgres_url))
    async with scratch(settings) as base:
        played = await Replay(base, dump(case, tmp_path), speed=None, on_progress=lambda *_: None).run()
        assert played.ends_at is not None
        period = Period(start=START - timedelta(hours=1), end=played.ends_at + timedelta(microseconds=1))
        account = await _backtest(base, Rulebook.load([RULES]), period)
        listed = await _listed_alerts(base)
    assert account.faults_count == 0
    assert len(listed) >= 1
    assert _found(account) == listed
    assert account.comparison.added == account.comparison.gone == []


CROWDS_FROM = datetime(2026, 11, 23, 2, tzinfo=UTC)
SPAN = ["--from", "2026-11-23T09:00+07:00", "--to", "2026-11-23T13:00+07:00"]


def _crowds(*, sites: int, start: datetime = CROWDS_FROM, minutes: int = 240) -> list[Event]:
    """Make crowds: dense for every second half hour; at every third site only the looser rule sees it."""
    events = []
    for minute in range(minutes):
        at = start + timedelta(minutes=minute)
        for number in range(sites):
            density = (3.0, 4.5, 1.9)[number % 3] if (minute // 30) % 2 else 0.5
            events.append(_event(f"site.{number}", at, Crowd(density_p_m2=density)))
    return events


def _event(asset_id: str, at: datetime, data) -> Event:
    return Event(
        event_id=event_id("tourism", asset_id, at, data.KIND), feed_id="tourism", asset_id=asset_id, observed_at=at,
        received_at=at + timedelta(seconds=1), data=data, unit_code="06652",
    )  # fmt: skip


async def _store(database: Database, events: list[Event]) -> None:
    async def refuse(connection, changes) -> None:
        raise AssertionError("no alert changes in this test")

    async with PostgresBatchStore(database, alerts=refuse).begin("test") as transaction:
        await transaction.record(events)


async def _fill(settings: Settings, events: list[Event]) -> None:
    async with open_store(settings) as conninfo:
        await migrate_database(conninfo, schema=settings.store.schema_name)
        async with Database(conninfo, schema=settings.store.schema_name) as database:
            await _store(database, events)


@pytest.fixture
def drafts(tmp_path) -> Path:
    """The shipped rule for crowds with a lower limit."""
    text = CROWD.read_text(encoding="utf-8").replace("density_p_m2 >= 2", "density_p_m2 >= 1.85")
    path = tmp_path / "looser.yaml"
    path.write_text(text.partition("tests:")[0], encoding="utf-8")
    return path


@pytest.fixture
def embedded(monkeypatch) -> Iterator[None]:
    """A deployment of its own with the embedded store, as the environment of commands."""
    with reachable_folder() as folder:
        monkeypatch.setenv("IOC_DATA_DIR", str(folder / "data"))
        monkeypatch.delenv("IOC_STORE__URL", raising=False)
        # Logs would go to the output that the runner takes away again.
        monkeypatch.setattr("ioc.logs.configure", lambda **_: None)
        yield


def test_the_command_plays_what_the_embedded_store_holds(embedded, drafts, tmp_path):
    asyncio.run(_fill(load_settings(), _crowds(sites=3)))
    options = ["--json", str(tmp_path / "out.json"), "--plot", str(tmp_path / "out.svg")]
    said = CliRunner().invoke(make_app(), ["backtest", "--rules", str(drafts), *SPAN, *options])
    assert said.exit_code == 0, said.output
    assert "+4 −0" in said.output
    written = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert (written["events"], len(written["added"]), written["gone"], written["is_partial"]) == (720, 4, [], False)
    assert (tmp_path / "out.svg").read_text(encoding="utf-8").count("<rect") == 1 + 12 + 8
    elsewhere = CliRunner().invoke(make_app(), ["backtest", "--rules", str(drafts), *SPAN, "--unit", "06658"])
    assert "+0 −0" in elsewhere.output


def test_ctrl_c_gives_what_was_found_until_then_and_says_that_it_is_partial(embedded, drafts, tmp_path, monkeypatch):
    asyncio.run(_fill(load_settings(), _crowds(sites=500)))
    monkeypatch.setattr(EventBar, "show", lambda *_: os.kill(os.getpid(), signal.SIGINT))
    said = CliRunner().invoke(
        make_app(), ["backtest", "--rules", str(drafts), *SPAN, "--json", str(tmp_path / "out.json")]
    )
    assert said.exit_code == 130, said.output
    assert "a partial result" in said.output
    written = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert written["is_partial"]
    assert 0 < written["events"] < 120_000
    assert CROWDS_FROM.isoformat() < written["until"] < (CROWDS_FROM + timedelta(hours=4)).isoformat()


def test_a_period_is_asked_for_where_no_files_are_named(drafts, tmp_path):
    for asked in ([], ["--from", "2026-11-23", "--to", "2026-11-22"], ["--from", "2026-11-23", str(drafts)]):
        said = CliRunner().invoke(make_app(), ["backtest", "--rules", str(drafts), *asked])
        assert isinstance(said.exception, ConfigurationError), asked


def test_a_period_that_begins_in_the_future_is_refused(drafts):
    ahead = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    said = CliRunner().invoke(make_app(), ["backtest", "--rules", str(drafts), "--from", ahead])
    assert isinstance(said.exception, ConfigurationError)
    assert "--from" in str(said.exception)
    assert "lies in the future" in str(said.exception)


def test_an_end_ahead_of_now_is_now(embedded, drafts, tmp_path):
    began_at = datetime.now(UTC)
    asyncio.run(_fill(load_settings(), []))
    span = ["--from", (began_at - timedelta(hours=1)).isoformat(), "--to", (began_at + timedelta(days=1)).isoformat()]
    said = CliRunner().invoke(
        make_app(), ["backtest", "--rules", str(drafts), *span, "--json", str(tmp_path / "out.json")]
    )
    assert said.exit_code == 0, said.output
    written = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert began_at < datetime.fromisoformat(written["to"]) <= datetime.now(UTC)


@pytest.fixture
async def base(plain_postgres_url, fresh_database, tmp_path):
    settings = make_settings(tmp_path / "data", await fresh_database(plain_postgres_url))
    async with scratch(settings) as base:
        yield base


@pytest.mark.parametrize(("looks", "most"), [(0, 0), (2, 2 * AT_ONCE)])
async def test_a_period_of_one_slice_is_broken_off_in_the_midst(base, looks, most):
    await _store(base.database, _crowds(sites=100))
    until, asked = CROWDS_FROM + timedelta(hours=4), iter(range(1_000))
    account = await backtest_stored(
        base.settings, base.database, Rulebook.load([CROWD]), Period(start=CROWDS_FROM, end=until),
        on_progress=lambda _: None, is_stopped=lambda: next(asked) >= looks,
    )  # fmt: skip
    assert (account.is_partial, account.events_count) == (True, most)
    assert (account.comparison.until or CROWDS_FROM) < until - timedelta(minutes=30)


async def test_rules_watch_before_the_period_and_only_what_starts_in_it_counts(base):
    """The crowds that were dense since half past two fire then; whoever looks from three on sees the later ones."""
    await _store(base.database, _crowds(sites=1))
    drafts = Rulebook.load([CROWD])
    whole = await _backtest(base, drafts, Period(start=CROWDS_FROM, end=CROWDS_FROM + timedelta(hours=4)))
    starts = [item.started_at - CROWDS_FROM for item in whole.comparison.draft]
    assert len(starts) == 4
    middle = starts[1] - timedelta(minutes=1)
    period = Period(start=CROWDS_FROM + middle, end=CROWDS_FROM + timedelta(hours=4))
    later = await _backtest(base, drafts, period)
    assert later.warm_up >= timedelta(hours=1)
    assert [item.started_at - CROWDS_FROM for item in later.comparison.draft] == starts[1:]


async def test_the_silence_of_what_rules_look_at_is_no_silence_of_ours_while_others_speak(base):
    """A station that falls silent is called so although its kind has no other: cameras went on all the time."""
    station, cameras = "air.hong-gai", []
    spoken = [_event(station, CROWDS_FROM + timedelta(minutes=n), AirReading(pm25_ug_m3=9.0)) for n in range(60)]
    returned = [_event(station, CROWDS_FROM + timedelta(hours=3), AirReading(pm25_ug_m3=9.0))]
    for minute in range(182):
        at = CROWDS_FROM + timedelta(minutes=minute)
        cameras.append(_event("camera.1", at, CameraStatus(status="ok")))
    drafts = Rulebook.load([RULES / "09-station-silent.yaml"])
    period = Period(start=CROWDS_FROM, end=CROWDS_FROM + timedelta(hours=4))
    await _store(base.database, [*spoken, *returned])
    ours = await _backtest(base, drafts, period)
    assert ours.comparison.draft == []
    await _store(base.database, cameras)
    theirs = await _backtest(base, drafts, period)
    [silent] = theirs.comparison.draft
    assert silent.asset_id == station
    assert silent.started_at - spoken[-1].received_at < timedelta(minutes=6)
    assert silent.ended_at == returned[0].received_at


async def test_only_kinds_that_the_rules_look_at_are_read(base):
    await _store(base.database, _crowds(sites=2, minutes=30))
    await _store(base.database, [_event("camera.1", CROWDS_FROM, CameraStatus(status="ok"))])
    period = Period(start=CROWDS_FROM, end=CROWDS_FROM + timedelta(hours=1))
    account = await _backtest(base, Rulebook.load([CROWD]), period)
    assert (account.kinds, account.events_count) == (("tourism.crowd",), 60)


class _LooksAtAll(Trial):
    """A trial that has every reading put to its rules."""

    def heard_kinds(self) -> dict[str, timedelta]:
        return {}


async def test_stations_that_only_speak_are_looked_at_seldom_whether_in_the_store_or_in_the_archive(base, tmp_path):
    """Half of the time lies in the archive, and late readings of then came when it was the store's turn."""
    now = datetime.now(UTC).replace(hour=15, minute=30, second=0, microsecond=0)
    middle = now.replace(hour=0, minute=0) - timedelta(days=3)
    start, random, events = middle - timedelta(hours=6), Random(5), []
    quiet_until = dict.fromkeys(range(8), start)
    for second in range(0, 12 * 3_600, 60):
        for number in range(8):
            at = start + timedelta(seconds=second + number)
            if random.random() < 0.004:
                quiet_until[number] = at + timedelta(minutes=random.choice((2, 3, 4, 9)))
            late = random.choice((70, 900, 8 * 3_600)) if random.random() < 0.03 else 1
            if at >= quiet_until[number]:
                feeder = _event(f"feeder.{number}", at - timedelta(seconds=late), Feeder(power_kw=5.0))
                events.append(msgspec.structs.replace(feeder, received_at=at))
        events.append(_event("camera.1", start + timedelta(seconds=second + 9), CameraStatus(status="ok")))
    await _store(base.database, events)
    clock, folder = ReplayClock(now), tmp_path / "archive"
    keep = Retention(readings=timedelta(days=2), rollups=dict.fromkeys(Retention().rollups, timedelta(days=12)))
    await RetentionJob(base.database, clock, keep=keep, archive=Archive(base.database, clock, folder)).enforce()
    assert list(folder.rglob("*.parquet"))
    rules, end = Rulebook.load([RULES / "09-station-silent.yaml"]), start + timedelta(hours=12)
    found = []
    for make in (Trial, _LooksAtAll):
        trial, stored = make(rules, rules, load_world()), StoredEvents(base.database, folder, slice_rows=700)
        silences = await stored.find_silences(start=start, end=end, longer_than=JUMP)
        feed = Feed(trial, silences)
        slices = read_stored(stored, kinds=trial.kinds, start=start, end=end)
        counts = [count async for count in feed.run(slices)]
        feed.let_pass(end)
        found.append((sum(counts), trial.finish()[0]))
    assert found[0] == found[1]
    assert len(found[0][1]) > 10
