"""Versions of rules, for the command line: the same desk that the API has, over the deployment's store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from alerts.rulebook.book import Rulebook
from ioc.bootstrap.foundations import open_database
from ioc.bootstrap.knowledge import load_rulebook, load_world
from ioc.clocks import SystemClock
from ioc.rules.desk import RuleDesk
from ioc.rules.in_force import RulesInForce
from ioc.settings import Settings
from ioc.storage.audit import AuditLog
from ioc.storage.pool import Database
from ioc.storage.rules import RuleStore


async def load_rules_in_force(settings: Settings, database: Database) -> Rulebook:
    """Give the rules in force now: those of the files, with what was made active in the store.

    Raises:
        RulebookError: the rule files have faults.
        StoreUnavailableError: the database does not answer.
    """
    return (await open_rules_in_force(settings, database)).rulebook


async def open_rules_in_force(settings: Settings, database: Database) -> RulesInForce:
    """Give the rules in force now with the rules of the files beneath them.

    Raises:
        RulebookError: the rule files have faults.
        StoreUnavailableError: the database does not answer.
    """
    rules = RulesInForce(RuleStore(database), load_rulebook(settings).rules, SystemClock())
    await rules.refresh()
    return rules


@asynccontextmanager
async def open_desk(settings: Settings) -> AsyncIterator[RuleDesk]:
    """Open the store, also while the program runs, and give what rules are changed by.

    Raises:
        RulebookError: the rule files have faults.
        StoreUnavailableError: the database does not answer.
    """
    clock = SystemClock()
    async with open_database(settings) as database:
        store = RuleStore(database)
        rules = RulesInForce(store, load_rulebook(settings).rules, clock)
        await rules.refresh()
        yield RuleDesk(store, rules, load_world(settings.data_dir / "geo"), AuditLog(database, clock), clock)
