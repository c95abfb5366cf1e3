"""Instants on the command line: one reading for every command, and ``--help`` says which."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from ioc.cli import make_app
from ioc.cli.instants import WRITTEN, to_instant


def walk(command: Any, path: str = "ioc") -> Iterator[tuple[str, Any]]:
    """Every command with its path. Typer brings its own click, so classes are not asked for."""
    groups = getattr(command, "commands", None)
    if groups is None:
        yield path, command
        return
    for name, inner in groups.items():
        yield from walk(inner, f"{path} {name}")


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2026-11-23T08:00", 1),
        ("2026-11-23T08:00:00+07:00", 1),
        ("2026-11-23T01:00Z", 1),
        ("2026-11-23T08:00+08:00", 0),
    ],
)
def test_an_instant_without_an_offset_is_in_the_provinces_time(text, hour):
    assert to_instant(text) == datetime(2026, 11, 23, hour, tzinfo=UTC)


def test_a_day_alone_is_its_midnight_in_the_province():
    assert to_instant("2026-11-23") == datetime(2026, 11, 22, 17, tzinfo=UTC)


def test_what_is_no_instant_is_refused_with_examples():
    with pytest.raises(typer.BadParameter, match="2026-11-23T08:00"):
        to_instant("yesterday")


def test_every_command_reads_instants_alike_and_says_how(monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    app, found = make_app(), {}
    for path, _ in walk(typer.main.get_command(app)):
        shown = CliRunner().invoke(app, [*path.split()[1:], "--help"]).output
        assert "<datetime>" not in shown.lower(), path
        if "INSTANT" in shown or "an instant" in shown:
            found[path] = WRITTEN in shown
    assert {"ioc backtest", "ioc replay", "ioc record", "ioc feeds try", "ioc rules why-not", "ioc rules report",
            "ioc reports shift", "ioc reports alarms"} <= set(found)  # fmt: skip
    assert all(found.values()), found
