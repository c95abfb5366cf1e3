"""What the store knows of rules, in one hand: their versions, what was made active when, and their alerts."""

from __future__ import annotations

from ioc.storage.pool import Database
from ioc.storage.rule_activations import ActivationStore
from ioc.storage.rule_alerts import RuleAlerts
from ioc.storage.rule_versions import RuleVersionStore


class RuleStore:
    """Versions, activations and alerts of rules.

    Args:
        database: the store.
    """

    def __init__(self, database: Database) -> None:
        self.versions = RuleVersionStore(database)
        self.activations = ActivationStore(database)
        self.alerts = RuleAlerts(database)
