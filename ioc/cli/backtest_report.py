"""What a backtest shows: how far it is, and at its end what the drafts would have changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from alerts.backtest.comparison import Change, Line
from alerts.backtest.trial import Occurrence
from ioc.bootstrap.backtests import Account
from ioc.bootstrap.backtests import Progress as Reached
from ioc.cli.instants import show_instant

_FIRST = 10


class EventBar:
    """One bar on a terminal: share, events a second, time left; silent where nobody looks."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.fields[at]}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[rate]}"), TextColumn("{task.fields[left]}"), TimeElapsedColumn(),
            console=console, disable=not console.is_terminal,
        )  # fmt: skip
        self._task = self._bar.add_task("", total=None, at="counting", rate="", left="")

    def __enter__(self) -> EventBar:
        self._bar.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._bar.stop()

    def show(self, reached: Reached) -> None:
        """Move the bar."""
        left = "" if reached.left_s is None else f"{timedelta(seconds=round(reached.left_s))} left"
        self._bar.update(
            self._task, total=reached.estimate, completed=reached.events_count, left=left,
            at="" if reached.reached_at is None else show_instant(reached.reached_at),
            rate=f"{reached.rate_per_s:,.0f} events/s",
        )  # fmt: skip


def print_account(account: Account) -> None:
    """Print the table per rule and unit, the first differences, and what could not be judged."""
    console, comparison = Console(), account.comparison
    table = Table(
        Column("Rule", overflow="fold"), "Unit", "Firings", "In alarm", "Now in force", "In alarm", "Difference",
        title="Backtest",
    )  # fmt: skip
    for line in comparison.lines:
        table.add_row(
            line.rule_id, line.unit_code or "", f"{line.firings_count:,}", _span(line.in_alarm),
            f"{line.active_firings_count:,}", _span(line.active_in_alarm),
            show_difference(line),
        )  # fmt: skip
    console.print(table)
    for title, items in (("Only with the drafts", comparison.added), ("Only with the rules in force", comparison.gone)):
        if items:
            first = Table(
                "Decided (UTC+7)", Column("Rule", overflow="fold"), Column("Asset", overflow="fold"), "Severity",
                "What", title=f"{title}: the first of {len(items):,}",
            )  # fmt: skip
            for item in items[:_FIRST]:
                first.add_row(
                    show_instant(item.started_at), item.rule_id, item.asset_id or "", item.severity.value,
                    item.title_vi,
                )  # fmt: skip
            console.print(first)
    print_changes(console, comparison.changed)
    _print_first("rule ", account.faults, account.faults_count)
    _print_first("not read: ", account.unreadable, account.unreadable_count)
    _print_sum(console, account)


def show_difference(line: Line) -> str:
    """Give what one line of a comparison counts: only new, only in force, and in both but changed."""
    return f"[green]+{line.added_count}[/] [red]−{line.gone_count}[/] [yellow]~{line.changed_count}[/]"


def print_changes(console: Console, changes: Sequence[Change]) -> None:
    """Print the first of the occurrences that changed: what was, and what would be."""
    if not changes:
        return
    table = Table(
        Column("Rule", overflow="fold"), Column("Asset", overflow="fold"), "Now in force (UTC+7)", "Would be", "What",
        title=f"Changed: the first of {len(changes):,}",
    )  # fmt: skip
    for change in changes[:_FIRST]:
        item = change.draft
        table.add_row(item.rule_id, item.asset_id or "", _course(change.active), _course(item), item.title_vi)
    console.print(table)


def _course(item: Occurrence) -> str:
    end = "" if item.ended_at is None else show_instant(item.ended_at, "%m-%d %H:%M")
    return f"{item.severity.value}, {show_instant(item.started_at, '%m-%d %H:%M')} – {end}"


def _print_first(said: str, items: Sequence[str], count: int) -> None:
    for item in items:
        typer.echo(f"ioc: {said}{item}", err=True)
    if count > len(items):
        typer.echo(f"ioc: {said}{count - len(items):,} more", err=True)


def _print_sum(console: Console, account: Account) -> None:
    comparison = account.comparison
    rate = account.events_count / account.elapsed_s if account.elapsed_s else 0.0
    if account.is_partial:
        until = "nothing" if comparison.until is None else f"{show_instant(comparison.until)} (UTC+7)"
        console.print(f"[bold]Stopped: a partial result, up to {until}[/]")
    console.print(
        f"{account.events_count:,} events, {account.elapsed_s:.1f} s, {rate:,.0f} events/s;"
        f" {len(comparison.draft):,} occurrences, {len(comparison.active):,} with the rules in force:"
        f" +{len(comparison.added):,} −{len(comparison.gone):,}, ~{len(comparison.changed):,} changed",
        soft_wrap=True,
    )


def _span(span: timedelta) -> str:
    hours, rest = divmod(round(span.total_seconds()), 3_600)
    return f"{hours:,} h {rest // 60:02d}" if span else "–"
