"""What each role does in a process: the tasks that it lives by, and the checks that say how they do."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from random import Random
from typing import Any

from ioc.api.services import ApiServices, Check, IngestServices
from ioc.api.wall.hub import WallHub
from ioc.bootstrap.backtest_runner import BacktestRunner
from ioc.bootstrap.edge import make_api, make_destinations
from ioc.bootstrap.foundations import Foundations
from ioc.bootstrap.intake import make_ingest
from ioc.bootstrap.knowledge import load_policy
from ioc.bootstrap.processing import make_housekeeping, make_rules, make_worker
from ioc.bootstrap.rule_health import describe_failing, make_reporter
from ioc.delivery.client import WebhookClient
from ioc.errors import StoreUnavailableError
from ioc.ports import Topic
from ioc.processing.dispatcher import Dispatcher
from ioc.processing.notifier import Notifier
from ioc.processing.shelves import ShelfKeeper
from ioc.processing.worker import Worker
from ioc.rules.in_force import RulesInForce
from ioc.sealing import Sealer
from ioc.storage.alert_actions import AlertActions
from ioc.storage.kept_answers import KeptAnswers
from ioc.storage.outbox import PostgresOutbox, enqueue
from ioc.storage.suppressions import SuppressionStore


class RoleWork:
    """The work of the roles that run in this process.

    Args:
        base: log, store, clock and settings.
        group: where the tasks live.

    ``tasks`` end by being cancelled; ``ingest`` and ``api`` are what callers over HTTP are served with.
    """

    def __init__(self, base: Foundations, group: asyncio.TaskGroup) -> None:
        self.base, self.group = base, group
        self.tasks: list[asyncio.Task[None]] = []
        self.checks: dict[str, Check] = {"store": lambda: _check_store(base), "log": lambda: _check_log(base)}
        self.ingest: IngestServices | None = None
        self.api: ApiServices | None = None

    async def start(self, roles: frozenset[str], stack: AsyncExitStack) -> None:
        """Start what the roles need; ``stack`` closes what they have opened."""
        if "ingest" in roles:
            self._start_ingest()
        rules = await self._start_rules() if roles & {"api", "process"} else None
        if "api" in roles:
            self._start_api(rules)
        if "process" in roles:
            self._start_processing(rules)
        if "deliver" in roles:
            await self._start_delivery(stack)

    def _keep(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(self.group.create_task(work, name=name))

    def _start_ingest(self) -> None:
        ingest = make_ingest(self.base)
        self.ingest = ingest.services
        self._keep("ingest", ingest.run())

    async def _start_rules(self) -> RulesInForce:
        rules = make_rules(self.base)
        await rules.refresh()
        self.checks["rules"] = lambda: _check_rules(rules)
        self.checks["rule_health"] = lambda: describe_failing(self.base)
        self._keep("rules", rules.run())
        return rules

    def _start_api(self, rules: RulesInForce | None) -> None:
        self.api = make_api(self.base, rules)
        hub = self.api.hub
        self.checks["judging"] = lambda: _check_judging(hub)
        self._keep("wall", hub.run())
        backtests = BacktestRunner(self.base.settings, self.base.database.conninfo, self.api.backtests)
        self._keep("backtests", backtests.run())

    def _start_processing(self, rules: RulesInForce | None) -> None:
        base = self.base
        worker = make_worker(base, rules=rules)
        self.checks["worker"] = lambda: _check_worker(worker)
        rollups, retention = make_housekeeping(base)
        keeper = ShelfKeeper(
            AlertActions(base.database, enqueue),
            SuppressionStore(base.database, enqueue),
            KeptAnswers(base.database, Sealer([base.keys.encryption_key]), base.clock),
            base.clock,
            returned_after=base.settings.alerts.returned_after,
        )
        self._keep("worker", worker.run())
        self._keep("rollups", rollups.run())
        self._keep("retention", retention.run())
        self._keep("shelves", keeper.run())
        self._keep("rule health", make_reporter(base, worker.watch).run())

    async def _start_delivery(self, stack: AsyncExitStack) -> None:
        base = self.base
        client = await stack.enter_async_context(WebhookClient(policy=make_destinations(base.settings)))
        outbox = PostgresOutbox(base.database, Sealer([base.keys.encryption_key]))
        workers = base.settings.delivery.workers
        dispatcher = Dispatcher(outbox=outbox, client=client, clock=base.clock, random=Random(), workers=workers)
        self._keep("dispatcher", dispatcher.run())
        self._keep("notifier", Notifier(base.database, load_policy(base.settings), base.clock, Random()).run())


async def _check_store(base: Foundations) -> str:
    async with base.database.connection() as connection:
        await connection.execute("SELECT 1")
    return "answers"


async def _check_log(base: Foundations) -> str:
    ends = await base.log.end_offsets((Topic.EVENTS,))
    return f"{sum(ends.values())} events written"


async def _check_rules(rules: RulesInForce) -> str:
    return rules.describe()


async def _check_judging(hub: WallHub) -> str:
    """Say whether alerts are judged. That the worker stands still makes no process unfit to show what there is."""
    return hub.judging.describe()


async def _check_worker(worker: Worker) -> str:
    if worker.committed_at is None and worker.pulsed_at is None:
        raise StoreUnavailableError("no partition yet; another replica holds them all, or the log has not answered")
    return f"{worker.lag_count} items behind"
