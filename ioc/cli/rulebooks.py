"""``ioc rules check`` and ``ioc rules test``: rules are tested like code, without any service.

The commands about versions, which need the deployment's store, are in ``rule_versions``.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from alerts import rule_tests
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
    faults = rule_tests.check(paths or _shipped())
    for fault in faults:
        typer.echo(str(fault), err=True)
    if faults:
        raise typer.Exit(1)
    typer.echo("rules are sound")


@rules_app.command("test")
def run_tests(paths: Paths = None) -> None:
    """Run the tests that stand beside the rules: given events, expected alerts. Exits 1 if one fails.

    Example:  ioc rules test
    """
    results = rule_tests.run_tests(paths or _shipped(), load_world(settings.load().data_dir / "geo"))
    table = Table("", "Rule", "Test", "What differs")
    for result in results:
        table.add_row(
            "[green]ok[/]" if result.passed else "[red]FAILED[/]", result.rule_id, result.name, result.difference
        )
    Console().print(table)
    failed = sum(not result.passed for result in results)
    typer.echo(f"{len(results) - failed} passed, {failed} failed")
    if failed or not results:
        raise typer.Exit(1)


def _shipped() -> list[Path]:
    configured = settings.load().alerts.rules_dir
    return [configured or Path(str(resources.files("alerts").joinpath("rules")))]
