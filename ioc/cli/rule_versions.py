"""``ioc rules list|versions|save|activate|roll-back|retire|report``: which versions of rules are in force, and why."""

from __future__ import annotations

import getpass
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table

from alerts.backtest.trial import Occurrence
from ioc.bootstrap.rulebooks import open_desk
from ioc.cli.backtest_report import print_changes, show_difference
from ioc.cli.instants import WRITTEN, show_instant, to_instant
from ioc.cli.running import run
from ioc.errors import ConfigurationError
from ioc.rules.desk import Caller, RuleDesk, ShadowReport
from ioc.rules.shown import list_rules as list_rules_in_force
from ioc.rules.shown import to_activation, to_report, to_version
from ioc.settings import Settings
from ioc.storage.rule_activations import Activation, Lane
from ioc.storage.rule_versions import RuleVersion

Result = TypeVar("Result")
RuleName = Annotated[str, typer.Argument(help="The rule's name, such as crowd.density.")]


def _to_reason(text: str) -> str:
    if not text.strip():
        raise typer.BadParameter("must not be blank: the history and the audit log say why")
    return text


Reason = Annotated[str, typer.Option(parser=_to_reason, help="Why; it stands in the history and in the audit log.")]
Author = Annotated[str, typer.Option("--as", help="Who; without: the user of this machine.")]
Shadow = Annotated[bool, typer.Option("--shadow", help="Of the candidate that runs beside, not of the rule in force.")]
Expected = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="The rule's newest activation as you saw it (ioc rules versions), 0 for none; refuses if it moved on.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON, for machines.")]
_FIRST = 10


def register(app: typer.Typer) -> None:
    """Add the commands of this module to ``ioc rules``."""
    for name, command in (
        ("list", list_rules), ("versions", list_versions), ("save", save), ("activate", activate),
        ("roll-back", roll_back), ("retire", retire), ("report", report),
    ):  # fmt: skip
        app.command(name)(command)


def list_rules(as_json: AsJson = False) -> None:
    """List the rules in force: where each comes from, who put it there, and what runs beside it.

    Example:  ioc rules list
    """

    async def find(desk: RuleDesk) -> list[dict[str, Any]]:
        return list_rules_in_force(desk.rules, with_retired=True)

    items = _at_desk(find)
    if as_json:
        _print_json(items)
        return
    # Ids are copied into other commands: on 80 columns they must stand whole.
    table = Table(
        Column("Rule", no_wrap=True), "From", "Meaning", "By", "Since (UTC+7)", "Beside it",
        box=SIMPLE_HEAD, padding=(0, 1, 0, 0),
    )  # fmt: skip
    for item in items:
        number, since = item.get("number"), item.get("since")
        table.add_row(
            item["id"], item["source"] + (f" {number}" if number else ""), item.get("version", ""),
            item.get("activated_by", ""), _to_text(since) if since else "",
            ", ".join(f"{beside['number']}" for beside in item["candidates"]),
        )  # fmt: skip
    Console().print(table)


def list_versions(rule_id: RuleName, as_json: AsJson = False) -> None:
    """List the versions of a rule, and everything that was active of it.

    Example:  ioc rules versions crowd.density
    """

    async def find(desk: RuleDesk) -> tuple[list[RuleVersion], list[Activation]]:
        found = await desk.store.versions.page(rule_id, limit=1_000)
        return found, await desk.store.activations.history(rule_id)

    found, history = _at_desk(find)
    if as_json:
        _print_json(
            {"versions": list(map(to_version, found)), "activations": [to_activation(item) for item in history]}
        )
        return
    table = Table("Number", "Meaning", "By", "Saved (UTC+7)", "Tests", "Why", title=f"Versions of {rule_id}")
    for version in found:
        table.add_row(
            str(version.number), version.version, version.author, show_instant(version.created_at),
            str(version.tests_count), version.reason,
        )  # fmt: skip
    Console().print(table)
    past = Table("Activation", "When (UTC+7)", "What", "By", "Why", title="What was active, newest first")
    for item in history:
        past.add_row(
            str(item.activation_id),
            show_instant(item.at, "%Y-%m-%d %H:%M:%S"),
            _describe(item),
            item.actor,
            item.reason,
        )
    Console().print(past)


def save(
    file: Annotated[Path, typer.Argument(help="One rule with its tests.", exists=True, dir_okay=False)],
    reason: Reason,
    author: Author = "",
) -> None:
    """Check a rule, run the tests beside it, and keep it as a version. Nothing comes into force.

    Example:  ioc rules save crowd.yaml --reason "Hội Hạ Long: ngưỡng thấp hơn"
    """
    try:
        source = file.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise ConfigurationError([f"{file}: {error}"]) from error
    made = _at_desk(lambda desk: desk.save(source, by=_caller(author), reason=reason, name=str(file)))
    typer.echo(f"{made.rule_id} version {made.number} ({made.version}), {made.tests_count} tests passed")
    if not made.tests_count:
        typer.echo("It has no test, so it can run with --shadow but not come into force.", err=True)


def activate(
    rule_id: RuleName,
    number: Annotated[str, typer.Argument(help="Number of the version; `file` for the rule as the files have it.")],
    reason: Reason,
    shadow: Annotated[bool, typer.Option("--shadow", help="Run it beside the rule in force; nobody is told.")] = False,
    author: Author = "",
    expected: Expected = None,
) -> None:
    """Put a version in force, in every process within two seconds and without a restart.

    Examples:
      ioc rules activate crowd.density 3 --shadow --reason "thử một tuần"
      ioc rules activate crowd.density 3 --reason "ít báo nhầm hơn"
      ioc rules activate crowd.density file --reason "bỏ thay đổi"
    """
    if number != "file" and not number.isdecimal():
        raise ConfigurationError([f"{number!r} is no number of a version, and not `file`"])
    wanted = None if number == "file" else int(number)
    lane = Lane.SHADOW if shadow else Lane.LIVE
    made = _at_desk(
        lambda desk: desk.activate(rule_id, wanted, lane, by=_caller(author), reason=reason, expected=expected)
    )
    typer.echo(f"activation {made.activation_id}: {rule_id}: {_describe(made)}")


def roll_back(rule_id: RuleName, reason: Reason, author: Author = "", expected: Expected = None) -> None:
    """Put in force what was before; once more, and it goes one further back.

    Example:  ioc rules roll-back crowd.density --reason "quá nhiều báo động" --expected 12
    """

    async def put(desk: RuleDesk) -> tuple[Activation, bool]:
        made = await desk.roll_back(rule_id, by=_caller(author), reason=reason, expected=expected)
        return made, rule_id in desk.rules.files

    made, has_file = _at_desk(put)
    typer.echo(f"activation {made.activation_id}: {rule_id}: {_describe(made, has_file=has_file)}")


def retire(
    rule_id: RuleName, reason: Reason, shadow: Shadow = False, author: Author = "", expected: Expected = None
) -> None:
    """Take a rule out of force, or end its candidate; its open alerts end with the reason rule_deleted.

    Example:  ioc rules retire crowd.density --shadow --reason "xong thử nghiệm"
    """
    lane = Lane.SHADOW if shadow else Lane.LIVE
    made = _at_desk(lambda desk: desk.retire(rule_id, lane, by=_caller(author), reason=reason, expected=expected))
    typer.echo(f"activation {made.activation_id}: {rule_id}: {_describe(made)}")


def report(
    rule_id: RuleName,
    number: Annotated[int | None, typer.Option(min=1, help="Version; without: the candidate of last time.")] = None,
    start: Annotated[
        datetime | None,
        typer.Option("--from", parser=to_instant, metavar="INSTANT", help=f"Without: since it ran. {WRITTEN}."),
    ] = None,
    end: Annotated[
        datetime | None,
        typer.Option("--to", parser=to_instant, metavar="INSTANT", help="Without: until it ended, or now."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a candidate would have told, beside what the rule in force did.

    Example:  ioc rules report crowd.density
    """
    made = _at_desk(lambda desk: desk.report(rule_id, number=number, start=start, end=end))
    if as_json:
        _print_json(to_report(made))
    else:
        _print_report(made)


def _print_report(made: ShadowReport) -> None:
    console, found = Console(), made.comparison
    table = Table("Unit", "Firings", "In alarm", "In force", "In alarm", "Difference")
    for line in found.lines:
        table.add_row(
            line.unit_code or "", f"{line.firings_count:,}", str(line.in_alarm), f"{line.active_firings_count:,}",
            str(line.active_in_alarm), show_difference(line),
        )  # fmt: skip
    console.print(table)
    _print_first(console, f"Only version {made.number}", found.added)
    _print_first(console, "Only the rule in force", found.gone)
    print_changes(console, found.changed)
    console.print(
        f"{made.rule_id} version {made.number}, {show_instant(made.start)} to {show_instant(made.end)} (UTC+7):"
        f" {len(made.candidate):,} alerts, in force {len(made.in_force):,}: +{len(found.added):,} −{len(found.gone):,},"
        f" ~{len(found.changed):,} changed"
    )


def _print_first(console: Console, title: str, items: Sequence[Occurrence]) -> None:
    if items:
        table = Table("Decided (UTC+7)", "Asset", "Severity", "What", title=f"{title}: the first of {len(items):,}")
        for item in items[:_FIRST]:
            table.add_row(show_instant(item.started_at), item.asset_id or "", item.severity.value, item.title_vi)
        console.print(table)


def _describe(item: Activation, *, has_file: bool = True) -> str:
    of_files = "as in the files" if has_file else "nothing (no file has this rule)"
    what = {"version": f"version {item.number}", "file": of_files, "off": "nothing"}[item.state.value]
    place = "in force" if item.lane is Lane.LIVE else "beside it, in shadow"
    return f"{what} {place}" + (" (rolled back)" if item.is_roll_back else "")


def _to_text(at_ms: int) -> str:
    return show_instant(datetime.fromtimestamp(at_ms / 1000, UTC))


def _at_desk(work: Callable[[RuleDesk], Awaitable[Result]]) -> Result:
    async def open_and_work(settings: Settings) -> Result:
        async with open_desk(settings) as desk:
            return await work(desk)

    return run(open_and_work)


def _caller(author: str) -> Caller:
    return Caller(actor=author or getpass.getuser(), address="cli")


def _print_json(value: Mapping[str, Any] | Sequence[Any]) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))
