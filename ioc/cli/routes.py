"""``ioc routes``: who is told of what, checked, drawn and tested without any service."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from alerts.notification.labels import read_labels
from alerts.notification.policy import Policy, Route
from alerts.notification.policy_files import read_policy
from ioc import settings
from ioc.bootstrap.knowledge import policy_file
from ioc.domain.alerts import Severity

routes_app = typer.Typer(help="Who is told of what.", no_args_is_help=True)
File = Annotated[Path | None, typer.Option("--file", "-f", help="Policy file; unset: the one that is in force.")]
Labels = Annotated[list[str] | None, typer.Argument(help="LABEL=VALUE of an alert, such as rule=crowd.density.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(routes_app, name="routes")


@routes_app.command("check")
def check(file: File = None) -> None:
    """Find every fault of the policy file, each with its line. Exits 1 if there is one.

    Example:  ioc routes check --file my-policy.yaml
    """
    _read(file)
    typer.echo("the policy is sound")


@routes_app.command("show")
def show(file: File = None) -> None:
    """Draw the tree of routes.

    Example:  ioc routes show
    """
    policy = _read(file)
    Console().print(_draw(policy.root))


@routes_app.command("test")
def run_tests(
    labels: Labels = None,
    file: File = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print for machines.")] = False,
) -> None:
    """Say who would be told of an alert, and what every route says to it; without labels, run the policy's own tests.

    Examples:
      ioc routes test
      ioc routes test rule=vessel.squall severity=critical zone=ha-long-bay
    """
    policy = _read(file)
    if labels:
        _explain(policy, _to_labels(labels), as_json=as_json)
    else:
        _run(policy)


def _read(file: Path | None) -> Policy:
    policy, faults = read_policy(file or policy_file(settings.load()))
    for fault in faults:
        typer.echo(str(fault), err=True)
    if policy is None:
        raise typer.Exit(1)
    return policy


def _draw(route: Route, tree: Tree | None = None) -> Tree:
    takes = escape(route.matchers.to_text()) or "everything"
    more = (" [dim]and goes on[/]" if route.goes_on else "") + ("" if route.wants_ends else " [dim]without ends[/]")
    ladder = f" [dim]ladder[/] {route.ladder_id}" if route.ladder_id else ""
    text = f"[bold]{route.route_id}[/] [dim]takes[/] {takes} [dim]tells[/] {', '.join(route.departments)}{ladder}{more}"
    branch = Tree(text) if tree is None else tree.add(text)
    for child in route.children:
        _draw(child, branch)
    return branch


def _to_labels(texts: list[str]) -> dict[str, str]:
    try:
        return read_labels(texts)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _explain(policy: Policy, labels: dict[str, str], *, as_json: bool) -> None:
    routed, steps = policy.route(labels), policy.explain(labels)
    timing = policy.timing[Severity(labels.get("severity", Severity.INFO.value))]
    if as_json:
        shown = {
            "goes_to": [
                {"route": item.route.route_id, "departments": item.route.departments, "group": item.group_key}
                for item in routed
            ],
            "first_after_s": timing.group_wait.total_seconds(),
            "repeated_after_s": timing.repeat_interval.total_seconds(),
            "steps": [{"route": step.route_id, "depth": step.depth, "refused_by": step.refused_by} for step in steps],
        }
        typer.echo(json.dumps(shown, ensure_ascii=False, indent=1))
        return
    table = Table("Route", "")
    for step in steps:
        said = "[green]takes it[/]" if step.refused_by is None else f"[dim]refused by {escape(step.refused_by)}[/]"
        table.add_row("  " * step.depth + step.route_id, said)
    console = Console()
    console.print(table)
    for item in routed:
        console.print(f"[bold]{', '.join(item.route.departments)}[/] through {item.route.route_id}, in the group")
        console.print(f"  {escape(item.group_key)}", highlight=False)
    console.print(
        f"First told after {timing.group_wait.total_seconds():g} s, news after {timing.group_interval}, "
        f"repeated after {timing.repeat_interval}.",
        highlight=False,
    )


def _run(policy: Policy) -> None:
    table = Table("", "Test", "Expected", "Goes to")
    failed = 0
    for test in policy.tests:
        found = tuple(item.route.route_id for item in policy.route(test.labels))
        passed = sorted(found) == sorted(test.routes)
        failed += not passed
        table.add_row(
            "[green]ok[/]" if passed else "[red]FAILED[/]", test.name, ", ".join(test.routes), ", ".join(found)
        )
    Console().print(table)
    typer.echo(f"{len(policy.tests) - failed} passed, {failed} failed")
    if failed or not policy.tests:
        raise typer.Exit(1)
