"""``ioc rules check``, ``test`` and ``limits``: rules are tested like code, without any service.

The commands about versions, which need the deployment's store, are in ``rule_versions``.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from textwrap import indent
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from alerts.lifecycle import rule_tests
from alerts.rulebook.book import Rulebook
from alerts.rulebook.listing import list_rules
from ioc import settings
from ioc.bootstrap.knowledge import load_world
from ioc.cli import rule_versions

rules_app = typer.Typer(help="Alert rules.", no_args_is_help=True)
Paths = Annotated[
    list[Path] | None, typer.Argument(help="Rule files or folders; without: the rules that this deployment uses.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    rule_versions.register(rules_app)
    app.add_typer(rules_app, name="rules")


@rules_app.command("check")
def check(paths: Paths = None) -> None:
    """Find every fault of the rule files, each with file and line. Exits 1 if there is one.

    Example:  ioc rules check my-rules/
    """
    count, faults = rule_tests.count_and_check(paths or _shipped(), load_world(settings.load().data_dir / "geo"))
    for fault in faults:
        typer.echo(str(fault), err=True)
    if faults:
        raise typer.Exit(1)
    typer.echo(f"{count} of {count} rules are sound" if count else "there is no rule in it", err=not count)


@rules_app.command("test")
def run_tests(paths: Paths = None) -> None:
    """Run the tests that stand beside the rules: given events, expected alerts. Exits 1 if one fails.

    Example:  ioc rules test
    """
    tests = rule_tests.find_tests(paths or _shipped())
    world, failed = load_world(settings.load().data_dir / "geo"), 0
    console = Console(stderr=True)
    for test in track(tests, "rules", console=console, transient=True, disable=not console.is_terminal):
        result = test.run(world)
        failed += not result.passed
        typer.echo(f"{'ok    ' if result.passed else 'FAILED'} {result.rule_id}: {result.name}")
        if not result.passed:
            typer.echo(f"       {result.file}:{result.line}")
            typer.echo(indent(result.difference, " " * 7))
    typer.echo(f"{len(tests) - failed} passed, {failed} failed")
    if failed or not tests:
        raise typer.Exit(1)


@rules_app.command("limits")
def show(paths: Paths = None) -> None:
    """Print the rules as a Markdown table: what each looks at, its levels and limits.

    Example:  ioc rules limits
    """
    typer.echo(list_rules(Rulebook.load(paths or _shipped()).rules), nl=False)


def _shipped() -> list[Path]:
    configured = settings.load().alerts.rules_dir
    return [configured or Path(str(resources.files("alerts").joinpath("rules")))]
