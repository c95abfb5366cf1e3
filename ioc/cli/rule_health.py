"""``ioc rules health``: what each rule costs, holds, and where it failed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from ioc.api.rule_views import to_rules_health
from ioc.bootstrap.rule_health import read_rule_health
from ioc.cli.instants import show_instant
from ioc.cli.rulebooks import rules_app
from ioc.cli.running import run

_BAR = 12
_WIDE = 140
"""On fewer columns bounds, bars, readings and last faults are left out: names and figures must stand whole."""
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def register(app: typer.Typer) -> None:
    """Nothing to add: the command of this module stands under ``rules``."""


@rules_app.command("health")
def health(
    faults: Annotated[bool, typer.Option("--faults", help="Also list the newest faults of each rule.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print for machines.")] = False,
) -> None:
    """Show what each rule costs, what it holds, and where it failed, summed over the processes that run it.

    Rates and shares are of the last minute. Needs the store. Exits 1 if a rule fails now. A terminal of fewer than 140
    columns shows neither readings and bounds nor the last fault; --faults and --json have them.

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
    items = sorted(shown["items"], key=lambda item: -(item["share_pct"] or 0.0))
    console.print(_to_wide_table(items) if console.width >= _WIDE else _to_narrow_table(items))
    if with_faults:
        _print_faults(console, shown)
    processes = len(shown["processes"])
    console.print(
        f"{len(shown['items'])} rules in {processes} process{'' if processes == 1 else 'es'},"
        f" {shown['failing_count']} failing"
        + ("" if processes else "; no process has reported in the last minute: does one run the role process?"),
        highlight=False,
    )


def _to_wide_table(items: Sequence[dict[str, Any]]) -> Table:
    table = Table(
        Column("Rule", no_wrap=True), Column("Eval/s", justify="right"), Column("µs each", justify="right"),
        "Share of time", Column("Series", justify="right"), Column("Open", justify="right"),
        Column("Readings", justify="right"), Column("Faults", justify="right"), "Last fault",
    )  # fmt: skip
    for item in items:
        last, share = item["last_fault"], item["share_pct"]
        table.add_row(
            *_say_cost(item),
            "" if share is None else f"{draw_bar(share)} {share:4.1f} %",
            _say_held(item["series_count"], item["series_limit"]),
            f"{item['open_count']:,}",
            "–" if item["readings_limit"] is None else _say_held(item["readings_count"], item["readings_limit"]),
            f"{item['faults_count']:,}",
            "" if last is None else escape(f"{_to_text(last['at'])} {last['asset_id'] or ''} {last['reason']}"),
        )
    return table


def _to_narrow_table(items: Sequence[dict[str, Any]]) -> Table:
    figures = ("Eval/s", "µs each", "Share", "Series", "Open", "Faults")
    columns = [Column(name, justify="right", no_wrap=True) for name in figures]
    table = Table(Column("Rule", no_wrap=True), *columns, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for item in items:
        share = item["share_pct"]
        table.add_row(
            *_say_cost(item),
            "" if share is None else f"{share:.1f} %",
            f"{item['series_count']:,}",
            f"{item['open_count']:,}",
            f"{item['faults_count']:,}",
        )
    return table


def _say_cost(item: dict[str, Any]) -> tuple[str, str, str]:
    name = f"[red]{item['rule_id']}[/]" if item["is_failing"] else item["rule_id"]
    each = item["us_per_evaluation"]
    return (
        name + (" [dim]shadow[/]" if item["shadow"] else ""),
        f"{item['evaluations_per_s']:,.1f}" if item["is_reported"] else "–",
        "–" if each is None else f"{each:,.1f}",
    )


def _say_held(count: int, limit: int | None) -> str:
    return f"{count:,}" if limit is None else f"{count:,} of {limit:,}"


def _print_faults(console: Console, shown: dict[str, Any]) -> None:
    table = Table(
        Column("Rule", no_wrap=True), "Log time (UTC+7)", Column("Asset", overflow="fold"), "Reason",
        title="Newest faults", box=SIMPLE_HEAD, padding=(0, 1, 0, 0),
    )  # fmt: skip
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
    return show_instant(datetime.fromtimestamp(at_ms / 1000, UTC), "%Y-%m-%d %H:%M:%S")
