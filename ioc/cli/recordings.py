"""``ioc replay``: recordings through log, rules and store, in a scratch of their own or into the live log."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

import typer

from connectors.feed import Form
from connectors.registry import DEFINITIONS
from connectors.transports.lines import LineTimes
from ioc import settings
from ioc.bootstrap import open_foundations, scratch
from ioc.bootstrap.knowledge import load_definitions
from ioc.cli.playing import Bars, print_summary, to_json
from ioc.cli.running import run
from ioc.cli.services import told_to_stop
from ioc.clocks import SystemClock
from ioc.errors import ConfigurationError
from ioc.recordings.selection import Selection, read_selection
from ioc.replaying import (
    LiveReplay,
    Recording,
    Replay,
    ReplaySummary,
    Staging,
    Times,
    find_recordings,
    recognise,
    write_changes,
)
from ioc.replaying.sources import Source, is_recording
from ioc.settings import Settings

_SPAN = re.compile(r"^(\d+(?:\.\d+)?)(s|m|h|d)$")
_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("replay")(replay)


def replay(
    files: Annotated[
        list[Path],
        typer.Argument(help="Recordings (folder, .ndjson.zst, .parquet), archive folders, wire files (also gzipped)."),
    ],
    feed: Annotated[
        str | None, typer.Option(help=f"Feed of wire files: {', '.join(DEFINITIONS)}. Recognised if it can be.")
    ] = None,
    form: Annotated[Form | None, typer.Option(help="Form of wire files. Recognised if it can be.")] = None,
    speed: Annotated[
        str | None,
        typer.Option(help="Event time to real time, for example 1 or 3600; max (default): as fast as it goes."),
    ] = None,
    start: Annotated[
        datetime | None, typer.Option(help="Time (UTC) of the first line of NMEA files that carry no times.")
    ] = None,
    seek: Annotated[
        str | None, typer.Option(help="Where to begin: 90m or 2h into the recording, or an instant (ISO 8601).")
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
      ioc replay sample.ais --start 2008-05-09 --speed 60
      ioc replay recordings/today --seek 2h --filter kind=vessel.* --speed 10
      ioc replay recordings/squall --into live --times now --speed 2
      IOC_LOG__BACKEND=kafka IOC_STORE__URL=postgresql://… ioc replay PRSA_Data_*.csv.gz --alerts changes.jsonl
    """
    sources = [source for path in files for source in to_sources(path, feed, form, start)]
    selection = read_selection(filters or ())
    begin, rounds = _to_seek(seek), loop or None
    if into == "live":
        pace = _to_speed(speed or "1")
        if times is not Times.NOW or pace is None or alerts is not None:
            raise ConfigurationError(["--into live needs --times now and a speed, and writes no --alerts"])
        _confirm(sources, yes=yes)
        live_pace: float = pace
        result = run(lambda settings: _play_live(settings, sources, live_pace, selection, begin, rounds))
    else:
        pace = _to_speed(speed or "max")
        staging = Staging(selection=selection, seek=begin, begin_at=SystemClock().now() if times is Times.NOW else None)

        async def play(settings: Settings) -> ReplaySummary:
            async with scratch(settings, keep=keep) as base:
                with Bars(sources) as bars:
                    playing = Replay(
                        base, sources, speed=pace, on_progress=bars.show, staging=staging, rounds=rounds,
                        stop=told_to_stop(),
                    )  # fmt: skip
                    played = await playing.run()
                if alerts is not None:
                    await write_changes(base, alerts)
                return played

        result = run(play)
    print_summary(result, is_live=into == "live")
    if summary is not None:
        summary.write_text(json.dumps(to_json(result), indent=2) + "\n", encoding="utf-8")
    if into == "scratch" and not result.is_balanced:
        typer.echo("ioc: the counts do not add up; please report this with the files", err=True)
        raise typer.Exit(1)


async def _play_live(
    settings: Settings,
    sources: list[Source],
    pace: float,
    selection: Selection,
    seek: timedelta | datetime | None,
    rounds: int | None,
) -> ReplaySummary:
    stop: asyncio.Event = told_to_stop()
    async with open_foundations(settings, client_id="ioc-replay") as base:
        with Bars(sources) as bars:
            playing = LiveReplay(
                base, sources, speed=pace, on_progress=bars.show, selection=selection, seek=seek, rounds=rounds,
                stop=stop,
            )  # fmt: skip
            return await playing.run()


def _confirm(sources: list[Source], *, yes: bool) -> None:
    names = ", ".join(sorted({source.name for source in sources}))
    if not yes:
        typer.echo(f"{names} will be played onto the live log: walls show it, rules ring, webhooks go out.", err=True)
        typer.confirm("Go on?", abort=True, err=True)


def to_sources(path: Path, feed: str | None, form: Form | None, start: datetime | None) -> list[Source]:
    """Say what a path holds that can be played.

    Raises:
        ConfigurationError: nothing, or it cannot be told which feed it belongs to.
    """
    definitions = DEFINITIONS if feed is None or feed in DEFINITIONS else load_definitions(settings.load())
    if feed is not None and feed not in definitions:
        raise ConfigurationError([f"no feed {feed!r}; there are {', '.join(definitions)}"])
    if not path.exists():
        raise ConfigurationError([f"{path}: no such file or folder"])
    if is_recording(path):
        return list(find_recordings(path))
    feed_id, known_form = recognise(path, feed_id=feed, form=form)
    times = None if start is None else LineTimes(start_at=start.replace(tzinfo=UTC), interval=timedelta(seconds=1))
    return [
        Recording(
            path=path,
            feed_id=feed_id,
            form=known_form,
            line_times=times if known_form is Form.NMEA else None,
            definition=definitions[feed_id],
        )
    ]


def _to_speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        speed = float(text.removesuffix("x").removesuffix("×"))
    except ValueError:
        speed = 0.0
    if not 0 < speed < 1e9:
        raise typer.BadParameter("a number above 0, or max", param_hint="--speed")
    return speed


def _to_seek(text: str | None) -> timedelta | datetime | None:
    if text is None:
        return None
    if (span := _SPAN.match(text)) is not None:
        return timedelta(seconds=float(span[1]) * _UNITS_S[span[2]])
    return to_instant(text, "--seek")


def to_instant(text: str, option: str) -> datetime:
    """Read an instant; without an offset it is UTC."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter("an instant such as 2026-11-23T06:00+07:00", param_hint=option) from error
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
