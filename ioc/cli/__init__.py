"""The command line: ``ioc --help``. Each module holds the commands of one concern."""

from __future__ import annotations

import sys
from typing import Annotated, NoReturn

import typer

from ioc import __version__
from ioc.cli import (
    backtests,
    city,
    dead_letters,
    geodata,
    inspection,
    people,
    recorder,
    recordings,
    rulebooks,
    services,
)
from ioc.errors import ConfigurationError, IocError, find_cause

app = typer.Typer(
    name="ioc",
    help="Intelligent Operations Centre of Quảng Ninh: live feeds, alerts, walls and webhooks.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (services, city, recorder, recordings, rulebooks, backtests, dead_letters, people, geodata, inspection):
    module.register(app)


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"ioc {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take options that every command has."""


def main() -> None:
    """Run the command line; errors of ours become one clear message instead of a traceback."""
    try:
        app()
    except IocError as error:
        _give_up(error)
    except BaseExceptionGroup as group:
        # What a command raises while something of its own still runs beside it comes in a group.
        if (cause := find_cause(group)) is None:
            raise
        _give_up(cause)
    except KeyboardInterrupt:
        sys.exit(130)


def _give_up(error: IocError) -> NoReturn:
    print(f"ioc: {error}", file=sys.stderr)
    sys.exit(2 if isinstance(error, ConfigurationError) else 1)
