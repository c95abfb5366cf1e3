"""``ioc reports``: a shift, and how well the alarm system served, from the deployment's store."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console

from alerts.shift import ShiftName, find_shift
from ioc import bootstrap, settings
from ioc.api.performance_page import write_performance_page
from ioc.api.report_page import Language, unit_names
from ioc.api.report_views import to_performance, to_shift
from ioc.api.shift_page import write_shift_page
from ioc.bootstrap.knowledge import load_world
from ioc.cli.instants import WRITTEN, to_instant
from ioc.cli.report_tables import print_performance, print_shift
from ioc.cli.running import run
from ioc.clocks import SystemClock
from ioc.settings import Settings

reports_app = typer.Typer(help="Reports from the alert journal.", no_args_is_help=True)
Result = TypeVar("Result")
_DAY = timedelta(days=1)

From = Annotated[
    datetime | None, typer.Option("--from", parser=to_instant, metavar="INSTANT", help=f"Beginning. {WRITTEN}.")
]
To = Annotated[
    datetime | None,
    typer.Option("--to", parser=to_instant, metavar="INSTANT", help="End, exclusive; now where it is not given."),
]
Lang = Annotated[Language, typer.Option("--lang", help="Language of the report.")]
Html = Annotated[Path | None, typer.Option("--html", help="Write a page to print here instead.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, as the API gives it.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(reports_app, name="reports")


@reports_app.command("shift")
def shift(
    start: From = None,
    end: To = None,
    name: Annotated[
        ShiftName,
        typer.Option(
            "--shift", help="day (6–18), night (18–6), now: the one that runs, last: the last one that is over."
        ),
    ] = ShiftName.LAST,
    lang: Lang = "vi",
    html: Html = None,
    as_json: Json = False,
) -> None:
    """Report a shift: what fired and ended, who did what, how the alarm system served, what is handed over.

    Examples:
      ioc reports shift
      ioc reports shift --shift night --html ca-dem.html
      ioc reports shift --from 2026-11-27T06:00 --to 2026-11-27T14:00 --lang en
    """
    now = SystemClock().now()
    begins_at, ends_at = find_shift(name, now)
    if start is not None or end is not None:
        ends_at = end or now
        begins_at = start or ends_at - timedelta(hours=8)
    made = _read(lambda settings: bootstrap.report_shift(settings, begins_at, min(ends_at, now)))
    if html is not None:
        _write(html, write_shift_page(made, lang, _names(), standalone=True))
    elif as_json:
        _print_json(to_shift(made))
    else:
        print_shift(Console(), made, lang)


@reports_app.command("alarms")
def alarms(
    start: From = None,
    end: To = None,
    unit: Annotated[str | None, typer.Option(help="Code of a unit; all where it is not given.")] = None,
    lang: Lang = "vi",
    html: Html = None,
    as_json: Json = False,
) -> None:
    """Report alarm performance after ISA-18.2 and EEMUA 191: the last day, or a period of at most 31 days.

    Examples:
      ioc reports alarms
      ioc reports alarms --from 2026-11-01 --to 2026-12-01 --html thang-11.html
      ioc reports alarms --unit 06652 --json
    """
    if unit is not None and unit not in unit_names():
        raise typer.BadParameter(f"no unit has the code {unit!r}", param_hint="--unit")
    now = SystemClock().now()
    ends_at = min(now, end or now)
    begins_at = start or ends_at - _DAY
    made = _read(lambda settings: bootstrap.report_performance(settings, begins_at, ends_at, unit_code=unit))
    if html is not None:
        _write(html, write_performance_page(made, lang, standalone=True))
    elif as_json:
        _print_json(to_performance(made))
    else:
        print_performance(Console(), made, lang)


def _names() -> Callable[[str], tuple[str, str]]:
    return load_world(settings.load().data_dir / "geo").name_of


def _read(report: Callable[[Settings], Awaitable[Result]]) -> Result:
    async def read(settings: Settings) -> Result:
        # A month of a busy province takes a minute: say that something happens, where it disturbs no output.
        with Console(stderr=True).status("Reading the journal…"):
            return await report(settings)

    return run(read)


def _write(path: Path, page: str) -> None:
    path.write_text(page, encoding="utf-8")
    typer.echo(f"written to {path}", err=True)


def _print_json(report: dict[str, Any]) -> None:
    typer.echo(json.dumps(report, ensure_ascii=False, indent=2))
