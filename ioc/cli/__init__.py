"""The command line: ``ioc --help``. Each module holds the commands of one concern."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Annotated, NoReturn

import typer

from ioc import __version__
from ioc.errors import ConfigurationError, IocError, find_cause

MODULES: Mapping[str, tuple[str, ...]] = {
    "services": ("up", "db", "topics"),
    "roles": ("run",),
    "city": ("demo", "simulate"),
    "recorder": ("record",),
    "recordings": ("replay",),
    "rulebooks": ("rules",),
    "rule_health": ("rules",),
    "inquiries": ("rules",),
    "routes": ("routes",),
    "backtests": ("backtest",),
    "dead_letters": ("dead-letters",),
    "people": ("accounts", "keys"),
    "reports": ("reports",),
    "geodata": ("geo",),
    "feeds": ("feeds",),
    "inspection": ("settings", "doctor"),
}
"""Where each command lives."""


def make_app(wanted: str | None = None) -> typer.Typer:
    """Assemble the command line; with the name of a command only what that command needs, which starts faster."""
    made = typer.Typer(
        name="ioc",
        help="Intelligent Operations Centre of Quảng Ninh: live feeds, alerts, walls and webhooks.",
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    made.callback()(_root)
    homes = [name for name, commands in MODULES.items() if wanted in commands]
    for name in homes or MODULES:
        import_module(f"ioc.cli.{name}").register(made)
    return made


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"ioc {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take options that every command has."""


def main() -> None:
    """Run the command line; errors of ours become one clear message instead of a traceback."""
    try:
        make_app(sys.argv[1] if len(sys.argv) > 1 else None)()
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
