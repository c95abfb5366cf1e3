"""``ioc up``, ``ioc db migrate``, ``ioc topics apply``: the program on this machine, and what it stands on."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import typer

from ioc import bootstrap
from ioc.cli.running import run
from ioc.launcher import Child, Launcher
from ioc.settings import Settings

db_app = typer.Typer(help="The database.", no_args_is_help=True)
topics_app = typer.Typer(help="The topics of the event log.", no_args_is_help=True)

EMBEDDED_GROUPS = ("ingest,api", "process,deliver")
"""Two processes for two cores: the edge in one, decisions and deliveries in the other."""


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("up")(up)
    app.add_typer(db_app, name="db")
    app.add_typer(topics_app, name="topics")


def up() -> None:
    """Start every role on this machine and keep it up (embedded log and database unless set otherwise).

    Example:  IOC_HTTP__PORT=9000 ioc up
    """
    run(_up, is_service=True)


@db_app.command("migrate")
def migrate() -> None:
    """Bring the schema up to date. Safe to repeat, and while an older version still runs."""
    typer.echo(f"schema is up to date ({run(bootstrap.migrate_store)})")


@topics_app.command("apply")
def apply_topics() -> None:
    """Make the topics on Kafka with their partitions and retention; nothing to do on the embedded log."""
    for line in run(bootstrap.apply_topics):
        typer.echo(line)


async def _up(settings: Settings) -> None:
    launcher = Launcher([Child(name=group, arguments=["run", group]) for group in EMBEDDED_GROUPS], random=Random())
    async with kept_up(launcher), bootstrap.prepared(settings):
        typer.echo(f"IOC: http://{settings.http.host}:{settings.http.port}/  (Ctrl-C stops it)", err=True)
        await told_to_stop().wait()


@asynccontextmanager
async def kept_up(launcher: Launcher) -> AsyncIterator[None]:
    """Keep a launcher's children up while the block lasts, then stop them in order."""
    async with asyncio.TaskGroup() as group:
        running = group.create_task(launcher.run())
        try:
            yield
        finally:
            launcher.stop()
            await running


def told_to_stop() -> asyncio.Event:
    """Give an event that SIGINT or SIGTERM sets."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    return told
