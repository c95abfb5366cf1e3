"""``ioc replay``: recorded files through connectors, log, rules and store, in a scratch of their own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from connectors.feed import Form
from connectors.registry import DEFINITIONS
from connectors.transports.files import FileProgress
from connectors.transports.lines import LineTimes
from ioc.bootstrap import scratch
from ioc.cli.running import run
from ioc.errors import ConfigurationError
from ioc.replay import Recording, Replay, ReplaySummary, recognise, write_changes
from ioc.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("replay")(replay)


def replay(
    files: Annotated[list[Path], typer.Argument(help="Recorded files, plain or gzipped; they play side by side.")],
    feed: Annotated[
        str | None, typer.Option(help=f"Feed of the files: {', '.join(DEFINITIONS)}. Recognised if it can be.")
    ] = None,
    form: Annotated[Form | None, typer.Option(help="Form of the files. Recognised if it can be.")] = None,
    speed: Annotated[
        str, typer.Option(help="Event time to real time, for example 1 or 3600; max: as fast as it goes.")
    ] = "max",
    start: Annotated[
        datetime | None, typer.Option(help="Time (UTC) of the first line of NMEA files that carry no times.")
    ] = None,
    alerts: Annotated[Path | None, typer.Option(help="Write every alert change here, a JSON line each.")] = None,
    summary: Annotated[Path | None, typer.Option(help="Write the summary here as JSON.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the scratch (topics and schema) to look at.")] = False,
) -> None:
    """Replay recorded files and say what became of every record and which alerts came.

    Arrival follows the recorded times, so rules judge as they would have then. Nothing touches the live data: the
    scratch has its own topics and its own schema on the deployment that the
    settings name. Exits 1 if the counts do not add up.

    Examples:
      ioc replay PRSA_Data_*.csv.gz
      ioc replay sample.ais --start 2008-05-09 --speed 60
      IOC_LOG__BACKEND=kafka IOC_STORE__URL=postgresql://… ioc replay PRSA_Data_*.csv.gz --alerts changes.jsonl
    """
    recordings = [_to_recording(path, feed, form, start) for path in files]
    pace = _to_speed(speed)

    async def play(settings: Settings) -> ReplaySummary:
        async with scratch(settings, keep=keep) as base:
            with _Bars(recordings) as bars:
                result = await Replay(base, recordings, speed=pace, on_progress=bars.show).run()
            if alerts is not None:
                await write_changes(base, alerts)
            return result

    result = run(play)
    _print(result)
    if summary is not None:
        summary.write_text(json.dumps(_to_json(result), indent=2) + "\n", encoding="utf-8")
    if not result.is_balanced:
        typer.echo("ioc: the counts do not add up; please report this with the files", err=True)
        raise typer.Exit(1)


def _to_recording(path: Path, feed: str | None, form: Form | None, start: datetime | None) -> Recording:
    if feed is not None and feed not in DEFINITIONS:
        raise ConfigurationError([f"no feed {feed!r}; there are {', '.join(DEFINITIONS)}"])
    feed_id, known_form = recognise(path, feed_id=feed, form=form)
    times = None if start is None else LineTimes(start_at=start.replace(tzinfo=UTC), interval=timedelta(seconds=1))
    return Recording(path=path, feed_id=feed_id, form=known_form, line_times=times if known_form is Form.NMEA else None)


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


class _Bars:
    """A bar per file on a terminal; silent where nobody looks."""

    def __init__(self, recordings: list[Recording]) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[reached]}"), TimeElapsedColumn(), console=console, disable=not console.is_terminal,
        )  # fmt: skip
        self._tasks: dict[str, TaskID] = {
            str(item.path): self._progress.add_task(item.path.name, total=None, reached="") for item in recordings
        }

    def __enter__(self) -> _Bars:
        self._progress.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._progress.stop()

    def show(self, files: Mapping[str, FileProgress], reached: datetime | None) -> None:
        """Move the bars."""
        for name, progress in files.items():
            self._progress.update(
                self._tasks[name], total=progress.bytes_count or None, completed=progress.bytes_read,
                reached="" if reached is None else f"{reached:%Y-%m-%d %H:%M}",
            )  # fmt: skip


def _print(summary: ReplaySummary) -> None:
    console = Console()
    files = Table("File", "Events", "Dead letters", "Ignored", title="In")
    for name, progress in summary.files.items():
        files.add_row(
            Path(name).name,
            *(f"{count:,}" for count in (progress.events_count, progress.rejected_count, progress.ignored_count)),
        )
    console.print(files)
    fired = Table("Rule", "Change", "Count", title="Alert changes")
    for (rule_id, kind), count in sorted(summary.alerts.items()):
        fired.add_row(rule_id, kind, f"{count:,}")
    console.print(fired)
    rate = summary.events_count / summary.elapsed_s if summary.elapsed_s else 0.0
    console.print(
        f"{summary.events_count:,} events in = {summary.stored_count:,} stored"
        f" + {summary.duplicate_count:,} already there"
        f" + {summary.unstorable_count:,} unstorable; {summary.dead_letters_count:,} dead letters, "
        f"{summary.ignored_count:,} ignored\n"
        f"{summary.elapsed_s:.1f} s, {rate:,.0f} events/s; alerts {summary.digest[:16]}"
    )


def _to_json(summary: ReplaySummary) -> dict[str, object]:
    return {
        "events": summary.events_count, "stored": summary.stored_count, "duplicates": summary.duplicate_count,
        "unstorable": summary.unstorable_count, "dead_letters": summary.dead_letters_count,
        "rejected": summary.rejected_count, "ignored": summary.ignored_count, "is_balanced": summary.is_balanced,
        "begins_at": summary.begins_at and summary.begins_at.isoformat(),
        "ends_at": summary.ends_at and summary.ends_at.isoformat(), "elapsed_s": round(summary.elapsed_s, 3),
        "alert_changes": {f"{rule_id} {kind}": count for (rule_id, kind), count in sorted(summary.alerts.items())},
        "alerts_sha256": summary.digest,
    }  # fmt: skip
