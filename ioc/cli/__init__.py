"""The command line: ``ioc --help``. Each module holds the commands of one concern."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Annotated, NamedTuple

import typer
from typer._click import Command, Context
from typer.core import TyperGroup

from ioc import __version__
from ioc.errors import ConfigurationError, IocError, one_cause


class Place(NamedTuple):
    """Where a command lives, and what ``ioc --help`` says of it: what the command itself begins its help with."""

    modules: tuple[str, ...]
    summary: str


COMMANDS: Mapping[str, Place] = {
    "up": Place(
        ("services",),
        "Start every role on this machine and keep it up (embedded log and database unless set otherwise).",
    ),
    "run": Place(("roles",), "Run one role, or several in one process, until SIGTERM."),
    "demo": Place(
        ("city",),
        "Start everything with a simulated province, and keep it up until Ctrl-C. The next start goes on with its"
        " data.",
    ),
    "simulate": Place(
        ("city",), "Pretend to be the province: stations over MQTT, boats over NMEA, gates, sites and units over HTTP."
    ),
    "record": Place(("recorder",), "Record events from the log: what it still holds of a span, or live."),
    "replay": Place(("recordings",), "Replay recordings and say what became of every record and which alerts came."),
    "backtest": Place(
        ("backtests",), "Run draft rules over what was, with the engine that runs live, and say what would differ."
    ),
    "rules": Place(("rulebooks", "rule_health", "inquiries"), "Alert rules."),
    "routes": Place(("routes",), "Who is told of what."),
    "feeds": Place(("feeds",), "Feeds: list, check, try a file."),
    "dead-letters": Place(("dead_letters",), "Records that could not be read, kept with bytes and reason."),
    "reports": Place(("reports",), "Reports from the alert journal."),
    "accounts": Place(("people",), "Local accounts of people."),
    "keys": Place(("people",), "API keys of machines."),
    "geo": Place(("geodata",), "Geodata of the province."),
    "db": Place(("services",), "The database."),
    "topics": Place(("services",), "The topics of the event log."),
    "settings": Place(("inspection",), "Print the reference of every setting (Markdown)."),
    "doctor": Place(
        ("inspection",),
        "Check settings, folders, keys, log, database, migrations, rules, geodata and clock; say what to do about"
        " faults.",
    ),
}


class LazyGroup(TyperGroup):
    """Lists commands by their summaries; who calls one, or completes its options, has its modules imported."""

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        """Give the command that the words begin with."""
        name, listed, rest = super().resolve_command(ctx, args)
        return name, listed if name is None else load_command(name), rest


def make_app() -> typer.Typer:
    """Assemble the command line. What a command needs is imported when it is called."""
    made = typer.Typer(
        name="ioc",
        cls=LazyGroup,
        help="Intelligent Operations Centre of Quảng Ninh: live feeds, alerts, walls and webhooks.",
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    made.callback()(_root)
    for name, place in COMMANDS.items():
        made.command(name, help=place.summary)(_stand_in)
    return made


def load_command(name: str) -> Command:
    """Import what a command needs, and give it with everything below it."""
    home = typer.Typer(add_completion=False)
    home.callback()(_stand_in)
    for module in COMMANDS[name].modules:
        import_module(f"ioc.cli.{module}").register(home)
    group = typer.main.get_command(home)
    assert isinstance(group, TyperGroup)
    return group.commands[name]


def _stand_in() -> None:
    """Stand where a command is listed; what is called is loaded before."""


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
        # What a command raises while something of its own still runs beside it comes in a group.
        with one_cause():
            make_app()()
    except IocError as error:
        print(f"ioc: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, ConfigurationError) else 1)
    except KeyboardInterrupt:
        sys.exit(130)
