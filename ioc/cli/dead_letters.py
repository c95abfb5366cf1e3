"""``ioc dead-letters``: what sources sent and nobody could read; nothing of it is lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Column, Table

from ioc import bootstrap
from ioc.cli.running import run
from ioc.settings import Settings
from ioc.storage.letters import StoredLetter

letters_app = typer.Typer(help="Records that could not be read, kept with bytes and reason.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(letters_app, name="dead-letters")


@letters_app.command("list")
def list_letters(
    feed: Annotated[str | None, typer.Option(help="Only this feed.")] = None,
    state: Annotated[str | None, typer.Option(help="new, retried or discarded.")] = "new",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most letters to show.")] = 50,
) -> None:
    """List dead letters, newest first.

    Example:  ioc dead-letters list --feed air --limit 20
    """

    async def find(settings: Settings) -> Sequence[StoredLetter]:
        return await bootstrap.list_dead_letters(settings, feed_id=feed, state=state, limit=limit)

    letters = run(find)
    # An id that was cut off could not be given to `show`.
    table = Table(Column("Id", no_wrap=True, min_width=36), "Feed", "Received (UTC)", "State", "Reason", "Bytes")
    for letter in letters:
        received = f"{letter.received_at:%Y-%m-%d %H:%M:%S}"
        size = f"{letter.size_bytes:,}"
        table.add_row(str(letter.dead_letter_id), letter.feed_id, received, letter.state, letter.reason, size)
    Console().print(table)
    typer.echo(f"{len(letters)} shown")


@letters_app.command("show")
def show(letter_id: Annotated[UUID, typer.Argument(help="Id from the list.")]) -> None:
    """Show one dead letter whole: reason, source, and its bytes as they came."""

    async def find(settings: Settings) -> tuple[StoredLetter, bytes]:
        return await bootstrap.show_dead_letter(settings, letter_id)

    letter, raw = run(find)
    typer.echo(
        f"id        {letter.dead_letter_id}\nfeed      {letter.feed_id}\nreceived  {letter.received_at.isoformat()}"
    )
    typer.echo(f"source    {letter.source}\nstate     {letter.state}\nreason    {letter.reason}\n")
    typer.echo(raw.decode("utf-8", "backslashreplace"))


@letters_app.command("retry")
def retry(
    letter_ids: Annotated[list[UUID] | None, typer.Argument(help="Ids from the list.")] = None,
    feed: Annotated[str | None, typer.Option(help="All new letters of this feed.")] = None,
) -> None:
    """Parse dead letters again and put what can be read now on the log. What still fails stays, with today's reason.

    Examples:  ioc dead-letters retry 5a1f3a0e-3c0b-5d1b-9e0c-6f6e2d0f7a11        ioc dead-letters retry --feed air
    """
    if not letter_ids and feed is None:
        raise typer.BadParameter("give ids or --feed")

    async def again(settings: Settings) -> tuple[int, int]:
        return await bootstrap.retry_dead_letters(settings, letter_ids=letter_ids or [], feed_id=feed)

    revived, left = run(again)
    typer.echo(f"{revived} put on the log, {left} still not readable")
