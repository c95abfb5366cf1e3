"""``ioc run``: the roles themselves. A module of its own, so that the parent of ``ioc up`` loads none of them."""

from __future__ import annotations

from typing import Annotated

import typer

from ioc.bootstrap.roles import ROLES, serve
from ioc.cli.running import run
from ioc.cli.services import told_to_stop
from ioc.errors import ConfigurationError
from ioc.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("run")(run_roles)


def run_roles(
    roles: Annotated[str, typer.Argument(help="ingest, process, deliver, api; several with commas.")],
) -> None:
    """Run one role, or several in one process, until SIGTERM.

    Examples:  ioc run process        ioc run ingest,api
    """
    chosen = tuple(role.strip() for role in roles.split(",") if role.strip())
    if unknown := [role for role in chosen if role not in ROLES]:
        raise ConfigurationError([f"no role {role!r}; there are {', '.join(ROLES)}" for role in unknown])

    async def serve_roles(settings: Settings) -> None:
        await serve(settings, chosen, told_to_stop())

    run(serve_roles, is_service=True)
