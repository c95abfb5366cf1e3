"""``ioc rules health``: what each rule costs, holds, and where it failed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from ioc.api.rule_views import to_rules_health
from ioc.bootstrap.rule_health import read_rule_health
from ioc.cli.rulebooks import rules_app
from ioc.cli.running import run

_BAR = 12
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def register(app: typer.Typer) -> None:
    """Nothing to add: the command of this module stands under ``rules``."""


@rules_app.command("health")
def health(
    faults: Annotated[bool, typer.Option("--faults", help="Also list the newest faults of each rule.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print for machines.")] = False,
) -> None:
    """Show what each rule costs, what it holds, and where it failed, summed over the processes that run it.

    Rates and shares are of the last minute. Needs the store. Exits 1 if a rule fails now.

    Examples:
      ioc rules health
      ioc rules health --json | jq '.items[] | select(.is_failing) | .rule_id'
    """
    shown = to_rules_health(*run(read_rule_health))
    if as_json:
        typer.echo(json.dumps(shown, ensure_ascii=False, indent=1))
    else:
        _print(shown, with_faults=faults)
    if shown["failing_count"]:
        raise typer.Exit(1)


def _print(shown: dict[str, Any], *, with_faults: bool) -> None:
    console = Console()
    table = Table(
        "Rule", Column("Eval/s", justify="right"), Column("µs each", justify="right"), "Share of time",
        Column("Series", justify="right"), Column("Open", justify="right"), Column("Readings", justify="right"),
        Column("Faults", justify="right"), "Last fault",
    )  # fmt: skip
    for item in sorted(shown["items"], key=lambda item: -(item["share_pct"] or 0.0)):
        table.add_row(*_to_row(item))
    console.print(table)
    if with_faults:
        _print_faults(console, shown)
    processes = len(shown["processes"])
    console.print(
        f"{len(shown['items'])} rules in {processes} process{'' if processes == 1 else 'es'},"
        f" {shown['failing_count']} failing"
        + ("" if processes else "; no process has reported in the last minute: does one run the role process?"),
        highlight=False,
    )


def _to_row(item: dict[str, Any]) -> list[str]:
    last = item["last_fault"]
    name = f"[red]{item['rule_id']}[/]" if item["is_failing"] else item["rule_id"]
    each, share = item["us_per_evaluation"], item["share_pct"]
    held = f"{item['readings_count']:,}" + ("" if item["readings_limit"] is None else f" of {item['readings_limit']:,}")
    things = f"{item['series_count']:,}" + ("" if item["series_limit"] is None else f" of {item['series_limit']:,}")
    return [
        name + (" [dim]shadow[/]" if item["shadow"] else ""),
        f"{item['evaluations_per_s']:,.1f}" if item["is_reported"] else "–",
        "–" if each is None else f"{each:,.1f}",
        "" if share is None else f"{draw_bar(share)} {share:4.1f} %",
        things,
        f"{item['open_count']:,}",
        "–" if item["readings_limit"] is None else held,
        f"{item['faults_count']:,}",
        "" if last is None else escape(f"{_to_text(last['at'])} {last['asset_id'] or ''} {last['reason']}"),
    ]


def _print_faults(console: Console, shown: dict[str, Any]) -> None:
    table = Table("Rule", "Log time (UTC)", "Asset", "Reason", title="Newest faults")
    for item in shown["items"]:
        for fault in item["faults"]:
            table.add_row(
                item["rule_id"], _to_text(fault["at"]), escape(fault["asset_id"] or ""), escape(fault["reason"])
            )
    console.print(table)


def draw_bar(share_pct: float) -> str:
    """Draw a share as a bar of twelve signs, exact to an eighth of one."""
    eighths = round(share_pct / 100 * _BAR * 8)
    whole, rest = divmod(max(0, min(eighths, _BAR * 8)), 8)
    return ("█" * whole + (_EIGHTHS[rest] if rest else "")).ljust(_BAR)


def _to_text(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}"
