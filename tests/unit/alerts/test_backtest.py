"""Draft rules over what was: the same rules differ in nothing, looser ones add, and batches do not matter."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

import pytest
from typer.testing import CliRunner

from alerts.backtest.comparison import compare
from alerts.backtest.trial import Occurrence, Run
from alerts.rulebook.book import Rulebook
from ioc.bootstrap.knowledge import load_world
from ioc.cli import make_app
from ioc.domain.alerts import Severity
from ioc.domain.events import Event
from ioc.domain.ids import event_id
from ioc.domain.kinds import Crowd, TruckStep
from tests.support.engine_runs import make_event

START = datetime(2026, 11, 23, 2, tzinfo=UTC)
SHIPPED = Path(str(resources.files("alerts").joinpath("rules", "28-crowd.yaml")))
WORLD = load_world()


def crowds() -> list[Event]:
    events = []
    for minute in range(240):
        for number, swing in enumerate((3.0, 4.5, 1.9)):
            at = START + timedelta(minutes=minute)
            density = swing if (minute // 30) % 2 else 0.5
            events.append(
                Event(
                    event_id=event_id("tourism", f"site.{number}", at, Crowd.KIND),
                    feed_id="tourism",
                    asset_id=f"site.{number}",
                    observed_at=at,
                    received_at=at,
                    data=Crowd(density_p_m2=density),
                    unit_code="06652",
                )
            )
    return events


def play(rules: Path, events: list[Event], *, size: int):
    run = Run(Rulebook.load([rules]), WORLD)
    for start in range(0, len(events), size):
        run.take(events[start : start + size])
    return run.finish(), run.reached_at


def write(path: Path, events: list[Event]) -> Path:
    lines = []
    for item in events:
        record = {"site": item.asset_id[5:], "time": item.observed_at.isoformat(), "density": item.data.density_p_m2}
        lines.append({"type": "crowd", **record})
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return path


def draft_of(path: Path, change: tuple[str, str]) -> Path:
    text = SHIPPED.read_text(encoding="utf-8").replace(*change, 1)
    path.write_text(text.partition("tests:")[0], encoding="utf-8")
    return path


@pytest.fixture
def looser(tmp_path) -> Path:
    return draft_of(tmp_path / "looser.yaml", ("density_p_m2 >= 2", "density_p_m2 >= 1.85"))


@pytest.fixture
def milder(tmp_path) -> Path:
    return draft_of(tmp_path / "milder.yaml", ("severity: major", "severity: info"))


def test_the_same_rules_differ_in_nothing():
    found, until = play(SHIPPED, crowds(), size=100)
    assert len(found) == 8
    result = compare(found, found, until)
    assert (result.added, result.gone, result.changed) == ([], [], [])
    (line,) = result.lines
    assert line.changed_count == 0
    assert line.firings_count == line.active_firings_count == 8
    assert line.in_alarm == line.active_in_alarm > timedelta(hours=2)


def test_a_looser_limit_adds_what_the_rule_in_force_did_not_see(looser):
    active, until = play(SHIPPED, crowds(), size=100)
    draft, _ = play(looser, crowds(), size=100)
    result = compare(draft, active, until)
    assert {item.asset_id for item in result.added} == {"site.2"}
    assert result.gone == []
    assert sum(line.added_count for line in result.lines) == len(result.added) == 4


def test_another_severity_is_a_change_though_nothing_is_added_or_gone(milder):
    (active, until), (draft, _) = (play(rules, crowds(), size=100) for rules in (SHIPPED, milder))
    result = compare(draft, active, until)
    assert (result.added, result.gone) == ([], [])
    (line,) = result.lines
    assert line.changed_count == len(result.changed) == 4
    # The other site reaches critical on both sides.
    assert {item.draft.asset_id for item in result.changed} == {"site.0"}
    assert {(item.active.severity, item.draft.severity) for item in result.changed} == {(Severity.MAJOR, Severity.INFO)}


def occurrence(start: float, end: float | None, **changes):
    def at(minute: float) -> datetime:
        return START + timedelta(minutes=minute)

    known = {
        "rule_id": "r", "fingerprint": b"1", "asset_id": "site.1", "unit_code": "06652", "title_vi": "", "title_en": "",
        "severity": Severity.MAJOR, "observed_at": at(start), "started_at": at(start),
        "ended_at": None if end is None else at(end),
    }  # fmt: skip
    return Occurrence(**{**known, **changes})


@pytest.mark.parametrize(
    ("draft", "active", "changed"),
    [
        ([(10, 30)], [(10, 30)], 0),
        ([(11, 29)], [(10, 30)], 0),
        ([(11.5, 30)], [(10, 30)], 1),
        ([(10, 32)], [(10, 30)], 1),
        ([(10, None)], [(10, 30)], 1),
        ([(10, None)], [(10, None)], 0),
        ([(10, None)], [(10, 59.5)], 0),
        ([(10, 50)], [(10, 20), (25, 40), (45, 50)], 3),
        ([(10, 20), (25, 40), (45, 50)], [(10, 50)], 3),
        ([(10, 50)], [(10, 49.5), (49.8, 50)], 1),
        ([(10, 20)], [(30, 40)], 0),
    ],
)
def test_a_beginning_or_an_end_that_moved_by_more_than_a_minute_is_a_change(draft, active, changed):
    until = START + timedelta(hours=1)
    result = compare([occurrence(*span) for span in draft], [occurrence(*span) for span in active], until)
    assert len(result.changed) == sum(line.changed_count for line in result.lines) == changed


def test_one_that_began_before_the_period_is_what_one_in_it_was():
    early, late = occurrence(-20, 30), occurrence(10, 30)
    until = START + timedelta(hours=1)
    for draft, active in ((late, early), (early, late)):
        result = compare([draft], [active], until, since=START)
        assert (result.added, result.gone) == ([], [])
        assert [(item.draft, item.active) for item in result.changed] == [(draft, active)]
    assert compare([early], [occurrence(-10, 30)], until, since=START).changed == []


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_batches_do_not_matter(size):
    assert play(SHIPPED, crowds(), size=size) == play(SHIPPED, crowds(), size=50)


@pytest.mark.parametrize(("partitions", "loses"), [(1, True), (2, False)])
def test_its_one_partition_remembers_as_much_as_all_of_the_logs(monkeypatch, partitions, loses):
    monkeypatch.setattr("alerts.backtest.trial.MOST_THINGS", 80)
    trucks = [
        make_event(
            f"truck.{number}",
            TruckStep(step="yard", gate="bac-luan-2", direction="export"),
            START + timedelta(seconds=number),
        )
        for number in range(120)
    ]
    run = Run(Rulebook.load([SHIPPED.with_name("30-truck-dwell.yaml")]), WORLD, partitions=partitions)
    run.take(trucks)
    assert bool(run.faults) is loses


def test_the_command_says_it_writes_it_and_draws_it(tmp_path, looser, monkeypatch):
    monkeypatch.setenv("IOC_DATA_DIR", str(tmp_path / "data"))
    recording = write(tmp_path / "crowds.ndjson", crowds())
    options = ["--json", str(tmp_path / "out.json"), "--plot", str(tmp_path / "out.svg"), "--feed", "tourism"]
    said = CliRunner().invoke(make_app(), ["backtest", "--rules", str(looser), *options, str(recording)])
    assert said.exit_code == 0, said.output
    assert "+4 −0, ~0 changed" in said.output
    written = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert (written["events"], len(written["added"]), written["gone"]) == (720, 4, [])
    assert (tmp_path / "out.svg").read_text(encoding="utf-8").count("<rect") == 1 + 12 + 8


def test_the_command_shows_what_was_and_what_would_be(tmp_path, milder, monkeypatch):
    monkeypatch.setenv("IOC_DATA_DIR", str(tmp_path / "data"))
    recording = write(tmp_path / "crowds.ndjson", crowds())
    options = ["--json", str(tmp_path / "out.json"), "--plot", str(tmp_path / "out.svg"), "--feed", "tourism"]
    said = CliRunner().invoke(
        make_app(), ["backtest", "--rules", str(milder), *options, str(recording)], env={"COLUMNS": "160"}
    )
    assert said.exit_code == 0, said.output
    assert "+0 −0, ~4 changed" in said.output
    assert "Changed: the first of 4" in said.output
    assert "major, 11-23 09:35 – 11-23 10:02" in said.output
    assert "info, 11-23 09:35 – 11-23 10:02" in said.output
    written = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert [(item["in_force"]["severity"], item["draft"]["severity"]) for item in written["changed"]] == [
        ("major", "info")
    ] * 4
    assert (tmp_path / "out.svg").read_text(encoding="utf-8").count('stroke="#1864ab"') == 8


def test_faults_of_a_draft_are_named_with_file_and_line(tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("rule: x\ncondition: threshold\non: tourism.crowd\nlevels: []\n", encoding="utf-8")
    said = CliRunner().invoke(make_app(), ["backtest", "--rules", str(bad), str(bad)])
    assert "bad.yaml:" in str(said.exception)


def test_drafts_that_are_not_there_are_named_with_what_to_do(tmp_path):
    said = CliRunner().invoke(make_app(), ["backtest", "--rules", "nope.yaml", str(tmp_path)])
    assert said.exit_code == 2
    assert "there is no nope.yaml; name rule files" in " ".join(said.output.replace("│", " ").split())
