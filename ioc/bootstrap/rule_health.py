"""How the rules do, and why one told nobody: for processes that run rules, and for those who ask."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from uuid import uuid4

from alerts.language.rule import Rule
from alerts.memory.partition import RuleFault
from alerts.world import World
from ioc.api.inquiries import Inquirer
from ioc.bootstrap.foundations import Foundations, open_database
from ioc.bootstrap.knowledge import load_world
from ioc.bootstrap.rulebooks import load_rules_in_force, open_rules_in_force
from ioc.clocks import SystemClock
from ioc.ports import Clock
from ioc.processing.rule_health import RuleReporter, RuleWatch
from ioc.rules.in_force import RulesInForce
from ioc.rules.tenures import RuleTenures
from ioc.settings import Settings
from ioc.storage.known_assets import KnownAssets
from ioc.storage.notifications import NotificationStore
from ioc.storage.pool import Database
from ioc.storage.rule_alerts import RuleAlerts
from ioc.storage.rule_health import ProcessReport, RuleHealthStore
from ioc.storage.rules import RuleStore
from ioc.storage.stored_events import StoredEvents

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
    async with open_database(settings) as database:
        rules = (await load_rules_in_force(settings, database)).rules
        store = RuleHealthStore(database, SystemClock())
        return rules, await store.reports(), await store.faults()


def make_inquirer(database: Database, settings: Settings, clock: Clock, rules: RulesInForce, world: World) -> Inquirer:
    """Make what answers why a rule told nobody, also of days that are in the archive."""
    return Inquirer(
        open_events=lambda: StoredEvents(database, settings.archive_folder),
        alerts=RuleAlerts(database),
        assets=KnownAssets(database),
        notifications=NotificationStore(database),
        rules=lambda: rules.rulebook.rules,
        tenures=RuleTenures(RuleStore(database), lambda: rules.files).of,
        world=world,
        clock=clock,
    )


@asynccontextmanager
async def open_inquirer(settings: Settings) -> AsyncIterator[Inquirer]:
    """Open the store and give what answers from it, by the rules in force."""
    world = load_world(settings.data_dir / "geo")
    async with open_database(settings) as database:
        rules = await open_rules_in_force(settings, database)
        yield make_inquirer(database, settings, SystemClock(), rules, world)
