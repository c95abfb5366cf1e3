"""The processing role put together: worker, engine and the store's housekeeping."""

from __future__ import annotations

import time
from datetime import timedelta
from functools import partial

from ioc.bootstrap.foundations import Foundations
from ioc.bootstrap.knowledge import load_rulebook, load_world
from ioc.domain.ids import partition_of
from ioc.ports import Clock, Topic
from ioc.processing.ownership import Ownership
from ioc.processing.rule_health import RuleWatch
from ioc.processing.worker import Worker
from ioc.rules.in_force import RulesInForce
from ioc.storage.alert_writer import AlertWriter
from ioc.storage.archive import Archive
from ioc.storage.batches import PostgresBatchStore
from ioc.storage.outbox import enqueue
from ioc.storage.retention import Retention, RetentionJob
from ioc.storage.rollups import RollupJob
from ioc.storage.rules import RuleStore
from ioc.storage.series import HistoryStore

GROUP = "process"
_LATEST_SINCE = timedelta(days=7)


def make_rules(base: Foundations) -> RulesInForce:
    """Make what keeps the rules in force, for all roles of this process; it has those of the files until it looks.

    Raises:
        RulebookError: the files have faults.
    """
    return RulesInForce(RuleStore(base.database), load_rulebook(base.settings).rules, base.clock)


def make_worker(
    base: Foundations, *, rules: RulesInForce | None = None, clock: Clock | None = None, max_items: int = 8_000
) -> Worker:
    """Make a member of the processing group over the deployment's log, store and rules.

    Raises:
        RulebookError: the rules have faults.
    """
    clock = clock or base.clock
    store = PostgresBatchStore(base.database, alerts=AlertWriter(enqueue))
    history = HistoryStore(base.database)
    ownership = Ownership(
        store=store,
        rules=rules or make_rules(base),
        world=load_world(base.geo_directory),
        latest=lambda: history.latest_events(since=clock.now() - _LATEST_SINCE),
        partition_of=partial(_place, base),
        group=GROUP,
        timer=time.perf_counter,
    )
    return Worker(
        log=base.log, store=store, ownership=ownership, watch=RuleWatch(ownership.health, clock), clock=clock,
        random=base.random, group=GROUP, max_items=max_items,
    )  # fmt: skip


def make_housekeeping(base: Foundations) -> tuple[RollupJob, RetentionJob]:
    """Make the jobs that keep roll-ups and retention; any number of replicas may run them."""
    keep = base.settings.store.retention
    archive = None
    if base.settings.archive.enabled:
        archive = Archive(base.database, base.clock, base.settings.archive_folder)
    return (
        RollupJob(base.database, base.clock, keep_readings=keep),
        RetentionJob(base.database, base.clock, keep=Retention(readings=keep), archive=archive),
    )


def _place(base: Foundations, topic: Topic, key: str) -> int:
    return partition_of(key, base.log.partition_count(topic))
