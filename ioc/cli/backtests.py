"""``ioc backtest``: draft rules over what was, beside what the rules in force would have given."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from alerts.rulebook.book import Rulebook
from ioc.bootstrap.backtest_accounts import describe, to_occurrences
from ioc.bootstrap.backtests import Account, Period, backtest_stored
from ioc.bootstrap.foundations import open_database
from ioc.bootstrap.timelines import draw_timelines
from ioc.cli.backtest_report import EventBar, print_account
from ioc.cli.instants import WRITTEN, to_instant
from ioc.cli.play_options import FeedOption, FormOption, StartOption, to_sources
from ioc.cli.playing import Bars
from ioc.cli.running import run
from ioc.cli.services import told_to_stop
from ioc.clocks import SystemClock
from ioc.errors import ConfigurationError
from ioc.replaying.backtests import backtest_files
from ioc.replaying.sources import Source
from ioc.settings import Settings

_INTERRUPTED = 130


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("backtest")(backtest)


def backtest(
    rules: Annotated[list[Path], typer.Option(help="Draft rules: files or folders; repeatable.")],
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Recordings (folder, .ndjson.zst, .parquet), archive folders, wire files (also gzipped);"
            " without any, what this deployment has stored."
        ),
    ] = None,
    begin: Annotated[
        datetime | None,
        typer.Option("--from", parser=to_instant, metavar="INSTANT", help=f"Stored history from then. {WRITTEN}."),
    ] = None,
    end: Annotated[
        datetime | None,
        typer.Option("--to", parser=to_instant, metavar="INSTANT", help="Up to then; unset or ahead: now."),
    ] = None,
    unit: Annotated[str | None, typer.Option(help="Count only what concerns this unit (code).")] = None,
    feed: FeedOption = None,
    form: FormOption = None,
    start: StartOption = None,
    output: Annotated[
        Path | None, typer.Option("--json", help="Write every occurrence and the difference here.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the occurrences over time here, as SVG.")] = None,
) -> None:
    """Run draft rules over what was, with the engine that runs live, and say what would differ.

    Over files it needs no service and compares with the rule files; over stored history it needs the store and compares
    with the rules in force. It changes nothing. Those of the same names run beside the drafts; rules that are new have
    nothing to be compared with. Ctrl-C gives what was found until then, and exits 130. Exits 1 if a draft rule failed
    on a reading.

    Examples:
      ioc backtest --rules my-rules/ --from 2026-11-01 --to 2026-11-08T12:00+07:00
      ioc backtest --rules crowd.yaml --from 2026-11-20 --unit 06652 --json crowd.json
      ioc backtest --rules my-rules/ recordings/last-month
      ioc backtest --rules pm25.yaml --plot pm25.svg PRSA_Data_*.csv.gz
    """
    if missing := [str(path) for path in rules if not path.exists()]:
        raise typer.BadParameter(
            f"there is no {', no '.join(missing)}; name rule files that end in .yaml, or folders of them",
            param_hint="--rules",
        )
    drafts = Rulebook.load(rules)
    if files:
        if begin is not None or end is not None:
            raise ConfigurationError(["--from and --to are for stored history; files are played as a whole"])
        sources = [source for path in files for source in to_sources(path, feed, form, start)]
        account = run(lambda settings: _play_files(settings, drafts, sources, unit))
    else:
        period = _to_period(begin, end, unit)
        account = run(lambda settings: _play_stored(settings, drafts, period))
    print_account(account)
    _write(account, output, plot)
    if account.is_partial:
        raise typer.Exit(_INTERRUPTED)
    if account.faults:
        raise typer.Exit(1)


def _write(account: Account, output: Path | None, plot: Path | None) -> None:
    comparison = account.comparison
    if output is not None:
        found = {**describe(account), **to_occurrences(comparison)}
        output.write_text(json.dumps(found, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    if plot is not None:
        drawn = draw_timelines(comparison, account.period.start)
        plot.write_text(drawn, encoding="utf-8")


async def _play_stored(settings: Settings, drafts: Rulebook, period: Period) -> Account:
    stop = told_to_stop()
    with EventBar() as bar:
        async with open_database(settings, max_size=2) as database:
            return await backtest_stored(
                settings, database, drafts, period, on_progress=bar.show, is_stopped=stop.is_set
            )


async def _play_files(settings: Settings, drafts: Rulebook, sources: Sequence[Source], unit: str | None) -> Account:
    stop = told_to_stop()
    with Bars(sources) as bars:
        return await backtest_files(settings, drafts, sources, unit, on_progress=bars.show, is_stopped=stop.is_set)


def _to_period(begin: datetime | None, end: datetime | None, unit: str | None) -> Period:
    if begin is None:
        raise ConfigurationError(["name files, or with --from since when stored history is to be played"])
    now = SystemClock().now()
    if begin >= now:
        raise ConfigurationError([f"--from {begin.isoformat()} lies in the future: nothing is stored of it"])
    until = now if end is None else min(end, now)
    if begin >= until:
        raise ConfigurationError([f"--from {begin.isoformat()} lies after the end of the period"])
    return Period(start=begin, end=until, unit_code=unit)
