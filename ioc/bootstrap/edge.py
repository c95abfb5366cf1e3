"""The api role put together: what people's routes and the walls need."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from alerts.world import World
from connectors.registry import find
from ioc.api.services import ApiServices
from ioc.api.wall.hub import WallHub
from ioc.api.wall.judging import Judging
from ioc.bootstrap.foundations import Foundations
from ioc.bootstrap.knowledge import (
    load_definitions,
    load_feed_configs,
    load_feeds,
    load_policy,
    load_world,
)
from ioc.bootstrap.letters import retry_letters
from ioc.bootstrap.processing import GROUP, make_rules
from ioc.bootstrap.rule_health import make_inquirer
from ioc.delivery.destination import AllowedNetwork, DestinationPolicy
from ioc.delivery.signing import make_secret
from ioc.domain.kinds import KINDS, Payload, TruckStep, UnitReport, VesselPosition
from ioc.errors import ConfigurationError
from ioc.rules.desk import RuleDesk
from ioc.rules.in_force import RulesInForce
from ioc.sealing import Sealer
from ioc.settings import Settings
from ioc.storage.accounts import AccountStore
from ioc.storage.alert_actions import AlertActions
from ioc.storage.alert_writer import AlertWriter
from ioc.storage.alerts import PostgresAlertStore
from ioc.storage.archive_reads import ArchiveReader
from ioc.storage.archived_history import ArchivedHistory
from ioc.storage.audit import AuditLog
from ioc.storage.backtest_runs import BacktestRunStore
from ioc.storage.batches import PostgresBatchStore
from ioc.storage.decision_inputs import DecisionInputs
from ioc.storage.feed_status import FeedStatusStore
from ioc.storage.indicators import IndicatorStore
from ioc.storage.kept_answers import KeptAnswers
from ioc.storage.letters import DeadLetterStore
from ioc.storage.notifications import NotificationStore
from ioc.storage.outbox import enqueue
from ioc.storage.retention import Retention
from ioc.storage.rule_health import RuleHealthStore
from ioc.storage.rules import RuleStore
from ioc.storage.series import HistoryStore
from ioc.storage.source_keys import SourceKeyStore
from ioc.storage.subscriptions import SubscriptionStore
from ioc.storage.suppressions import SuppressionStore
from ioc.storage.twin import TwinStore

_PERIODS_UNTIL_STALE = 3
_VESSEL_STALE = timedelta(minutes=6)
"""A vessel at anchor reports every three minutes (ITU-R M.1371), so two reports may be missed."""


def make_api(base: Foundations, rules: RulesInForce | None = None) -> ApiServices:
    """Make what the api role serves.

    Raises:
        ConfigurationError: rules, feeds or webhook networks have faults.
    """
    settings, database, clock = base.settings, base.database, base.clock
    world = load_world(base.geo_directory)
    feeds = load_feeds(settings, base.keys, base.geo_directory)
    history = HistoryStore(database, make_archived_history(base))
    alerts = PostgresAlertStore(database)
    statuses = FeedStatusStore(database, clock)
    indicators = IndicatorStore(database)
    batches = PostgresBatchStore(database, alerts=AlertWriter(enqueue))
    rules = rules or make_rules(base)
    hub = WallHub(
        log=base.log,
        history=history,
        alerts=alerts,
        indicators=indicators,
        feed_statuses=statuses.statuses,
        judging=Judging(base.log, partial(batches.positions, GROUP), clock),
        zones=world.zones,
        stale_after=find_stale_after(settings),
        name_of=partial(_name_of, world),
        clock=clock,
        random=base.random,
    )
    audit = AuditLog(database, clock)
    sealer = Sealer([base.keys.encryption_key])
    return ApiServices(
        accounts=AccountStore(database, clock),
        answers=KeptAnswers(database, sealer, clock),
        keys=SourceKeyStore(database, clock),
        audit=audit,
        backtests=BacktestRunStore(database, clock),
        alerts=alerts,
        alert_actions=AlertActions(database, enqueue, longest_shelf=settings.alerts.longest_shelf),
        history=history,
        decision_inputs=DecisionInputs(database, clock, keep_readings=settings.store.retention),
        indicators=indicators,
        twin=TwinStore(database),
        letters=DeadLetterStore(database),
        retry_letters=partial(_retry_letters, base),
        subscriptions=SubscriptionStore(database, sealer, clock, make_secret=make_secret),
        notifications=NotificationStore(database),
        suppressions=SuppressionStore(database, enqueue),
        policy=load_policy(settings),
        destinations=make_destinations(settings),
        hub=hub,
        rules=RuleDesk(RuleStore(database), rules, world, audit, clock),
        rule_health=RuleHealthStore(database, clock),
        name_of=world.name_of,
        world=world,
        inquirer=make_inquirer(database, settings, clock, rules, world),
        feeds=feeds,
        feed_statuses=statuses.statuses,
        geo_directory=base.geo_directory,
    )


def make_archived_history(base: Foundations) -> ArchivedHistory:
    """Make what answers from the archive; also where nothing is archived any more, what was remains."""
    keep = Retention(readings=base.settings.store.retention)
    return ArchivedHistory(ArchiveReader(base.settings.archive_folder), base.clock, keep_rollups=keep.rollups)


def make_destinations(settings: Settings) -> DestinationPolicy:
    """Make the policy of where webhooks may go.

    Raises:
        ConfigurationError: an allowed network does not read like ``10.1.0.0/16:443``.
    """
    wanted, allowed, faults = settings.delivery, [], []
    for text in wanted.allowed_networks:
        network, _, port = text.rpartition(":")
        try:
            allowed.append(AllowedNetwork(network=ipaddress.ip_network(network), port=int(port)))
        except ValueError as error:
            faults.append(f"IOC_DELIVERY__ALLOWED_NETWORKS: {text!r}: {error}")
    if faults:
        raise ConfigurationError(faults)
    return DestinationPolicy(
        allow_http=wanted.allow_http, allowed_networks=tuple(allowed), allow_loopback=wanted.allow_loopback
    )


def find_stale_after(settings: Settings) -> Mapping[type[Payload], timedelta]:
    """Say after which silence a reading of each kind no longer speaks for the present; registers never go stale."""
    found: dict[type[Payload], timedelta] = {}
    definitions = load_definitions(settings)
    for feed_id, config in load_feed_configs(settings).items():
        for name in find(feed_id, definitions).kinds:
            kind, span = KINDS[name].payload, _PERIODS_UNTIL_STALE * config.period_of(name)
            # Of two feeds that send a kind the slower one counts.
            found[kind] = max(span, found.get(kind, span))
    if VesselPosition in found:
        found[VesselPosition] = max(_VESSEL_STALE, found[VesselPosition])
    for register in (UnitReport, TruckStep):
        found.pop(register, None)
    return found


def _name_of(world: World, asset_id: str) -> str | None:
    name = world.name_of(asset_id)[0]
    return None if name == asset_id else name


async def _retry_letters(base: Foundations, ids: Sequence[Any]) -> tuple[int, int]:
    return await retry_letters(base, [UUID(str(letter_id)) for letter_id in ids])
