"""What the edge needs of the rest of the program. A role that does not run in this process leaves its parts None."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alerts.notification.policy import Policy
from alerts.rulebook.book import Rulebook
from alerts.world import World
from connectors.feed import Feed
from connectors.transports.http_push import HttpPush
from ioc.api.inquiries import Inquirer
from ioc.api.wall.hub import WallHub
from ioc.delivery.destination import DestinationPolicy
from ioc.ports import Clock
from ioc.rules.desk import RuleDesk
from ioc.storage.accounts import AccountStore
from ioc.storage.alert_actions import AlertActions
from ioc.storage.alerts import PostgresAlertStore
from ioc.storage.audit import AuditLog
from ioc.storage.backtest_runs import BacktestRunStore
from ioc.storage.decision_inputs import DecisionInputs
from ioc.storage.indicators import IndicatorStore
from ioc.storage.kept_answers import KeptAnswers
from ioc.storage.letters import DeadLetterStore
from ioc.storage.notifications import NotificationStore
from ioc.storage.rule_health import RuleHealthStore
from ioc.storage.series import HistoryStore
from ioc.storage.source_keys import SourceKeyStore
from ioc.storage.subscriptions import SubscriptionStore
from ioc.storage.suppressions import SuppressionStore
from ioc.storage.twin import TwinStore

Check = Callable[[], Awaitable[str]]
"""A readiness check: gives what it found, raises ``IocError`` with what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestServices:
    """What the push route needs."""

    push: HttpPush
    keys: SourceKeyStore


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiServices:
    """What people's routes and the wall need. ``feed_statuses`` gives every feed's status as the wire has it.

    ``name_of`` gives an asset's, unit's or zone's names, Vietnamese and English; the id where nobody named it.
    ``world`` is what rules know of the province.
    """

    accounts: AccountStore
    answers: KeptAnswers
    keys: SourceKeyStore
    audit: AuditLog
    backtests: BacktestRunStore
    alerts: PostgresAlertStore
    alert_actions: AlertActions
    history: HistoryStore
    decision_inputs: DecisionInputs
    indicators: IndicatorStore
    twin: TwinStore
    letters: DeadLetterStore
    retry_letters: Callable[[Sequence[Any]], Awaitable[tuple[int, int]]]
    subscriptions: SubscriptionStore
    notifications: NotificationStore
    suppressions: SuppressionStore
    policy: Policy
    destinations: DestinationPolicy
    hub: WallHub
    rules: RuleDesk
    rule_health: RuleHealthStore
    inquirer: Inquirer
    feeds: Mapping[str, Feed]
    feed_statuses: Callable[[], Awaitable[Sequence[Mapping[str, Any]]]]
    name_of: Callable[[str], tuple[str, str]]
    world: World
    geo_directory: Path | None = None

    @property
    def rulebook(self) -> Rulebook:
        """The rules in force now; ask again for each question."""
        return self.rules.rules.rulebook


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything that an app is made of. ``checks`` are asked by ``/health/ready``."""

    clock: Clock
    checks: Mapping[str, Check] = field(default_factory=dict)
    ingest: IngestServices | None = None
    api: ApiServices | None = None
    allowed_origins: tuple[str, ...] = ()
    secure_cookies: bool = False
