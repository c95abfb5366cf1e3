"""``ioc accounts`` and ``ioc keys``: who may come in."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

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


@accounts_app.command("disable")
def disable_account(name: Annotated[str, typer.Argument(help="Login name.")]) -> None:
    """Lock an account out at once; its sessions end. Its past actions stay in the journals.

    Example:  ioc accounts disable lan
    """
    run(lambda settings: bootstrap.set_account_disabled(settings, name, disabled=True))
    typer.echo(f"account {name} is locked out")


@accounts_app.command("enable")
def enable_account(name: Annotated[str, typer.Argument(help="Login name.")]) -> None:
    """Let an account in again that was locked out."""
    run(lambda settings: bootstrap.set_account_disabled(settings, name, disabled=False))
    typer.echo(f"account {name} may come in")


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


@keys_app.command("list")
def list_keys() -> None:
    """List keys that are good, with what they are for. The keys themselves cannot be shown again."""
    table = Table(Column("Id", no_wrap=True), "For", "Feeds", "Ends (UTC)")
    for key in run(bootstrap.list_keys):
        table.add_row(key.key_id, key.name, ", ".join(sorted(key.feed_ids)), f"{key.expires_at:%Y-%m-%d}")
    Console().print(table)


@keys_app.command("revoke")
def revoke_key(key_id: Annotated[str, typer.Argument(help="Id from the list.")]) -> None:
    """End a key. Running processes refuse it within half a minute.

    Example:  ioc keys revoke 35db5b85e36f
    """
    run(lambda settings: bootstrap.revoke_key(settings, key_id))
    typer.echo(f"key {key_id} is revoked")
