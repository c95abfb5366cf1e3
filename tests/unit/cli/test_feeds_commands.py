"""``ioc feeds``: the example of the manual is what the program does, and every fault has its line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ioc.cli import make_app

MANUAL = Path(__file__).parents[3] / "docs" / "mapping.md"
NDJSON = b'{"station":"air.hong-gai","time":"2026-11-23T09:00:00+07:00","pm25":35.2}\n{"station":"air.hong-gai"}\n'


def example(language: str) -> str:
    """The first block of a language in the manual."""
    found = re.search(rf"^```{language}\n(.*?)^```$", MANUAL.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IOC_FEEDS__CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("IOC_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "harbour.mapping.yaml").write_text(example("yaml"), encoding="utf-8")
    (tmp_path / "samples.json").write_text(example("json"), encoding="utf-8")
    return tmp_path


def call(*words: object) -> Result:
    return CliRunner().invoke(make_app(), ["feeds", *map(str, words)])


def test_the_manuals_example_becomes_what_the_manual_says(folder: Path):
    mapping = folder / "harbour.mapping.yaml"
    result = call("try", folder / "samples.json", "--mapping", mapping, "--at", "2026-11-23T09:02", "--json")
    assert result.exit_code == 1, "a record is refused"
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert found == [json.loads(line) for line in example("jsonl").splitlines()]


def test_a_table_says_what_each_record_becomes_and_why_not(folder: Path):
    result = call("try", folder / "samples.json", "--feed", "harbour", "--at", "2026-11-23T09:02")
    for part in ("air.cang-cai-lan", "pm25_ug_m3 35.2", "not a number", "type is not air"):
        assert part in result.stdout
    assert "4 records: 1 env.air.reading, 1 env.water.level; 1 refused, 1 ignored" in result.stdout


def test_a_shipped_feed_can_be_tried_too(folder: Path):
    (folder / "lines.ndjson").write_bytes(NDJSON)
    result = call("try", folder / "lines.ndjson", "--feed", "air", "--at", "2026-11-23T09:02")
    assert "2 records: 1 env.air.reading; 1 refused, 0 ignored" in result.stdout
    (folder / "broken.json").write_bytes(b"[{]")
    assert "refused" in call("try", folder / "broken.json", "--feed", "air").stdout


def test_feeds_are_listed_with_their_ways_in(folder: Path):
    rows = {row["feed"]: row for row in json.loads(call("list", "--json").stdout)}
    assert rows["harbour"] == {
        "feed": "harbour",
        "name": "Harbour stations",
        "enabled": False,
        "mapped": True,
        "ways": ["files", "http"],
        "forms": ["csv", "json", "ndjson"],
        "kinds": ["env.air.reading", "env.water.level"],
    }
    assert rows["air"]["enabled"]
    assert "harbour" in call("list").stdout


def test_sound_files_are_sound_and_faults_have_file_and_line(folder: Path):
    assert call("check").exit_code == 0
    (folder / "tourism.yaml").write_text("pol: 1\n")
    (folder / "harbour.yaml").write_text("expected_period: 5\n")
    (folder / "nosuch.yaml").write_text("{}\n")
    (folder / "bad.mapping.yaml").write_text(example("yaml").replace("mg/m3", "ppb").replace("harbour", "bad"))
    result = call("check")
    assert result.exit_code == 1
    for part in ("bad.mapping.yaml:14:", "'ppb'", "tourism: pol", "harbour: its mapping file", "nosuch"):
        assert part in result.stderr
    assert call("check", folder / "harbour.mapping.yaml").exit_code == 0
    assert call("check", folder / "away.yaml").exit_code == 1


@pytest.mark.parametrize("words", [("list",), ("check",), ("try",)])
def test_each_command_explains_itself_with_an_example(words: tuple[str, ...]):
    assert f"ioc feeds {words[0]}" in call(*words, "--help").stdout
