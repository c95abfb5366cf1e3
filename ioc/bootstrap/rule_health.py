"""How the rules do: reported by the processes that run them, asked for by the command line and readiness."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from uuid import uuid4

from alerts.memory import RuleFault
from alerts.rule import Rule
from ioc.bootstrap.foundations import Foundations, open_store
from ioc.bootstrap.knowledge import load_rulebook
from ioc.clocks import SystemClock
from ioc.processing.rule_health import RuleReporter, RuleWatch
from ioc.settings import Settings
from ioc.storage.pool import Database
from ioc.storage.rule_health import ProcessReport, RuleHealthStore

_NAMED = 5


def make_reporter(base: Foundations, watch: RuleWatch) -> RuleReporter:
    """Make what reports the rules of this process. Its name is its own, also where containers share host and pid."""
    process = f"{socket.gethostname()}/{os.getpid()}/{uuid4().hex[:6]}"
    return RuleReporter(watch, RuleHealthStore(base.database, base.clock), base.clock, process=process)


async def describe_failing(base: Foundations) -> str:
    """Say how many rules fail. A rule that fails makes no process unfit, so this is never a fault of readiness."""
    failing, count = await RuleHealthStore(base.database, base.clock).failing()
    if not failing:
        return f"{count} running, none failing"
    more = f" and {len(failing) - _NAMED} more" if len(failing) > _NAMED else ""
    return f"{len(failing)} of {count} failing: {', '.join(failing[:_NAMED])}{more}"


async def read_rule_health(
    settings: Settings,
) -> tuple[Sequence[Rule], Sequence[ProcessReport], Mapping[str, Sequence[RuleFault]]]:
    """Give the rules in force, what running processes report of them, and the newest faults."""
    rules = load_rulebook(settings).rules
    async with open_store(settings) as conninfo, Database(conninfo, schema=settings.store.schema_name) as database:
        store = RuleHealthStore(database, SystemClock())
        return rules, await store.reports(), await store.faults()
