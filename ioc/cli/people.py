"""``ioc accounts`` and ``ioc keys``: who may come in."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ioc import bootstrap
from ioc.cli.running import run
from ioc.settings import Settings

accounts_app = typer.Typer(help="Local accounts of people.", no_args_is_help=True)
keys_app = typer.Typer(help="API keys of machines.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(accounts_app, name="accounts")
    app.add_typer(keys_app, name="keys")


@accounts_app.command("add")
def add_account(
    name: Annotated[str, typer.Argument(help="Login name.")],
    role: Annotated[
        list[str], typer.Option(help="kiosk, viewer, operator, supervisor, department or admin; repeatable.")
    ],
    display_name: Annotated[str, typer.Option(help="Name to show in journals.")] = "",
    department: Annotated[str | None, typer.Option(help="Department that the account belongs to.")] = None,
    password: Annotated[
        str, typer.Option(prompt=True, confirmation_prompt=True, hide_input=True, help="Asked for when not given.")
    ] = "",
) -> None:
    """Make an account, or set its roles and password anew.

    Example:  ioc accounts add lan --role operator --display-name "Trực ban Lan"
    """

    async def add(settings: Settings) -> None:
        await bootstrap.add_account(
            settings, name=name, display_name=display_name or name, password=password, roles=role, department=department
        )

    run(add)
    typer.echo(f"account {name} has the roles {', '.join(role)}")


@accounts_app.command("list")
def list_accounts() -> None:
    """List accounts with their roles."""
    table = Table("Name", "Shown as", "Roles", "Department", "Active")
    for account in run(bootstrap.list_accounts):
        table.add_row(
            account.name, account.display_name, ", ".join(account.roles), account.department or "",
            "no" if account.disabled else "yes",
        )  # fmt: skip
    Console().print(table)


@keys_app.command("add")
def add_key(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    feed: Annotated[list[str], typer.Option(help="Feed that the holder may send; repeatable.")],
    days: Annotated[int, typer.Option(min=1, max=3_650, help="Days until the key ends.")] = 365,
) -> None:
    """Make a key for a source and show it, this once.

    Example:  ioc keys add "Trạm khí tượng Bãi Cháy" --feed weather
    """

    async def add(settings: Settings) -> str:
        return await bootstrap.add_key(settings, name=name, feed_ids=feed, days=days)

    typer.echo(run(add))
    typer.echo("Keep it now: it is stored as a hash and cannot be shown again.", err=True)
