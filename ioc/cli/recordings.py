"""``ioc replay``: recordings through log, rules and store, in a scratch of their own or into the live log."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from ioc.bootstrap import open_foundations, scratch
from ioc.cli.instants import WRITTEN
from ioc.cli.play_options import FeedOption, FormOption, StartOption, to_seek, to_sources, to_speed
from ioc.cli.playing import Bars, print_summary, to_json
from ioc.cli.running import run
from ioc.cli.services import told_to_stop
from ioc.clocks import SystemClock
from ioc.errors import ConfigurationError
from ioc.recordings.selection import Selection, read_selection
from ioc.replaying import LiveReplay, Replay, ReplaySummary, Staging, Times, write_changes
from ioc.replaying.sources import Source
from ioc.settings import Settings
from ioc.storage.migrate import require_schema


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("replay")(replay)


def replay(
    files: Annotated[
        list[Path],
        typer.Argument(help="Recordings (folder, .ndjson.zst, .parquet), archive folders, wire files (also gzipped)."),
    ],
    feed: FeedOption = None,
    form: FormOption = None,
    speed: Annotated[
        str | None,
        typer.Option(help="Event time to real time, for example 1 or 3600; max (default): as fast as it goes."),
    ] = None,
    start: StartOption = None,
    seek: Annotated[
        str | None, typer.Option(help=f"Where to begin: 90m or 2h into the recording, or an instant. {WRITTEN}.")
    ] = None,
    loop: Annotated[int, typer.Option(min=0, help="How often to play it; 0: until Ctrl-C.")] = 1,
    filters: Annotated[
        list[str] | None,
        typer.Option("--filter", help="feed=air, kind=env.*, asset=vessel.*, bbox=west,south,east,north; repeatable."),
    ] = None,
    times: Annotated[Times, typer.Option(help="original, or now: the first event is now.")] = Times.ORIGINAL,
    into: Annotated[
        Literal["scratch", "live"], typer.Option(help="live: onto the deployment's own log (with --times now).")
    ] = "scratch",
    tell_departments: Annotated[
        bool, typer.Option("--tell-departments", help="live: play although subscribed departments will be told.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before playing into the live log.")] = False,
    alerts: Annotated[Path | None, typer.Option(help="Write every alert change here, a JSON line each.")] = None,
    summary: Annotated[Path | None, typer.Option(help="Write the summary here as JSON.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the scratch (topics and schema) to look at.")] = False,
) -> None:
    """Replay recordings and say what became of every record and which alerts came.

    Arrival follows the recorded times, so rules judge as they would have then. Nothing touches the live data: the
    scratch has its own topics and its own schema on the deployment that the settings name. Ctrl-C ends it with the
    summary of what was played. Exits 1 if the counts do not add up.

    Examples:
      ioc replay PRSA_Data_*.csv.gz
      ioc replay sample.ais --start 2008-05-09T00:00Z --speed 60
      ioc replay recordings/today --seek 2h --filter kind=vessel.* --speed 10
      ioc replay recordings/squall --into live --times now --speed 2
      IOC_LOG__BACKEND=kafka IOC_STORE__URL=postgresql://… ioc replay PRSA_Data_*.csv.gz --alerts changes.jsonl
    """
    playing = _Playing(
        sources=[source for path in files for source in to_sources(path, feed, form, start)],
        selection=read_selection(filters or ()), seek=to_seek(seek), rounds=loop or None,
    )  # fmt: skip
    if into == "live":
        pace = to_speed(speed or "1")
        if times is not Times.NOW or pace is None or alerts is not None:
            raise ConfigurationError(["--into live needs --times now and a speed, and writes no --alerts"])
        _confirm(playing.sources, yes=yes)
        result = run(partial(playing.into_live, pace=pace, tells_departments=tell_departments))
    else:
        pace, begin_at = to_speed(speed or "max"), SystemClock().now() if times is Times.NOW else None
        result = run(partial(playing.into_scratch, pace=pace, begin_at=begin_at, keep=keep, alerts=alerts))
    _report(result, summary, is_live=into == "live")


def _report(result: ReplaySummary, path: Path | None, *, is_live: bool) -> None:
    print_summary(result, is_live=is_live)
    if path is not None:
        path.write_text(json.dumps(to_json(result), indent=2) + "\n", encoding="utf-8")
    if not is_live and not result.is_balanced:
        typer.echo("ioc: the counts do not add up; please report this with the files", err=True)
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Playing:
    """What is to be played: which part of which sources, from where, and how often (None: until told to stop)."""

    sources: Sequence[Source]
    selection: Selection
    seek: timedelta | datetime | None
    rounds: int | None

    async def into_live(self, settings: Settings, *, pace: float, tells_departments: bool) -> ReplaySummary:
        """Play onto the deployment's own log."""
        stop = told_to_stop()
        async with open_foundations(settings, client_id="ioc-replay") as base:
            await require_schema(base.database)
            with Bars(self.sources) as bars:
                playing = LiveReplay(
                    base, self.sources, speed=pace, on_progress=bars.show, selection=self.selection, seek=self.seek,
                    rounds=self.rounds, stop=stop, tells_departments=tells_departments,
                )  # fmt: skip
                return await playing.run()

    async def into_scratch(
        self, settings: Settings, *, pace: float | None, begin_at: datetime | None, keep: bool, alerts: Path | None
    ) -> ReplaySummary:
        """Play through a log and a store of its own, and write the alert changes to a file where that is wanted."""
        staging = Staging(selection=self.selection, seek=self.seek, begin_at=begin_at)
        async with scratch(settings, keep=keep) as base:
            with Bars(self.sources) as bars:
                playing = Replay(
                    base, self.sources, speed=pace, on_progress=bars.show, staging=staging, rounds=self.rounds,
                    stop=told_to_stop(),
                )  # fmt: skip
                played = await playing.run()
            if alerts is not None:
                await write_changes(base, alerts)
            return played


def _confirm(sources: Sequence[Source], *, yes: bool) -> None:
    names = ", ".join(sorted({source.name for source in sources}))
    if not yes:
        typer.echo(f"{names} will be played onto the live log: walls show it and rules ring.", err=True)
        typer.confirm("Go on?", abort=True, err=True)
