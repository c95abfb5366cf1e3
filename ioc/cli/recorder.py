"""``ioc record``: events of the log into files that can be kept, analysed and replayed."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from ioc.bootstrap.foundations import open_log
from ioc.cli.instants import WRITTEN, to_instant
from ioc.cli.running import run
from ioc.cli.services import told_to_stop
from ioc.clocks import SystemClock
from ioc.errors import ConfigurationError
from ioc.recordings.manifest import Manifest
from ioc.recordings.recorder import RecordedForm, Recorder, Rotation
from ioc.recordings.selection import read_selection
from ioc.replaying import Capture
from ioc.replaying import record as record_log
from ioc.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("record")(record)


def record(
    folder: Annotated[Path, typer.Argument(help="New folder for the files and their manifest.")],
    live: Annotated[bool, typer.Option("--live", help="What comes from now on, until Ctrl-C or --to.")] = False,
    since: Annotated[
        datetime | None,
        typer.Option("--from", parser=to_instant, metavar="INSTANT", help=f"Arrival not before then. {WRITTEN}."),
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--to", parser=to_instant, metavar="INSTANT", help="Arrival before then.")
    ] = None,
    filters: Annotated[
        list[str] | None,
        typer.Option("--filter", help="feed=air, kind=env.*, asset=vessel.*, bbox=west,south,east,north; repeatable."),
    ] = None,
    form: Annotated[list[RecordedForm] | None, typer.Option(help="ndjson (default), parquet; both: give both.")] = None,
    rotate_mb: Annotated[int, typer.Option(min=1, help="Begin a new file at this size, compressed.")] = 256,
    rotate_minutes: Annotated[float, typer.Option(min=0.1, help="Begin a new file at this age.")] = 60.0,
    scenario: Annotated[str | None, typer.Option(help="Scenario that made the events, for the manifest.")] = None,
    seed: Annotated[int | None, typer.Option(help="Its seed, for the manifest.")] = None,
) -> None:
    """Record events from the log: what it still holds of a span, or live.

    Examples:
      ioc record recordings/today --from 2026-11-23T00:00+07:00
      ioc record recordings/boats --live --filter kind=vessel.* --form ndjson --form parquet
    """
    if live and since is not None:
        raise ConfigurationError(["--live begins now; leave --from out"])
    selection = read_selection(filters or (), start_at=since, end_at=until)
    rotation = Rotation(most_bytes=rotate_mb * 1_000_000, most_age=timedelta(minutes=rotate_minutes))
    head = Manifest(source="live" if live else "log", selection=selection.describe(), scenario=scenario, seed=seed)

    async def write(settings: Settings) -> tuple[Manifest, Capture]:
        stop = told_to_stop()
        clock = SystemClock()
        async with open_log(settings, clock=clock, client_id="ioc-record") as log:
            forms = form or [RecordedForm.NDJSON]
            recorder = Recorder(folder, forms=forms, manifest=head, rotation=rotation, now=clock.now)
            with _Line() as line:
                return await record_log(
                    log, recorder, selection, clock=clock, is_live=live, stop=stop, on_progress=line.show
                )

    _print(folder, *run(write))


class _Line:
    """One line of progress on a terminal; silent where nobody looks."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console,
            disable=not console.is_terminal,
        )  # fmt: skip
        self._task = self._progress.add_task("", total=None)

    def __enter__(self) -> _Line:
        self._progress.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._progress.stop()

    def show(self, capture: Capture) -> None:
        """Say how far it came."""
        reached = "" if capture.reached_at is None else f", up to {capture.reached_at:%Y-%m-%d %H:%M:%S} UTC"
        text = f"{capture.events_count:,} events, {capture.bytes_count / 1e6:,.1f} MB{reached}"
        self._progress.update(self._task, description=text)


def _print(folder: Path, manifest: Manifest, capture: Capture) -> None:
    console = Console()
    kinds: Counter[str] = Counter()
    for file in manifest.files:
        if file.form == manifest.files[0].form:
            kinds.update(file.kinds)
    table = Table("Kind", "Events", title=str(folder))
    for kind, count in sorted(kinds.items()):
        table.add_row(kind, f"{count:,}")
    console.print(table)
    console.print(
        f"{capture.events_count:,} events in {len(manifest.files)} files, {capture.bytes_count / 1e6:,.1f} MB;"
        f" {capture.left_aside_count:,} others left aside, {capture.undecodable_count:,} unreadable on the log"
    )
