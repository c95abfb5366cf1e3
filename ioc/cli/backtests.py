"""``ioc backtest``: draft rules over recordings, beside what the rules in force would have given."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from alerts.backtest import Comparison, Occurrence, Run, compare
from alerts.rulebook import Rulebook
from alerts.world import World
from connectors.feed import Form
from ioc.bootstrap.knowledge import load_rulebook, load_world
from ioc.cli.playing import Bars
from ioc.cli.plots import draw_timelines
from ioc.cli.recordings import to_sources
from ioc.cli.running import run
from ioc.keys import Keys, load_keys
from ioc.replaying.sources import Source
from ioc.replaying.summary import SourceProgress
from ioc.replaying.tracks import merge, open_tracks
from ioc.settings import Settings

_CHUNK = 4_000
_FIRST = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class _Deployment:
    geo_directory: Path | None
    keys: Keys


@dataclass(frozen=True, slots=True, kw_only=True)
class _Result:
    draft: Sequence[Occurrence]
    active: Sequence[Occurrence]
    comparison: Comparison
    begins_at: datetime | None
    events_count: int
    faults: Sequence[str]
    elapsed_s: float


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("backtest")(backtest)


def backtest(
    files: Annotated[
        list[Path],
        typer.Argument(help="Recordings (folder, .ndjson.zst, .parquet), archive folders, wire files (also gzipped)."),
    ],
    rules: Annotated[list[Path], typer.Option(help="Draft rules: files or folders; repeatable.")],
    feed: Annotated[str | None, typer.Option(help="Feed of wire files, where it cannot be told.")] = None,
    form: Annotated[Form | None, typer.Option(help="Form of wire files, where it cannot be told.")] = None,
    start: Annotated[
        datetime | None, typer.Option(help="Time (UTC) of the first line of NMEA files that carry no times.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--json", help="Write every occurrence and the difference here.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the occurrences over time here, as SVG.")] = None,
) -> None:
    """Run draft rules over what was, with the engine that runs live, and say what would differ.

    Needs no service and touches nothing. The rules in force with the same names run beside the drafts; rules that are
    new have nothing to be compared with. Exits 1 if a draft rule failed on a reading.

    Examples:
      ioc backtest --rules my-rules/ recordings/last-month
      ioc backtest --rules pm25.yaml --plot pm25.svg PRSA_Data_*.csv.gz
    """
    drafts = Rulebook.load(rules)
    sources = [source for path in files for source in to_sources(path, feed, form, start)]
    result = run(lambda settings: _play(settings, drafts, sources))
    _print(result)
    if output is not None:
        output.write_text(json.dumps(_to_json(result), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    if plot is not None:
        plot.write_text(
            draw_timelines(result.draft, result.active, result.begins_at, result.comparison.until), encoding="utf-8"
        )
    if result.faults:
        raise typer.Exit(1)


async def _play(settings: Settings, drafts: Rulebook, sources: Sequence[Source]) -> _Result:
    geo_directory = settings.data_dir / "geo"
    deployment = _Deployment(geo_directory=geo_directory, keys=load_keys(settings))
    world: World = load_world(geo_directory)
    names = {rule.rule_id for rule in drafts.rules}
    in_force = Rulebook([rule for rule in load_rulebook(settings).rules if rule.rule_id in names])
    draft, active = Run(drafts, world), Run(in_force, world)
    files: dict[str, SourceProgress] = {}
    began, begins_at, count = time.monotonic(), None, 0
    with Bars(sources) as bars:
        tracks = await open_tracks(deployment, sources, files)
        async with asyncio.TaskGroup() as group:
            for track in tracks:
                track.start(group)
            async for events, _ in merge(tracks, chunk_items=_CHUNK):
                if events:
                    begins_at = begins_at or events[0].received_at
                    count += len(events)
                    draft.take(events)
                    if in_force.rules:
                        active.take(events)
                    bars.show(files, events[-1].received_at)
    mine, theirs = draft.finish(), active.finish()
    return _Result(
        draft=mine, active=theirs, comparison=compare(mine, theirs, draft.reached_at), begins_at=begins_at,
        events_count=count, elapsed_s=time.monotonic() - began,
        faults=[f"{fault.rule_id} on {fault.asset_id}: {fault.reason}" for fault in draft.faults],
    )  # fmt: skip


def _print(result: _Result) -> None:
    console, comparison = Console(), result.comparison
    table = Table("Rule", "Unit", "Firings", "In alarm", "Now in force", "In alarm", "Difference", title="Backtest")
    for line in comparison.lines:
        table.add_row(
            line.rule_id, line.unit_code or "", f"{line.firings_count:,}", _span(line.in_alarm),
            f"{line.active_firings_count:,}", _span(line.active_in_alarm),
            f"[green]+{line.added_count}[/] [red]−{line.gone_count}[/]",
        )  # fmt: skip
    console.print(table)
    for title, items in (("Only with the drafts", comparison.added), ("Only with the rules in force", comparison.gone)):
        if items:
            first = Table(
                "Decided (UTC)", "Rule", "Asset", "Severity", "What", title=f"{title}: the first of {len(items):,}"
            )
            for item in items[:_FIRST]:
                first.add_row(
                    f"{item.started_at:%Y-%m-%d %H:%M}", item.rule_id, item.asset_id or "", item.severity.value,
                    item.title_vi,
                )  # fmt: skip
            console.print(first)
    for fault in result.faults:
        typer.echo(f"ioc: rule {fault}", err=True)
    rate = result.events_count / result.elapsed_s if result.elapsed_s else 0.0
    console.print(
        f"{result.events_count:,} events, {result.elapsed_s:.1f} s, {rate:,.0f} events/s;"
        f" {len(result.draft):,} occurrences, {len(result.active):,} with the rules in force:"
        f" +{len(comparison.added):,} −{len(comparison.gone):,}"
    )


def _span(span: timedelta) -> str:
    hours, rest = divmod(round(span.total_seconds()), 3_600)
    return f"{hours:,} h {rest // 60:02d}" if span else "–"


def _to_json(result: _Result) -> dict[str, Any]:
    return {
        "events": result.events_count,
        "from": result.begins_at and result.begins_at.isoformat(),
        "to": result.comparison.until and result.comparison.until.isoformat(),
        "draft": [_item(item) for item in result.draft],
        "in_force": [_item(item) for item in result.active],
        "added": [_item(item) for item in result.comparison.added],
        "gone": [_item(item) for item in result.comparison.gone],
        "faults": list(result.faults),
    }


def _item(item: Occurrence) -> dict[str, Any]:
    return {
        "rule": item.rule_id,
        "asset": item.asset_id,
        "unit": item.unit_code,
        "severity": item.severity.value,
        "title_vi": item.title_vi,
        "title_en": item.title_en,
        "observed_at": item.observed_at.isoformat(),
        "decided_at": item.started_at.isoformat(),
        "ended_at": item.ended_at and item.ended_at.isoformat(),
    }
