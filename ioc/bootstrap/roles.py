"""Roles: what one process does. Several may share a process; everything lives in one TaskGroup and ends with it."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta

from ioc import cancellation
from ioc.api.app import create_app
from ioc.api.services import Services
from ioc.api.serving import serve as serve_http
from ioc.bootstrap.foundations import Foundations, open_foundations
from ioc.bootstrap.role_work import RoleWork
from ioc.logs import logger
from ioc.settings import Settings
from ioc.storage.migrate import find_pending, require_schema

_log = logger("roles")

ROLES = ("ingest", "process", "deliver", "api")
_SCHEMA_DEADLINE_S = 60.0
_SCHEMA_LOOK = timedelta(milliseconds=100)
EDGE = frozenset({"ingest", "api"})

OnReady = Callable[[int], None]


async def serve(
    settings: Settings, roles: Sequence[str], stop: asyncio.Event, *, on_ready: OnReady = lambda _: None
) -> None:
    """Run roles in this process until ``stop``; ``on_ready`` is told the HTTP port when there is one.

    Raises:
        ConfigurationError: settings, rules or geodata are not usable, or the schema is not up to date.
        LogUnavailableError, StoreUnavailableError: log or store is not there at the start.
    """
    waiting = _break_off_when(stop)
    try:
        async with (
            open_foundations(settings, client_id=f"ioc-{'-'.join(roles)}") as base,
            AsyncExitStack() as stack,
        ):
            await _wait_for_schema(base)
            waiting.cancel()
            async with asyncio.TaskGroup() as group:
                work = RoleWork(base, group)
                await work.start(frozenset(roles), stack)
                _start_http(work, frozenset(roles), stop, on_ready)
                gc.collect()
                gc.freeze()
                _log.info("roles.started", roles=list(roles))
                await stop.wait()
                await cancellation.end(work.tasks)
    except asyncio.CancelledError:
        if not stop.is_set():
            raise
    _log.info("roles.stopped", roles=list(roles))


def _break_off_when(stop: asyncio.Event) -> asyncio.Task[bool]:
    """Cancel the calling task when told to stop: log or database may be long in coming."""
    starting = asyncio.current_task()
    waiting = asyncio.create_task(stop.wait())
    waiting.add_done_callback(lambda told: None if told.cancelled() or starting is None else starting.cancel())
    return waiting


async def _wait_for_schema(base: Foundations) -> None:
    """Wait until the migrations are applied: whoever prepares the deployment may still be at it.

    Raises:
        ConfigurationError: they are still not after a minute.
    """
    try:
        async with cancellation.timeout(_SCHEMA_DEADLINE_S):
            while await find_pending(base.database):
                await base.clock.sleep(_SCHEMA_LOOK)
    except TimeoutError:
        await require_schema(base.database)


def _start_http(work: RoleWork, roles: frozenset[str], stop: asyncio.Event, on_ready: OnReady) -> None:
    """Serve what the roles have for callers, or their health alone; ends by ``stop``."""
    http = work.base.settings.http
    port = http.port if roles & EDGE else http.health_port
    if port is None:
        return
    app = create_app(
        Services(
            clock=work.base.clock,
            checks=work.checks,
            ingest=work.ingest,
            api=work.api,
            allowed_origins=http.allowed_origins,
            secure_cookies=http.behind_tls_proxy,
        )
    )
    serving = serve_http(
        app, host=http.host, port=port, stop=stop, behind_tls_proxy=http.behind_tls_proxy, on_ready=on_ready
    )
    work.group.create_task(serving, name="http")
