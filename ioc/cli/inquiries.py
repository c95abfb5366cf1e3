"""``ioc rules why-not``: why a rule told nobody of an asset in a period."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from alerts.inquiry.asking import Answer, Finding, Question
from alerts.language.rule import PROVINCE_TIME
from ioc.api.inquiry_texts import say, say_source
from ioc.api.inquiry_views import to_answer
from ioc.bootstrap.rule_health import open_inquirer
from ioc.cli.course_plot import draw_course
from ioc.cli.instants import WRITTEN, to_instant
from ioc.cli.rulebooks import rules_app
from ioc.cli.running import run
from ioc.clocks import SystemClock
from ioc.settings import Settings


def register(app: typer.Typer) -> None:
    """Nothing to add: the command of this module stands under ``rules``."""


@rules_app.command("why-not")
def why_not(
    rule: Annotated[str, typer.Argument(help="Id of the rule, such as crowd.density.")],
    start: Annotated[
        datetime, typer.Option("--from", parser=to_instant, metavar="INSTANT", help=f"Since when. {WRITTEN}.")
    ],
    end: Annotated[
        datetime | None,
        typer.Option(
            "--to", parser=to_instant, metavar="INSTANT", help="Until when, at most 31 days later.", show_default="now"
        ),
    ] = None,
    asset: Annotated[
        str | None, typer.Option(help="The asset; unset only for rules over a unit, a zone or the province.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the value against its limit here, as SVG.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print for machines.")] = False,
) -> None:
    """Say why a rule told nobody: runs it alone over what was stored, and watches its condition.

    Each stretch of the period is judged by the version that was in force in it. What is marked explains the silence
    alone, the reason that leads comes first. Exits 1 if a stretch is left that nothing explains.

    Examples:
      ioc rules why-not crowd.density --asset site.bai-chay-beach --from 2026-11-23T08:00 --to 2026-11-23T11:00
      ioc rules why-not rain.sums --asset rain.ba-che --from 2026-11-23 --to 2026-11-24 --plot rain.svg
    """
    until = SystemClock().now() if end is None else end
    question = Question(rule_id=rule, asset_id=asset, start=start, end=until)
    answer = run(lambda settings: _ask(settings, question))
    if plot is not None:
        title = f"{rule} · {asset or ''} · {_show(answer.question.start)} – {_show(answer.question.end)}"
        plot.write_text(draw_course(answer, title), encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(to_answer(answer), ensure_ascii=False, indent=1))
    else:
        _print(answer)
    if not answer.is_explained:
        raise typer.Exit(1)


async def _ask(settings: Settings, question: Question) -> Answer:
    console = Console(stderr=True)
    progress = Progress(
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console, transient=True,
        disable=not console.is_terminal,
    )  # fmt: skip
    with progress:
        task = progress.add_task("reading")

        def show(count: int, reached_at: datetime) -> None:
            progress.update(task, description=f"{count:,} events, up to {_show(reached_at)}")

        async with open_inquirer(settings) as inquirer:
            return await inquirer.ask(question, show)


def _print(answer: Answer) -> None:
    console, question = Console(), answer.question
    console.print(
        f"[bold]{escape(question.rule_id)}[/] {escape(question.asset_id or '')}"
        f" {_show(question.start)} – {_show(question.end)} (province's time)",
        highlight=False,
    )
    _print_findings(console, [found for found in answer.findings if found.stretch is None])
    for place, stretch in enumerate(answer.stretches):
        tenure = stretch.tenure
        by = f" by {tenure.actor}: {tenure.reason}" if tenure.actor else ""
        version = "" if tenure.rule is None else f" ({tenure.rule.version})"
        line = f"{_show(stretch.start)} – {_show(stretch.end)}  {say_source(tenure)[1]}{version}{by}"
        console.print(f"[cyan]{escape(line)}[/]", highlight=False)
        _print_findings(console, [found for found in answer.findings if found.stretch == place])
    for name in answer.unreadable_files:
        typer.echo(f"ioc: {name} of the archive could not be read; what it holds was not looked at", err=True)
    console.print(f"[dim]{answer.events_count:,} events looked at[/]", highlight=False)


def _print_findings(console: Console, findings: Sequence[Finding]) -> None:
    for found in findings:
        mark = "[bold green]●[/]" if found.is_decisive else "[dim]○[/]"
        console.print(f"{mark} [bold]{found.reason.value}[/]  {escape(say(found)[1])}", highlight=False)


def _show(at: datetime) -> str:
    return f"{at.astimezone(PROVINCE_TIME):%Y-%m-%d %H:%M}"
