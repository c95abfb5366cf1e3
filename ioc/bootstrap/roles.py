"""Roles: what one process does. Several may share a process; everything lives in one TaskGroup and ends with it."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from random import Random

from ioc import cancellation
from ioc.api.app import create_app
from ioc.api.services import Check, Services
from ioc.api.serving import serve as serve_http
from ioc.bootstrap.backtest_runner import BacktestRunner
from ioc.bootstrap.edge import make_api, make_destinations
from ioc.bootstrap.foundations import Foundations, open_foundations
from ioc.bootstrap.intake import Ingest, make_ingest
from ioc.bootstrap.knowledge import load_policy
from ioc.bootstrap.processing import make_housekeeping, make_rules, make_worker
from ioc.bootstrap.rule_health import describe_failing, make_reporter
from ioc.delivery.client import WebhookClient
from ioc.errors import ConfigurationError, StoreUnavailableError
from ioc.logs import logger
from ioc.ports import Topic
from ioc.processing.dispatcher import Dispatcher
from ioc.processing.notifier import Notifier
from ioc.processing.shelves import ShelfKeeper
from ioc.processing.worker import Worker
from ioc.rules.in_force import RulesInForce
from ioc.sealing import Sealer
from ioc.settings import Settings
from ioc.storage.alert_actions import AlertActions
from ioc.storage.migrate import find_pending
from ioc.storage.outbox import PostgresOutbox, enqueue
from ioc.storage.suppressions import SuppressionStore

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
                running = await _start(base, frozenset(roles), stack, group, stop, on_ready)
                gc.collect()
                gc.freeze()
                _log.info("roles.started", roles=list(roles))
                await stop.wait()
                await cancellation.end(running)
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
        async with asyncio.timeout(_SCHEMA_DEADLINE_S):
            while await find_pending(base.database):
                await base.clock.sleep(_SCHEMA_LOOK)
    except TimeoutError:
        pending = await find_pending(base.database)
        raise ConfigurationError([f"the database lacks {', '.join(pending)}; run `ioc db migrate`"]) from None


async def _start(
    base: Foundations,
    roles: frozenset[str],
    stack: AsyncExitStack,
    group: asyncio.TaskGroup,
    stop: asyncio.Event,
    on_ready: OnReady,
) -> list[asyncio.Task[None]]:
    """Start what the roles need; the HTTP server ends by ``stop``, the tasks given back by cancelling."""
    checks: dict[str, Check] = {"store": lambda: _check_store(base), "log": lambda: _check_log(base)}
    tasks: list[asyncio.Task[None]] = []
    ingest: Ingest | None = None
    if "ingest" in roles:
        ingest = make_ingest(base)
        tasks.append(group.create_task(ingest.run(), name="ingest"))
    rules = None
    if roles & {"api", "process"}:
        rules = make_rules(base)
        await rules.refresh()
        checks["rules"] = lambda: _check_rules(rules)
        checks["rule_health"] = lambda: describe_failing(base)
        tasks.append(group.create_task(rules.run(), name="rules"))
    api = None
    if "api" in roles:
        api = make_api(base, rules)
        tasks.append(group.create_task(api.hub.run(), name="wall"))
        backtests = BacktestRunner(base.settings, base.database.conninfo, api.backtests)
        tasks.append(group.create_task(backtests.run(), name="backtests"))
    if "process" in roles:
        worker = make_worker(base, rules=rules)
        checks["worker"] = lambda: _check_worker(worker)
        rollups, retention = make_housekeeping(base)
        keeper = ShelfKeeper(
            AlertActions(base.database, enqueue),
            SuppressionStore(base.database, enqueue),
            base.clock,
            returned_after=base.settings.alerts.returned_after,
        )
        reporter = make_reporter(base, worker.watch)
        for name, work in (
            ("worker", worker), ("rollups", rollups), ("retention", retention), ("shelves", keeper),
            ("rule health", reporter),
        ):  # fmt: skip
            tasks.append(group.create_task(work.run(), name=name))
    if "deliver" in roles:
        tasks.append(group.create_task((await _make_dispatcher(base, stack)).run(), name="dispatcher"))
        notifier = Notifier(base.database, load_policy(base.settings), base.clock, Random())
        tasks.append(group.create_task(notifier.run(), name="notifier"))
    http = base.settings.http
    port = http.port if roles & EDGE else http.health_port
    if port is not None:
        app = create_app(
            Services(
                clock=base.clock,
                checks=checks,
                ingest=None if ingest is None else ingest.services,
                api=api,
                allowed_origins=http.allowed_origins,
                secure_cookies=http.behind_tls_proxy,
            )
        )
        serving = serve_http(
            app, host=http.host, port=port, stop=stop, behind_tls_proxy=http.behind_tls_proxy, on_ready=on_ready
        )
        group.create_task(serving, name="http")
    return tasks


async def _make_dispatcher(base: Foundations, stack: AsyncExitStack) -> Dispatcher:
    client = await stack.enter_async_context(WebhookClient(policy=make_destinations(base.settings)))
    outbox = PostgresOutbox(base.database, Sealer([base.keys.encryption_key]))
    workers = base.settings.delivery.workers
    return Dispatcher(outbox=outbox, client=client, clock=base.clock, random=Random(), workers=workers)


async def _check_store(base: Foundations) -> str:
    async with base.database.connection() as connection:
        await connection.execute("SELECT 1")
    return "answers"


async def _check_log(base: Foundations) -> str:
    ends = await base.log.end_offsets((Topic.EVENTS,))
    return f"{sum(ends.values())} events written"


async def _check_rules(rules: RulesInForce) -> str:
    return rules.describe()


async def _check_worker(worker: Worker) -> str:
    if worker.committed_at is None and worker.pulsed_at is None:
        raise StoreUnavailableError("no partition yet; another replica holds them all, or the log has not answered")
    return f"{worker.lag_count} items behind"
